# The canonical table and the shards; the one checkpoint of a dataset.


checkpoint build_index:
    input:
        unpack(index_inputs),
    output:
        videos="results/{dataset}/index/videos.tsv",
        events="results/{dataset}/index/events.tsv",
        classes="results/{dataset}/index/classes.txt",
        counts="results/{dataset}/index/counts.tsv",
        shards="results/{dataset}/index/shards.tsv",
    log:
        "logs/build_index/{dataset}.log",
    benchmark:
        "benchmarks/build_index/{dataset}.tsv"
    conda:
        "../envs/tables.yaml"
    resources:
        mem_mb=scaled(megabytes=4000),
        runtime=scaled(minutes=30),
    params:
        options=index_options,
        originals=originals_folder,
        unpacked=names_of("unpacked"),
        annotations=paths_of("annotations"),
        unpacked_annotations=names_of("unpacked_annotations"),
    message:
        "Indexing {wildcards.dataset}"
    shell:
        "python -m scripts.build_index --index results/{wildcards.dataset}/index"
        " --originals results/{params.originals}/originals"
        " --unpacked {params.unpacked:q} --annotations {params.annotations:q}"
        " --unpacked-annotations {params.unpacked_annotations:q}"
        " --options {params.options:q} > {log:q} 2>&1"

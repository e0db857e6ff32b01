# The canonical table and the shards; the one checkpoint of a dataset.


checkpoint build_index:
    input:
        unpack(index_inputs),
    output:
        videos="results/{dataset}/index/videos.tsv",
        classes="results/{dataset}/index/classes.txt",
        shards="results/{dataset}/index/shards.tsv",
    log:
        "logs/build_index/{dataset}.log",
    benchmark:
        "benchmarks/build_index/{dataset}.tsv"
    conda:
        "../envs/media.yaml"
    resources:
        mem_mb=2000,
        runtime=scaled(minutes=30),
    params:
        options=index_options,
    message:
        "Indexing {wildcards.dataset}"
    shell:
        "python -m scripts.build_index --index results/{wildcards.dataset}/index"
        " --unpacked {input.unpacked:q} --options {params.options:q} > {log:q} 2>&1"

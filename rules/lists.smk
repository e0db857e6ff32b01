# Split lists: results/<dataset>/splits/<format>/<set of splits>/train.txt.


rule write_splits:
    input:
        split_files,
        videos="results/{dataset}/index/videos.tsv",
        manifests=listed,
    output:
        directory("results/{dataset}/splits/{format}/{splits}"),
    log:
        "logs/write_splits/{dataset}.{format}.{splits}.log",
    conda:
        "../envs/media.yaml"
    params:
        options=list_options,
    message:
        "Writing the lists {wildcards.splits} of {wildcards.dataset}"
    shell:
        "python -m scripts.write_splits --index results/{wildcards.dataset}/index"
        " --manifests {input.manifests:q} --lists {output:q}"
        " --format {wildcards.format} --options {params.options:q} > {log:q} 2>&1"

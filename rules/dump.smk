# Frames as pictures: results/<dataset>/frames/<encoding>/<shard>/<id>/00001.jpg.


rule dump_frames:
    input:
        "results/{dataset}/clips/{encoding}/{shard}.tsv",
    output:
        "results/{dataset}/frames/{encoding}/{shard}.tsv",
    log:
        "logs/dump_frames/{dataset}.{encoding}.{shard}.log",
    benchmark:
        "benchmarks/dump_frames/{dataset}.{encoding}.{shard}.tsv"
    conda:
        "../envs/media.yaml"
    threads: workers
    resources:
        mem_mb=scaled(megabytes=2000),
        runtime=scaled(minutes=120),
    params:
        options=dump_options,
        retry=retry_of,
    message:
        "Dumping frames of shard {wildcards.shard} of {wildcards.dataset}"
    shell:
        "python -m scripts.dump_frames --table {input:q} --manifest {output:q}"
        " --threads {threads} --retry {params.retry:q} --options {params.options:q}"
        " > {log:q} 2>&1"

# Originals: archives are unpacked below results/<dataset>/originals/<archive>/.


rule make_demo:
    output:
        "results/demo/source/videos.zip",
        "results/demo/source/annotations.csv",
        "results/demo/source/train.txt",
        "results/demo/source/test.txt",
    log:
        "logs/make_demo/demo.log",
    conda:
        "../envs/media.yaml"
    message:
        "Making the demo's videos"
    shell:
        "python -m scripts.make_demo --directory results/demo/source > {log:q} 2>&1"


rule unpack_archive:
    input:
        archive_path,
    output:
        "results/{dataset}/originals/{archive}.tsv",
    log:
        "logs/unpack_archive/{dataset}.{archive}.log",
    benchmark:
        "benchmarks/unpack_archive/{dataset}.{archive}.tsv"
    conda:
        "../envs/acquire.yaml"
    resources:
        mem_mb=2000,
        runtime=scaled(minutes=240),
    params:
        options=lambda wildcards: options("unpack_archive"),
    message:
        "Unpacking {wildcards.archive} of {wildcards.dataset}"
    shell:
        "python -m scripts.unpack_archive --archive {input:q} --manifest {output:q}"
        " > {log:q} 2>&1"

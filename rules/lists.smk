# Split lists: results/<dataset>/splits/<format>/<set of splits>/train.txt.


def split_files(wildcards):
    """Return the files of a set of splits; none where the annotations decide."""
    splits = DATASETS[wildcards.dataset]["splits"][wildcards.splits]
    return [] if splits == "annotations" else list(splits.values())


def listed(wildcards):
    """Return the manifests of what the lists name: frames, or else clips."""
    encoding = LISTS["encoding"]
    of = frames_of if encoding in DUMPED else clips_of
    return of(wildcards.dataset, encoding)


def list_options(wildcards):
    """Return what the lists depend on."""
    return options(
        "write_splits",
        splits=DATASETS[wildcards.dataset]["splits"][wildcards.splits],
        separator=LISTS["separator"],
    )


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

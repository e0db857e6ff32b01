# The canonical table and the shards; the one checkpoint of a dataset.


def index_inputs(wildcards):
    """Return what the index is read from: unpacked archives and annotations."""
    dataset = DATASETS[wildcards.dataset]
    archives = dataset["source"].get("archives", [])
    inputs = {
        "unpacked": [
            f"results/{wildcards.dataset}/originals/{Path(path).name}.tsv"
            for path in archives
        ]
    }
    if dataset["annotations"]:
        inputs["annotations"] = dataset["annotations"]
    return inputs


def index_options(wildcards):
    """Return what the index depends on; of a folder, when its folders changed."""
    dataset = DATASETS[wildcards.dataset]
    keys = ("shards", "labels", "annotations", "columns")
    values = {key: dataset[key] for key in keys}
    folder = dataset["source"].get("folder")
    state = folder_state(Path(folder)) if folder else None
    return options("build_index", folder=folder, state=state, **values)


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

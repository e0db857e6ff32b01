"""Which files a job reads: functions of its wildcards."""


def archive_path(wildcards):
    """Return the path of an archive by its base name."""
    archives = DATASETS[wildcards.dataset]["source"]["archives"]
    return next(path for path in archives if Path(path).name == wildcards.archive)


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


def shards_of(dataset):
    """Return the names of a dataset's shards, once its index is built."""
    index = checkpoints.build_index.get(dataset=dataset)
    return read_shards(Path(index.output.shards))


def shard_table(wildcards):
    """Return a shard table; the checkpoint writes it where it changed."""
    checkpoints.build_index.get(dataset=wildcards.dataset)
    return f"results/{wildcards.dataset}/index/shards/{wildcards.shard}.tsv"


def manifests_of(dataset, stage, variant):
    """Return a stage's manifests: `clips` or `frames` of an encoding, or `features`."""
    folder = f"results/{dataset}/{stage}/{variant}"
    return [f"{folder}/{shard}.tsv" for shard in shards_of(dataset)]


def clips_of(dataset):
    """Return the clips' manifests in every encoding that something reads."""
    return [m for e in NEEDED for m in manifests_of(dataset, "clips", e)]


def frames_of(dataset):
    """Return the frames' manifests of every dumped encoding."""
    return [m for e in DUMPED for m in manifests_of(dataset, "frames", e)]


def features_of(dataset):
    """Return the files of features of every model."""
    return [f"results/{dataset}/features/{model}.h5" for model in MODELS]


def lists_of(dataset):
    """Return the directories of a dataset's split lists."""
    return expand(
        "results/{dataset}/splits/{format}/{splits}",
        dataset=dataset,
        format=LISTS["formats"],
        splits=DATASETS[dataset]["splits"],
    )


def every(of):
    """Return an input function that gives what `of` gives, for all datasets."""
    return lambda wildcards: [path for dataset in DATASETS for path in of(dataset)]


def listed(wildcards):
    """Return the manifests of what the lists name: frames, or else clips."""
    encoding = LISTS["encoding"]
    stage = "frames" if encoding in DUMPED else "clips"
    return manifests_of(wildcards.dataset, stage, encoding)


def split_files(wildcards):
    """Return the files of a set of splits; none where the annotations decide."""
    splits = DATASETS[wildcards.dataset]["splits"][wildcards.splits]
    return [] if splits == "annotations" else list(splits.values())


def checkpoint_file(wildcards):
    """Return the user's own checkpoint file, where there is one."""
    weights = MODELS[wildcards.model]["checkpoint"]
    return [] if weights in ("published", "random") else weights


def clips_read(wildcards):
    """Return the manifest of the clips that a model reads."""
    encoding = MODELS[wildcards.model]["encoding"]
    return f"results/{wildcards.dataset}/clips/{encoding}/{wildcards.shard}.tsv"

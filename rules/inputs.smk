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


def clips_of(dataset, encoding):
    """Return the clips' manifests of a dataset."""
    return expand(
        "results/{dataset}/clips/{encoding}/{shard}.tsv",
        dataset=dataset,
        encoding=encoding,
        shard=shards_of(dataset),
    )


def frames_of(dataset, encoding):
    """Return the frames' manifests of a dataset."""
    return expand(
        "results/{dataset}/frames/{encoding}/{shard}.tsv",
        dataset=dataset,
        encoding=encoding,
        shard=shards_of(dataset),
    )


def features_of(dataset, model):
    """Return the features' manifests of a dataset and model."""
    return expand(
        "results/{dataset}/features/{model}/{shard}.tsv",
        dataset=dataset,
        model=model,
        shard=shards_of(dataset),
    )


def lists_of(dataset):
    """Return the directories of a dataset's split lists."""
    return expand(
        "results/{dataset}/splits/{format}/{splits}",
        dataset=dataset,
        format=LISTS["formats"],
        splits=DATASETS[dataset]["splits"],
    )


def listed(wildcards):
    """Return the manifests of what the lists name: frames, or else clips."""
    encoding = LISTS["encoding"]
    of = frames_of if encoding in DUMPED else clips_of
    return of(wildcards.dataset, encoding)


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


def every_clip(wildcards):
    """Return the clips' manifests of all datasets."""
    return [m for d in DATASETS for encoding in NEEDED for m in clips_of(d, encoding)]


def every_frame(wildcards):
    """Return the frames' manifests of all datasets."""
    return [m for d in DATASETS for encoding in DUMPED for m in frames_of(d, encoding)]


def every_list(wildcards):
    """Return the directories of all split lists."""
    return [folder for dataset in DATASETS for folder in lists_of(dataset)]


def every_feature(wildcards):
    """Return the features' files of all datasets and models."""
    return expand(
        "results/{dataset}/features/{model}.h5", dataset=DATASETS, model=MODELS
    )


def all_clips(wildcards):
    """Return the clips' manifests of all encodings that something reads."""
    return [m for encoding in NEEDED for m in clips_of(wildcards.dataset, encoding)]


def all_frames(wildcards):
    """Return the frames' manifests of all dumped encodings."""
    return [m for encoding in DUMPED for m in frames_of(wildcards.dataset, encoding)]


def all_features(wildcards):
    """Return the features' files of all models."""
    return [f"results/{wildcards.dataset}/features/{model}.h5" for model in MODELS]

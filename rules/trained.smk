"""What trainings are about: videos, first weights, options and devices."""


def trainings_of(dataset):
    """Return the files of every network that learns from a dataset."""
    return [
        f"results/{dataset}/trainings/{name}/model.pt"
        for name, entry in TRAININGS.items()
        if dataset in (entry["datasets"] or DATASETS)
    ]


def training_splits(wildcards):
    """Return the name of the set of splits that a training reads."""
    named = TRAININGS[wildcards.training]["splits"]
    return named or next(iter(DATASETS[wildcards.dataset]["splits"]))


def splits_learnt(wildcards):
    """Return the files of the set of splits that a training reads."""
    return split_lists(DATASETS[wildcards.dataset], training_splits(wildcards))


def clips_learnt(wildcards):
    """Return the manifests of the clips that a training reads."""
    encoding = TRAININGS[wildcards.training]["encoding"]
    return manifests_of(wildcards.dataset, "clips", encoding)


def training_checkpoint_file(wildcards):
    """Return the file with which a training begins, where it is the user's own."""
    return own_file(TRAININGS[wildcards.training])


def training_checkpoint_options(wildcards):
    """Return which weights a training begins with."""
    entry = TRAININGS[wildcards.training]
    keys = ("model", "checkpoint")
    return options("fetch_checkpoint", **{key: entry[key] for key in keys})


def training_options(wildcards):
    """Return what a training depends on, besides the clips and its first weights."""
    entry = TRAININGS[wildcards.training]
    others = ("datasets", "splits", "devices")
    values = {key: value for key, value in entry.items() if key not in others}
    splits = set_of_splits(DATASETS[wildcards.dataset], training_splits(wildcards))
    values["encoding"] = {"name": entry["encoding"], **ENCODINGS[entry["encoding"]]}
    return options("train_model", splits=splits, **values)


def training_devices(wildcards):
    """Return the GPUs of a training."""
    return TRAININGS[wildcards.training]["devices"]


def training_clips(wildcards, input):
    """Return the folder of the clips that a training reads, as argument."""
    encoding = TRAININGS[wildcards.training]["encoding"]
    return f"results/{wildcards.dataset}/clips/{encoding}"


def learners(wildcards):
    """Return a training's threads: it is one job, which takes all cores.

    On a cluster as many for each GPU as other jobs have.
    """
    if workflow.remote_exec or not workflow.local_exec:
        return 8 * training_devices(wildcards)
    return min(32, workflow.resource_settings.cores or 1)

"""What a rule's result depends on, as JSON, and the resources that it asks for."""


def options(stage, **values):
    """Return a rule's params: all that its result depends on, as one JSON string.

    Snakemake compares params as an unnamed set; one string with sorted keys is the
    form in which it notices every change and nothing else.
    """
    return json.dumps({"version": VERSIONS[stage], **values}, sort_keys=True)


def retry_of(wildcards):
    """Return the reasons that a dataset's jobs try again, as JSON."""
    return json.dumps(DATASETS[wildcards.dataset]["retry"])


def index_options(wildcards):
    """Return what the index depends on; of a folder, when its folders changed."""
    dataset = DATASETS[wildcards.dataset]
    keys = ("shards", "labels", "annotations", "columns")
    values = {key: dataset[key] for key in keys}
    folder = dataset["source"].get("folder")
    state = folder_state(Path(folder)) if folder else None
    return options("build_index", folder=folder, state=state, **values)


def encoding_options(wildcards):
    """Return what the clips of an encoding depend on."""
    return options("transcode_clips", **ENCODINGS[wildcards.encoding])


def dump_options(wildcards):
    """Return what dumped frames depend on."""
    return options("dump_frames", quality=CONFIG["frames"]["quality"])


def list_options(wildcards):
    """Return what the lists depend on."""
    return options(
        "write_splits",
        splits=DATASETS[wildcards.dataset]["splits"][wildcards.splits],
        separator=LISTS["separator"],
    )


def checkpoint_options(wildcards):
    """Return which weights a model takes."""
    entry = MODELS[wildcards.model]
    keys = ("model", "checkpoint")
    return options("fetch_checkpoint", **{key: entry[key] for key in keys})


def feature_options(wildcards):
    """Return what features depend on, besides the clips and the weights."""
    entry = MODELS[wildcards.model]
    speed = ("checkpoint", "batch_size")
    values = {key: value for key, value in entry.items() if key not in speed}
    # The file of features says how its clips were encoded.
    values["encoding"] = {"name": entry["encoding"], **ENCODINGS[entry["encoding"]]}
    return options("extract_features", **values)


def batch_size(wildcards, input):
    """Return the windows in a batch; by asking for `input` it is not tracked."""
    return MODELS[wildcards.model]["batch_size"]


def workers(wildcards):
    """Return a job's threads: a share of the cores, so that one shard can use many."""
    cores = workflow.cores or 1
    return min(16, max(4, cores // DATASETS[wildcards.dataset]["shards"]))


def scaled(**amount):
    """Return a resource that grows with each attempt: `scaled(minutes=60)`."""
    (value,) = amount.values()
    return lambda wildcards, attempt: value * attempt


def folders(stage, encodings):
    """Return a stage's folders; thousands of manifests overfill a command line."""
    return lambda wildcards: [
        f"results/{wildcards.dataset}/{stage}/{encoding}" for encoding in encodings
    ]

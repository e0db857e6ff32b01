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
    keys = ("shards", "labels", "images_fps", "subset", "expected")
    values = {key: dataset[key] for key in keys} | {"annotations": None}
    if dataset["annotations"]:
        form = {"format": dataset["annotations"]["format"]}
        keys = ("columns", "label_separator")
        values["annotations"] = form | {key: dataset[key] for key in keys}
    values["in_place"] = in_place(wildcards.dataset)
    folder = None if values["in_place"] else dataset["source"].get("folder")
    state = folder_state(Path(folder)) if folder else None
    return options("build_index", folder=folder, state=state, **values)


def file_options(wildcards):
    """Return what is known of a file to download."""
    return places(files_in(wildcards.originals)[wildcards.file])


def list_options(wildcards):
    """Return what is known of a list of archives to download."""
    return places(ARCHIVE_LISTS[wildcards.originals, wildcards.file])


def places(file):
    """Return the options of a download."""
    facts = {"bytes": file.bytes, "sha256": file.sha256}
    return options("download_file", urls=file.places, **facts)


def video_options(wildcards):
    """Return what downloaded videos depend on: what the encodings make of them."""
    return options(
        "download_videos",
        short_side=CONFIG["download"]["short_side"],
        audio=any(ENCODINGS[name]["audio"] for name in NEEDED),
    )


def download_settings(wildcards, input):
    """Return how to download, as JSON; by asking for `input` it is not tracked."""
    settings = dict(CONFIG["download"])
    del settings["short_side"]
    return json.dumps(settings)


def encoding_options(wildcards):
    """Return what the clips of an encoding depend on."""
    return options("transcode_clips", **ENCODINGS[wildcards.encoding])


def dump_options(wildcards):
    """Return what dumped frames depend on."""
    frames = dict(CONFIG["frames"])
    del frames["encodings"]
    return options("dump_frames", **frames)


def flow_options(wildcards):
    """Return what flow depends on, besides the clips and the weights."""
    entry = FLOW[wildcards.flow]
    keys = ("algorithm", "bound", "layout", "storage", "quality")
    parameters = dict(entry[parameters_of(entry["algorithm"])])
    parameters.pop("checkpoint", None)
    values = {key: entry[key] for key in keys}
    return options("compute_flow", parameters=parameters, **values)


def flow_checkpoint_options(wildcards):
    """Return which weights a network for flow takes."""
    entry = FLOW[wildcards.flow]
    values = {"model": entry["algorithm"], "checkpoint": entry["raft"]["checkpoint"]}
    return options("fetch_checkpoint", **values)


def flow_batch(wildcards, input):
    """Return the frames at a time; by asking for `input` it is not tracked."""
    return FLOW[wildcards.flow]["batch_size"]


def ticket_argument(wildcards, input):
    """Return the argument that names a ticket, where there is one."""
    return ["--ticket", input.ticket] if input.get("ticket") else []


def flow_gpus(wildcards):
    """Return 1 for a network and 0 for what runs on the processor."""
    return int("raft" in FLOW[wildcards.flow])


def split_options(wildcards):
    """Return what the split lists depend on."""
    splits = set_of_splits(DATASETS[wildcards.dataset], wildcards.splits)
    return options("write_splits", separator=LISTS["separator"], **splits)


def listed(stage):
    """Return the argument that names the folder of what the lists name, if it is there.

    By asking for `input` it is not tracked; the manifests themselves are.
    """

    def argument(wildcards, input):
        folder = f"results/{wildcards.dataset}/{stage}/{LISTS['encoding']}"
        return [f"--{stage}", folder] if input.get(stage) else []

    return argument


def checkpoint_options(wildcards):
    """Return which weights a model takes."""
    entry = MODELS[wildcards.model]
    keys = ("model", "checkpoint")
    return options("fetch_checkpoint", **{key: entry[key] for key in keys})


def feature_options(wildcards):
    """Return what features depend on, besides the clips and the weights."""
    return options("extract_features", **features_asked(wildcards.model))


def features_asked(model):
    """Return what an entry of the config asks of a model and of its clips."""
    entry = MODELS[model]
    others = ("checkpoint", "batch_size", "compile", "fused", "layout")
    values = {key: value for key, value in entry.items() if key not in others}
    # The file of features says how its clips were encoded.
    values["encoding"] = {"name": entry["encoding"], **ENCODINGS[entry["encoding"]]}
    return values


def together(wildcards, input):
    """Return the models fused with a job's, as JSON; by asking for `input` untracked.

    A result depends on its own options alone, whichever job has made it.
    """
    own = MODELS[wildcards.model]
    same = ("fused", "encoding", "decoder")
    folder = f"results/{wildcards.dataset}/features"
    fused = [
        {
            "options": {
                "version": VERSIONS["extract_features"],
                **features_asked(name),
            },
            "ticket": f"resources/checkpoints/{name}.json",
            "manifest": f"{folder}/{name}/{wildcards.shard}.tsv",
            "batch_size": entry["batch_size"],
            "compile": entry["compile"],
        }
        for name, entry in MODELS.items()
        if name != wildcards.model and all(entry[key] == own[key] for key in same)
    ]
    return ["--together", json.dumps(fused)] if own["fused"] and fused else []


def aggregate_options(wildcards):
    """Return what a dataset's file of features depends on, besides those of shards."""
    return options("aggregate_features", layout=MODELS[wildcards.model]["layout"])


def originals_folder(wildcards, input):
    """Return the folder of a dataset's originals."""
    return DATASETS[wildcards.dataset]["originals"]


def paths_of(key):
    """Return some inputs; a dry run asks for them before lists of archives are here."""
    return lambda wildcards, input: input.get(key) or []


def names_of(key):
    """Return the names of manifests; thousands of paths overfill a command line."""

    def names(wildcards, input):
        folder = f"results/{originals_folder(wildcards, input)}/originals"
        paths = paths_of(key)(wildcards, input)
        manifests = [Path(path).relative_to(folder) for path in paths]
        return [str(manifest.with_suffix("")) for manifest in manifests]

    return names


def speed_of(wildcards, input):
    """Return arguments that change no result; by asking for `input` not tracked."""
    entry = MODELS[wildcards.model]
    compiled = ["--compile"] * entry["compile"]
    return ["--batch-size", str(entry["batch_size"]), *compiled]


def workers(wildcards):
    """Return a job's threads: a share of the cores, so that one shard can use many.

    On a cluster there is no telling which node a job will get, and both sides must come
    to the same number; `--set-threads transcode_clips=16` changes it.
    """
    if workflow.remote_exec or not workflow.local_exec:
        return 8
    cores = workflow.resource_settings.cores or 1
    return min(16, max(4, cores // DATASETS[wildcards.dataset]["shards"]))


def scaled(**amount):
    """Return a resource that grows with each attempt: `scaled(minutes=60)`."""
    (value,) = amount.values()
    return lambda wildcards, attempt: value * attempt


def videos_folder(wildcards):
    """Return the folder of downloaded videos, where there are any."""
    dataset = wildcards.dataset
    return [f"results/{dataset}/videos"] if in_place(dataset) else []


def folders(stage, encodings):
    """Return a stage's folders; thousands of manifests overfill a command line."""
    return lambda wildcards: [
        f"results/{wildcards.dataset}/{stage}/{encoding}" for encoding in encodings
    ]

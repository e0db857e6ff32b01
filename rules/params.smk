"""What a rule's result depends on, as JSON: nothing else may decide about it."""


def options(stage, **values):
    """Return a rule's params: all that its result depends on, as one JSON string.

    Snakemake compares params as an unnamed set; one string with sorted keys is the
    form in which it notices every change and nothing else.
    """
    return json.dumps({"version": VERSIONS[stage], **values}, sort_keys=True)


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
    return places(by_name(wildcards.originals, originals.of_files)[wildcards.file])


def list_options(wildcards):
    """Return what is known of a list of archives to download."""
    return places(ARCHIVE_LISTS[wildcards.originals, wildcards.file])


def places(file):
    """Return the options of a download."""
    facts = {"bytes": file.bytes, "sha256": file.sha256}
    return options("download_file", urls=file.places, **facts)


@same_for_shards
def video_options(wildcards):
    """Return what downloaded videos depend on: what the encodings make of them."""
    return options(
        "download_videos",
        short_side=CONFIG["download"]["short_side"],
        audio=any(ENCODINGS[name]["audio"] for name in NEEDED),
    )


def asked_again(wildcards):
    """Return how often a shard's videos were to be asked for again; 0 at first."""
    path = Path(f"results/{wildcards.dataset}/videos/{wildcards.shard}.again")
    return int(path.read_text()) if path.exists() else 0


@same_for_shards
def encoding_options(wildcards):
    """Return what the clips of an encoding depend on."""
    return clip_options(wildcards.encoding)


def clip_options(encoding):
    """Return what clips depend on."""
    return options("transcode_clips", **ENCODINGS[encoding])


def clips_wanted(wildcards):
    """Return the argument that says which clips are made of a shard's downloads.

    Only where these are dropped: another encoding then needs them once more.
    """
    if DATASETS[wildcards.dataset]["keep_originals"]:
        return []
    folder = f"results/{wildcards.dataset}/clips"
    clips = {
        f"{folder}/{encoding}/{wildcards.shard}.tsv": json.loads(clip_options(encoding))
        for encoding in NEEDED
    }
    return ["--clips", json.dumps(clips, sort_keys=True)]


@same_for_shards
def dump_options(wildcards):
    """Return what dumped frames depend on."""
    frames = dict(CONFIG["frames"])
    del frames["encodings"]
    return options("dump_frames", **frames)


@same_for_shards
def flow_options(wildcards):
    """Return what flow depends on, besides the clips and the weights."""
    entry = FLOW[wildcards.flow]
    stored = {key: entry[key] for key in ("layout", "storage", "quality")}
    return options("compute_flow", **flow_made(entry), **stored)


def flow_made(entry):
    """Return what makes flow, whether it is written to files or not."""
    parameters = dict(entry[parameters_of(entry["algorithm"])])
    parameters.pop("checkpoint", None)
    values = {key: entry[key] for key in ("algorithm", "bound")}
    return values | {"parameters": parameters}


def flow_checkpoint_options(wildcards):
    """Return which weights a network for flow takes."""
    entry = FLOW[wildcards.flow]
    values = {"model": entry["algorithm"], "checkpoint": entry["raft"]["checkpoint"]}
    return options("fetch_checkpoint", **values)


def split_options(wildcards):
    """Return what the split lists depend on."""
    splits = set_of_splits(DATASETS[wildcards.dataset], wildcards.splits)
    return options("write_splits", separator=LISTS["separator"], **splits)


def checkpoint_options(wildcards):
    """Return which weights a model takes."""
    entry = MODELS[wildcards.model]
    keys = ("model", "checkpoint")
    return options("fetch_checkpoint", **{key: entry[key] for key in keys})


@same_for_shards
def feature_options(wildcards):
    """Return what features depend on, besides the clips and the weights."""
    return options("extract_features", **features_asked(MODELS[wildcards.model]))


def features_asked(entry):
    """Return what an entry of the config asks of a model and of its clips."""
    others = ("checkpoint", "batch_size", "compile", "fused", "layout")
    others += ("flow", "any_flow")
    values = {key: value for key, value in entry.items() if key not in others}
    # The file of features says how its clips were encoded.
    values["encoding"] = {"name": entry["encoding"], **ENCODINGS[entry["encoding"]]}
    if entry["flow"]:
        flow = FLOW[entry["flow"]]
        values["flow"] = flow_made(flow) | {
            "name": entry["flow"],
            "dump": flow["dump"],
            "any": entry["any_flow"],
        }
    return values


def aggregate_options(wildcards):
    """Return what a dataset's file of features depends on, besides those of shards."""
    return options("aggregate_features", layout=MODELS[wildcards.model]["layout"])

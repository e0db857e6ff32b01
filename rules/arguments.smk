"""What else a job is told, and its resources: they change no result.

What a function returns that asks for `input` is not tracked by Snakemake.
"""


def retry_of(wildcards):
    """Return the reasons that a dataset's jobs try again, as JSON."""
    return json.dumps(DATASETS[wildcards.dataset]["retry"])


def download_settings(wildcards, input):
    """Return how to download, as JSON; by asking for `input` it is not tracked."""
    settings = dict(CONFIG["download"])
    del settings["short_side"]
    return json.dumps(settings)


def downloads_spent(wildcards, input):
    """Return the argument by which downloads go; by asking for `input` not tracked."""
    return clips_wanted(wildcards)


def flow_batch(wildcards, input):
    """Return the frames at a time; by asking for `input` it is not tracked."""
    return FLOW[wildcards.flow]["batch_size"]


def ticket_argument(wildcards, input):
    """Return the argument that names a ticket, where there is one."""
    return ["--ticket", input.ticket] if input.get("ticket") else []


def flow_gpus(wildcards):
    """Return 1 for a network and 0 for what runs on the processor."""
    return int("raft" in FLOW[wildcards.flow])


def listed(stage):
    """Return the argument that names the folder of what the lists name, if it is there.

    By asking for `input` it is not tracked; the manifests themselves are.
    """

    def argument(wildcards, input):
        folder = f"results/{wildcards.dataset}/{stage}/{LISTS['encoding']}"
        return [f"--{stage}", folder] if input.get(stage) else []

    return argument


def together(wildcards, input):
    """Return the models fused with a job's, as JSON; by asking for `input` untracked.

    A result depends on its own options alone, whichever job has made it.
    """
    own = MODELS[wildcards.model]
    same = ("fused", "encoding", "decoder", "flow")
    folder = f"results/{wildcards.dataset}/features"
    fused = [
        {
            "options": {
                "version": VERSIONS["extract_features"],
                **features_asked(entry),
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
    entry = model_entry(wildcards)
    flow = FLOW.get(entry["flow"])
    speed = ["--batch-size", str(entry["batch_size"])]
    speed += ["--compile"] * entry["compile"]
    speed += ["--flow-batch-size", str(flow["batch_size"])] if flow else []
    return speed + (["--flow-ticket", input.flow_ticket] if input.flow_ticket else [])


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


def memory(megabytes, a_thread):
    """Return memory that grows with a job's threads and with each attempt."""
    return lambda wildcards, threads, attempt: attempt * (
        megabytes + a_thread * threads
    )


def minutes(seconds, attempt):
    """Return a job's time limit: half an hour for the start, and its work."""
    return attempt * (30 + ceil(seconds / 60))


@cache
def loads_in(index, changed):
    """Return the load of each shard of an index that was last changed then."""
    return workload.indexed(index)


def load_of(wildcards, input):
    """Return how much a shard's table holds: a manifest says it, else the index."""
    index = Path(f"results/{wildcards.dataset}/index/shards.tsv")
    said = workload.noted(Path(input[0]))
    return said or loads_in(index, index.stat().st_mtime_ns)[wildcards.shard]


def frames_in(wildcards, input, encoding):
    """Return how many frames the clips of a shard have in an encoding."""
    seconds = load_of(wildcards, input).seconds
    return seconds * workload.frame_rate(ENCODINGS[encoding])


def transcode_minutes(wildcards, input, threads, attempt):
    """Return the time limit of a shard's encoding."""
    seconds = workload.transcode_seconds(load_of(wildcards, input))
    return minutes(seconds / threads, attempt)


def dump_minutes(wildcards, input, threads, attempt):
    """Return the time limit of a shard's frames."""
    encoding = wildcards.encoding
    frames = frames_in(wildcards, input, encoding)
    seconds = workload.dump_seconds(frames, ENCODINGS[encoding]["short_side"])
    return minutes(seconds / threads, attempt)


def flow_minutes(wildcards, input, threads, attempt):
    """Return the time limit of a shard's flow."""
    entry = FLOW[wildcards.flow]
    method, encoding = parameters_of(entry["algorithm"]), entry["encoding"]
    frames = frames_in(wildcards, input, encoding)
    side = ENCODINGS[encoding]["short_side"]
    seconds = workload.flow_seconds(frames, side, method)
    return minutes(seconds if flow_gpus(wildcards) else seconds / threads, attempt)


def feature_minutes(wildcards, input, attempt):
    """Return the time limit of a shard's features; `stack` may be a word or nothing."""
    entry = MODELS[wildcards.model]
    stack, step = entry["stack"], entry["step"]
    overlap = stack / step if isinstance(stack, int) and step else 1
    frames = frames_in(wildcards, input, entry["encoding"])
    seconds = workload.feature_seconds(frames, overlap)
    if entry["flow"] and entry["flow"] not in DUMPED_FLOW:
        side = ENCODINGS[entry["encoding"]]["short_side"]
        method = parameters_of(FLOW[entry["flow"]]["algorithm"])
        seconds += workload.flow_seconds(frames, side, method)
    return minutes(seconds, attempt)


def videos_folder(wildcards):
    """Return the folder of downloaded videos, where there are any."""
    dataset = wildcards.dataset
    return [f"results/{dataset}/videos"] if in_place(dataset) else []


def folders(stage, encodings):
    """Return a stage's folders; thousands of manifests overfill a command line."""
    return lambda wildcards: [
        f"results/{wildcards.dataset}/{stage}/{encoding}" for encoding in encodings
    ]


def indexes_at_hand(wildcards):
    """Return the indexes that are there, or for which no archive has to come first."""
    return [
        f"results/{name}/index/shards.tsv"
        for name, dataset in DATASETS.items()
        if not originals.archive_entries(dataset)
        or Path(f"results/{name}/index/shards.tsv").exists()
    ]


def estimate_options(wildcards, input):
    """Return what decides about the size of the build."""
    datasets = {
        name: {
            "source": (
                "annotations" if in_place(name) else next(iter(dataset["source"]))
            ),
            "shards": dataset["shards"],
            "keep_originals": dataset["keep_originals"],
            "expected": dataset["expected"].get("videos"),
        }
        for name, dataset in DATASETS.items()
    }
    return json.dumps(
        {
            "datasets": datasets,
            "encodings": {name: ENCODINGS[name] for name in NEEDED},
            "frames": CONFIG["frames"],
            "flow": FLOW,
            "models": {name: features_asked(entry) for name, entry in MODELS.items()},
        }
    )

"""What a job asks of the machine: threads, memory, GPUs and time."""


def flow_gpus(wildcards):
    """Return 1 for a network and 0 for what runs on the processor."""
    return int("raft" in FLOW[wildcards.flow])


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


def loads_of(dataset):
    """Return the load of each shard of a dataset; none before there is an index."""
    index = Path(f"results/{dataset}/index/shards.tsv")
    return loads_in(index, index.stat().st_mtime_ns) if index.exists() else {}


def by_videos(a_video, **amount):
    """Return a resource that grows with a dataset's videos and with each attempt.

    For instance `by_videos(minutes=30, a_video=0.1)`.
    """
    (least,) = amount.values()
    return lambda wildcards, attempt: attempt * ceil(
        least + a_video * videos_in(wildcards.dataset)
    )


def videos_in(dataset):
    """Return how many videos a dataset has; 0 before there is an index."""
    return sum(load.videos for load in loads_of(dataset).values())


def load_of(wildcards, table):
    """Return how much a shard's table holds: a manifest says it, else the index."""
    said = workload.noted(Path(table))
    return said or loads_of(wildcards.dataset)[wildcards.shard]


def frames_in(load, encoding):
    """Return how many frames the clips of a load have in an encoding."""
    return load.seconds * workload.frame_rate(ENCODINGS[encoding])


def transcode_minutes(wildcards, input, threads, attempt):
    """Return the time limit of a shard's encoding."""
    seconds = workload.transcode_seconds(load_of(wildcards, input[0]))
    return minutes(seconds / threads, attempt)


def dump_minutes(wildcards, input, threads, attempt):
    """Return the time limit of a shard's frames."""
    encoding = wildcards.encoding
    frames = frames_in(load_of(wildcards, input[0]), encoding)
    seconds = workload.dump_seconds(frames, ENCODINGS[encoding]["short_side"])
    return minutes(seconds / threads, attempt)


def flow_minutes(wildcards, input, threads, attempt):
    """Return the time limit of a shard's flow."""
    seconds = flow_seconds(wildcards.flow, load_of(wildcards, input.clips))
    return minutes(seconds if flow_gpus(wildcards) else seconds / threads, attempt)


def flow_seconds(name, load):
    """Return what a flow takes of one core, or of the GPU that a network has."""
    entry = FLOW[name]
    frames = frames_in(load, entry["encoding"])
    side = ENCODINGS[entry["encoding"]]["short_side"]
    return workload.flow_seconds(frames, side, parameters_of(entry["algorithm"]))


def feature_minutes(wildcards, input, attempt):
    """Return the time limit of a shard's features."""
    load = load_of(wildcards, input.videos)
    return minutes(window_seconds(model_entry(wildcards), load), attempt)


def window_seconds(entry, load):
    """Return what all windows take; `stack` may be a word or nothing."""
    stack, step = entry["stack"], entry["step"]
    overlap = stack / step if isinstance(stack, int) and step else 1
    seconds = workload.feature_seconds(frames_in(load, entry["encoding"]), overlap)
    made = entry["flow"] and entry["flow"] not in DUMPED_FLOW
    return seconds + (flow_seconds(entry["flow"], load) if made else 0)


def score_minutes(wildcards, input, attempt):
    """Return the time limit of a shard's scores; a list may name fewer videos."""
    entry, views = model_entry(wildcards), judging(wildcards)["views"]
    load = load_of(wildcards, input.read)
    card = models.card(entry["model"])
    published = protocol(card)
    crops = views["crops"] or published.crops
    if views["sampling"] == "windows":
        return minutes(crops * window_seconds(entry, load), attempt)
    clips = views["clips"] or published.clips
    frames = entry["stack"] if isinstance(entry["stack"], int) else card.frames
    seen = workload.feature_seconds(load.videos * clips * crops * frames, overlap=1)
    # Whatever the views, each video is read once from end to end.
    return minutes(seen + window_seconds(entry | {"step": None}, load), attempt)


def train_minutes(wildcards, attempt):
    """Return a training's time limit, a day at most: it goes on where it was."""
    entry = TRAININGS[wildcards.training]
    frames = entry["frames"] or models.card(entry["model"]).frames
    seen = videos_in(wildcards.dataset) * entry["epochs"] * frames
    seconds = workload.train_seconds(seen) / entry["devices"]
    return min(minutes(seconds, attempt), 24 * 60 * attempt)

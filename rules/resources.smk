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

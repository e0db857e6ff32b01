"""Which files a job reads: functions of its wildcards."""


def shards_of(dataset):
    """Return the names of a dataset's shards, once its index is built."""
    index = checkpoints.build_index.get(dataset=dataset)
    return read_shards(Path(index.output.shards))


def shard_table(wildcards):
    """Return a shard table; the checkpoint writes it where it changed."""
    checkpoints.build_index.get(dataset=wildcards.dataset)
    return f"results/{wildcards.dataset}/index/shards/{wildcards.shard}.tsv"


def sources_of(wildcards):
    """Return the table of a shard's sources: what was downloaded, or what is there."""
    if in_place(wildcards.dataset):
        return f"results/{wildcards.dataset}/videos/{wildcards.shard}.tsv"
    return shard_table(wildcards)


def manifests_of(dataset, stage, variant):
    """Return a stage's manifests, such as those of the `clips` of an encoding."""
    folder = f"results/{dataset}/{stage}/{variant}"
    return [f"{folder}/{shard}.tsv" for shard in shards_of(dataset)]


def clips_of(dataset):
    """Return the clips' manifests in every encoding that something reads."""
    return [m for e in NEEDED for m in manifests_of(dataset, "clips", e)]


def frames_of(dataset):
    """Return the frames' manifests of every dumped encoding."""
    return [m for e in DUMPED for m in manifests_of(dataset, "frames", e)]


def flow_of(dataset):
    """Return the manifests of every flow."""
    return [m for name in FLOW for m in manifests_of(dataset, "flow", name)]


def features_of(dataset):
    """Return the files of features of every model."""
    return [f"results/{dataset}/features/{model}.h5" for model in MODELS]


def mapped_of(dataset):
    """Return the tables that map a dataset's events, if it has any, to features."""
    index = checkpoints.build_index.get(dataset=dataset)
    with open(index.output.events, encoding="utf-8", errors="replace") as events:
        has_events = len(list(islice(events, 2))) > 1
    files = [f"results/{dataset}/features/{model}.events.json" for model in MODELS]
    return files if has_events else []


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


def clips_listed(wildcards):
    """Return the manifests of the clips that the lists name."""
    return manifests_of(wildcards.dataset, "clips", LISTS["encoding"])


def frames_listed(wildcards):
    """Return the manifests of the frames that the lists name, where they are dumped."""
    encoding = LISTS["encoding"]
    named = listed_frames(CONFIG)
    return manifests_of(wildcards.dataset, "frames", encoding) * named


def split_files(wildcards):
    """Return the files of a set of splits; none where the annotations decide."""
    return split_lists(DATASETS[wildcards.dataset], wildcards.splits)


def checkpoint_file(wildcards):
    """Return the user's own checkpoint file, where there is one."""
    return own_file(MODELS[wildcards.model])


def flow_checkpoint_file(wildcards):
    """Return the user's own weights of RAFT, where there are some."""
    return own_file(FLOW[wildcards.flow]["raft"])


def own_file(entry):
    """Return the file that `checkpoint` names, where it names one."""
    weights = entry["checkpoint"]
    return [] if weights in ("published", "random", "imagenet") else weights


def clips_read(wildcards):
    """Return the manifest of the clips that a model or a flow reads."""
    flow = getattr(wildcards, "flow", None)
    entry = FLOW[flow] if flow else MODELS[wildcards.model]
    clips = f"results/{wildcards.dataset}/clips/{entry['encoding']}"
    return f"{clips}/{wildcards.shard}.tsv"


def flow_ticket(wildcards):
    """Return the ticket of the weights that a flow needs, if it is a network's."""
    network = "raft" in FLOW[wildcards.flow]
    return f"resources/checkpoints/flow/{wildcards.flow}.json" if network else []

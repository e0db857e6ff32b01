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
    """Return the manifests of every dumped flow."""
    return [m for name in DUMPED_FLOW for m in manifests_of(dataset, "flow", name)]


def features_of(dataset):
    """Return the files of features of every model, and of those put side by side."""
    return [f"results/{dataset}/features/{name}.h5" for name in (*MODELS, *STREAMS)]


def streams_joined(suffix):
    """Return a function that gives the models' files that are put side by side."""
    return lambda wildcards: [
        f"results/{wildcards.dataset}/features/{model}{suffix}"
        for model in STREAMS[wildcards.streams]
    ]


def mapped_of(dataset):
    """Return the tables that map a dataset's events, if it has any, to features."""
    index = checkpoints.build_index.get(dataset=dataset)
    with open(index.output.events, encoding="utf-8", errors="replace") as events:
        has_events = len(list(islice(events, 2))) > 1
    names = (*MODELS, *STREAMS)
    files = [f"results/{dataset}/features/{name}.events.json" for name in names]
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
    return [] if weights in preflight.NO_FILES else weights


def clips_read(wildcards):
    """Return the manifest of the clips that a flow reads."""
    encoding = FLOW[wildcards.flow]["encoding"]
    return f"results/{wildcards.dataset}/clips/{encoding}/{wildcards.shard}.tsv"


def videos_read(wildcards):
    """Return the manifest that a model reads: of clips, dumped frames or dumped flow."""
    entry = model_entry(wildcards)
    stage, variant = entry["read"], entry["encoding"]
    if entry["flow"] in DUMPED_FLOW:
        stage, variant = "flow", entry["flow"]
    return f"results/{wildcards.dataset}/{stage}/{variant}/{wildcards.shard}.tsv"


@same_for_shards
def flow_ticket(wildcards):
    """Return the ticket of the weights that a flow needs, if it is a network's."""
    return ticket_of_flow(wildcards.flow)


@same_for_shards
def flow_ticket_read(wildcards):
    """Return the ticket of the weights that made the flow that a model takes."""
    return ticket_of_flow(model_entry(wildcards)["flow"])


def ticket_of_flow(name):
    """Return the ticket of a flow's weights, if it is a network's."""
    network = "raft" in FLOW.get(name, ())
    return f"resources/checkpoints/flow/{name}.json" if network else []

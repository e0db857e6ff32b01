"""Which files a job reads: functions of its wildcards."""


def list_reader(folder):
    """Return a function that gives the lines of a list, once it is downloaded."""

    def lines(file):
        place = (
            file.local
            or checkpoints.download_list.get(originals=folder, file=file.name).output[0]
        )
        return Path(place).read_text().splitlines()

    return lines


@cache
def originals_in(folder):
    """Return what is unpacked below a folder, by name: datasets may share it."""
    return {
        original.name: original
        for dataset in DATASETS.values()
        if dataset["originals"] == folder
        for original in originals.of_dataset(dataset, list_reader(folder))
    }


@cache
def files_in(folder):
    """Return what is downloaded to a folder, by name."""
    return {
        file.name: file
        for dataset in DATASETS.values()
        if dataset["originals"] == folder
        for file in originals.of_files(dataset, list_reader(folder))
    }


def archive_parts(wildcards):
    """Return the files of an archive, downloaded where they are not here."""
    original = originals_in(wildcards.originals)[wildcards.archive]
    return [path_of(wildcards.originals, file) for file in original.files]


def path_of(folder, file):
    """Return where a file is, or will be once it is downloaded."""
    return file.local or f"results/{folder}/downloads/{file.name}"


def unpacked(folder, entries):
    """Return the manifests of archives."""
    return [f"results/{folder}/originals/{entry.name}.tsv" for entry in entries]


def in_place(dataset):
    """Tell whether a dataset's videos are where its annotations say."""
    return DATASETS[dataset]["source"] == "annotations"


def videos_of(dataset):
    """Return the manifests of videos that are downloaded one by one."""
    shards = shards_of(dataset) if in_place(dataset) else []
    return [f"results/{dataset}/videos/{shard}.tsv" for shard in shards]


def originals_of(dataset):
    """Return the manifests of all that a dataset's videos come in."""
    if in_place(dataset):
        return videos_of(dataset)
    folder = DATASETS[dataset]["originals"]
    entries = originals.archive_entries(DATASETS[dataset])
    return unpacked(folder, originals.archives(entries, list_reader(folder)))


def index_inputs(wildcards):
    """Return what the index is read from: unpacked archives and annotations."""
    dataset = DATASETS[wildcards.dataset]
    folder = dataset["originals"]
    files = originals.files((dataset["annotations"] or {"files": []})["files"])
    held = [file for file in files if file.is_archive]
    return {
        "unpacked": (
            [] if in_place(wildcards.dataset) else originals_of(wildcards.dataset)
        ),
        "annotations": [path_of(folder, f) for f in files if f not in held],
        "unpacked_annotations": unpacked(folder, held),
    }


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

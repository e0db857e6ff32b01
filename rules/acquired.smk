"""Which originals jobs read: archives, files and single videos."""


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
def by_name(folder, of):
    """Return by name what the datasets that share a folder come in.

    of: `originals.of_dataset` for what is unpacked, `originals.of_files` for files.
    """
    return {
        item.name: item
        for dataset in DATASETS.values()
        if dataset["originals"] == folder
        for item in of(dataset, list_reader(folder))
    }


def archive_parts(wildcards):
    """Return the files of an archive, downloaded where they are not here."""
    original = by_name(wildcards.originals, originals.of_dataset)[wildcards.archive]
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

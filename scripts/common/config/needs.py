"""What follows from a checked configuration: which parts of it something needs."""

from scripts.common.config.schema import load_schema, with_defaults

# Heights in which sites offer videos.
OFFERED = (144, 240, 360, 480, 720, 1080, 1440, 2160)


def needed_encodings(config: dict) -> list[str]:
    """Return the encodings of a checked configuration that something reads, sorted."""
    sections = ("models", "flow", "trainings")
    entries = [entry for name in sections for entry in config[name].values()]
    read = {entry["encoding"] for entry in entries}
    dumped = config["frames"]["encodings"]
    return sorted({config["lists"]["encoding"], *dumped, *read})


def trained_model(config: dict, training: str, dataset: str) -> dict:
    """Return an entry like those of `models`, of a network that is trained here.

    Args:
        config: a checked configuration.
        training: its name.
        dataset: from which it learns.
    """
    entry = config["trainings"][training]
    sections = load_schema()["properties"]["models"]["additionalProperties"]
    own = {key: entry[key] for key in ("model", "encoding")}
    path = f"results/{dataset}/trainings/{training}/model.pt"
    return with_defaults(own | {"checkpoint": path}, sections)


def parameters_of(algorithm: str) -> str:
    """Return the key that holds the parameters of an algorithm for flow.

    >>> parameters_of("raft_small")
    'raft'
    """
    return algorithm.partition("_")[0]


def listed_frames(config: dict) -> bool:
    """Tell whether split lists can name frames: folders of the lists' encoding."""
    frames = config["frames"]
    in_folders = frames["layout"] == "folders"
    return in_folders and config["lists"]["encoding"] in frames["encodings"]


def offered(short_sides: list[int | None]) -> int | None:
    """Return the smallest size on offer that serves all; None for the largest one.

    >>> offered([224, 256])
    360
    """
    if None in short_sides:
        return None
    return next((size for size in OFFERED if size >= max(short_sides)), None)


def set_of_splits(dataset: dict, name: str) -> dict:
    """Return what `write_splits` has to know of a set of splits.

    Args:
        dataset: of a checked configuration.
        name: of the set.

    Returns:
        `set`, the name, and `splits`: "annotations", files by list, or a mapping with
        `base` (again one of these), `base_set`, `validation` and `unused`.
    """
    splits = dataset["splits"][name]
    if isinstance(splits, str):
        return {"set": name, "splits": splits}
    if "base" not in splits:
        lists = {key: splits[key] for key in ("train", "val", "test") if key in splits}
        return {"set": name, "splits": lists}
    base = set_of_splits(dataset, splits["base"])
    change = {key: splits.get(key) for key in ("validation", "unused")}
    return {
        "set": name,
        "splits": {"base": base["splits"], "base_set": base["set"], **change},
    }


def split_lists(dataset: dict, name: str) -> list[str]:
    """Return the files that a set of splits is read from."""
    splits = set_of_splits(dataset, name)["splits"]
    while "base" in splits:
        splits = splits["base"]
    return [] if isinstance(splits, str) else list(splits.values())

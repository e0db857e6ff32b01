"""Mistakes in `datasets` of the config that no schema can tell."""

from collections import Counter
from collections.abc import Iterable, Iterator

from scripts.common import originals
from scripts.common.config.schema import unless_known
from scripts.common.tables import REASONS


def mistakes_in_datasets(datasets: dict) -> Iterator[str]:
    """Yield a line for each mistake in sources, annotations and sets of splits."""
    for name, dataset in datasets.items():
        place = f"datasets.{name}"
        for reason in dataset["retry"]:
            yield from unless_known(f"{place}.retry", reason, list(REASONS), "a reason")
        yield from _mistakes_in_source(place, dataset)
        yield from _mistakes_in_splits(f"{place}.splits", dataset["splits"])
    yield from _different_originals(datasets)


def _mistakes_in_source(place: str, dataset: dict) -> Iterator[str]:
    annotations = dataset["annotations"]
    if dataset["source"] == "annotations":
        if not annotations:
            yield f"{place}: with `source: annotations` there must be `annotations`"
        return
    if not dataset["keep_originals"]:
        yield (
            f"{place}.keep_originals: only what is downloaded video by video can be"
            " dropped (`source: annotations`); archives may be deleted by hand once"
            " they are unpacked"
        )
    archives = originals.archives(originals.archive_entries(dataset))
    for twin in _twins(archive.name for archive in archives):
        yield (
            f"{place}.source.archives: two files are named '{twin}'; give groups,"
            " such as `{train: [..], val: [..]}`"
        )
    if (
        annotations
        and annotations["format"] == "table"
        and len(annotations["files"]) > 1
    ):
        yield f"{place}.annotations.files: a table is one file; name its `format`"


def _twins(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _mistakes_in_splits(place: str, splits: dict) -> Iterator[str]:
    for name, entry in splits.items():
        if isinstance(entry, str):
            continue
        if "base" not in entry:
            if not {"train", "val", "test"} & set(entry):
                yield f"{place}.{name}: give 'train', 'val' or 'test', or 'base'"
            elif entry.keys() & {"validation"}:
                yield f"{place}.{name}: 'validation' needs 'base', the set it changes"
            continue
        seen, base = {name}, entry["base"]
        while base in splits and base not in seen:
            seen.add(base)
            base = splits[base].get("base") if isinstance(splits[base], dict) else None
        if base in seen:
            yield f"{place}.{name}.base: '{base}' comes back to itself"
        elif base is not None:
            yield from unless_known(
                f"{place}.{name}.base", base, list(splits), "a set of splits"
            )


def _different_originals(datasets: dict) -> Iterator[str]:
    """Yield names under which datasets that share their originals mean two files."""
    known: dict[tuple[str, str], tuple[str, object]] = {}
    for name, dataset in datasets.items():
        for original in originals.of_dataset(dataset):
            place = (dataset["originals"], original.name)
            owner, other = known.setdefault(place, (name, original))
            if owner != name and other != original:
                yield (
                    f"datasets.{name}.originals: '{owner}' keeps another"
                    f" '{original.name}' in '{place[0]}'"
                )

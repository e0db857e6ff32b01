"""Which videos are in which list of a set of splits."""

import hashlib
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from scripts.common.index import DEFAULT_SET, Entry
from scripts.common.lists.base import ListError

# What annotations call the videos that a set of splits leaves out.
UNUSED = "unused"

Members = dict[str, list[str]]


def members_of(
    definition: str | Mapping, name: str, entries: Mapping[str, Entry]
) -> Members:
    """Return the ids of each list of a set of splits, sorted.

    Args:
        definition: "annotations", files by list, or a mapping with `base` (another
            definition), `base_set` (its name), `validation` and `unused`.
        name: of the set.
        entries: the index, by id.

    Raises:
        ListError: the definition does not fit the dataset.
    """
    if definition == "annotations":
        members = from_annotations(name, entries)
    elif "base" in definition:
        members = changed(definition, entries)
    else:
        paths = {split: Path(path) for split, path in definition.items()}
        members = from_files(paths, entries)
    return {split: sorted(members[split]) for split in sorted(members)}


def from_annotations(name: str, entries: Mapping[str, Entry]) -> Members:
    """Return the lists of a set that the annotations have; `unused` is none.

    Where they have only one, it may go by any name. Without any, all videos are in
    the list `all`.

    Raises:
        ListError: they have other sets than this.
    """
    sets = {each for entry in entries.values() for each in entry.splits}
    if not sets:
        return {"all": list(entries)}
    if name not in sets and sets != {DEFAULT_SET}:
        raise ListError(
            f"the annotations have no set of splits '{name}'; they have"
            f" {', '.join(sorted(sets))}"
        )
    wanted = name if name in sets else DEFAULT_SET
    members: Members = {}
    for video_id, entry in entries.items():
        split = entry.splits.get(wanted, UNUSED)
        if split != UNUSED:
            members.setdefault(split, []).append(video_id)
    return members


def from_files(paths: Mapping[str, Path], entries: Mapping[str, Entry]) -> Members:
    """Return the ids of each list by its file: one id or path a line.

    Raises:
        ListError: a line names no video of the dataset, or one that is listed already.
    """
    members: Members = {}
    taken: dict[str, str] = {}
    for split, path in paths.items():
        members[split] = []
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        for number, line in enumerate(text.split("\n"), start=1):
            name = line.strip().removeprefix("./")
            if not name:
                continue
            if name not in entries:
                raise ListError(f"{path}, line {number}: no video is named '{name}'")
            if name in taken:
                raise ListError(
                    f"{path}, line {number}: '{name}' is in '{taken[name]}' already"
                )
            taken[name] = split
            members[split].append(name)
    return members


def changed(definition: Mapping, entries: Mapping[str, Entry]) -> Members:
    """Return the lists of another set with a validation list, or with unused videos.

    Raises:
        ListError: there is nothing to take the validation list from, or it is there.
    """
    members = members_of(definition["base"], definition["base_set"], entries)
    validation, unused = definition["validation"], definition["unused"]
    left_out = set(entries).difference(*members.values())
    if validation:
        source = "train" if validation["source"] == "train" else "test"
        if source not in members or "val" in members:
            there = ", ".join(sorted(members))
            raise ListError(
                f"a validation list is made where there is a list '{source}' and no"
                f" 'val'; the set '{definition['base_set']}' has {there}"
            )
        labels = {video_id: entries[video_id].labels for video_id in members[source]}
        val = carve(labels, validation["part"], validation["seed"])
        members["val"] = sorted(val)
        # R2Plus1D-C3D leaves its validation videos in the test list, too.
        if source == "train":
            members["train"] = [name for name in members["train"] if name not in val]
    if unused:
        members[unused] = members.get(unused, []) + sorted(left_out)
    if not validation or validation["source"] == "train":
        check_disjoint(members)
    return members


def carve(labels: Mapping[str, tuple[str, ...]], part: float, seed: int) -> set[str]:
    """Choose a part of each class.

    A hash of seed and id decides about a video, and nothing that is said of others but
    how many they are: a video more or less moves at most one of its class.

    Args:
        labels: of each video, by id; the first is its class.
        part: 0 to 1. Of n videos part * n are chosen, halves rounded up, but never all.
        seed: another one chooses others.
    """
    by_class: dict[tuple[str, ...], list[str]] = {}
    for video_id, names in labels.items():
        by_class.setdefault(names[:1], []).append(video_id)
    chosen: set[str] = set()
    for video_ids in by_class.values():
        size = min(rounded(part, len(video_ids)), len(video_ids) - 1)
        chosen.update(sorted(video_ids, key=lambda name: _draw(seed, name))[:size])
    return chosen


def rounded(part: float, count: int) -> int:
    """Return part * count as a decimal product, halves rounded up.

    >>> rounded(0.29, 50)
    15
    """
    return int((Decimal(str(part)) * count).to_integral_value(ROUND_HALF_UP))


def _draw(seed: int, video_id: str) -> bytes:
    data = f"{seed} {video_id}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=16).digest()


def check_disjoint(members: Mapping[str, Iterable[str]]) -> None:
    """Check that no video is in two lists.

    Raises:
        ListError: one is.
    """
    taken: dict[str, str] = {}
    for split, video_ids in members.items():
        for video_id in video_ids:
            if video_id in taken:
                raise ListError(
                    f"'{video_id}' is in the lists '{taken[video_id]}' and '{split}'"
                )
            taken[video_id] = split

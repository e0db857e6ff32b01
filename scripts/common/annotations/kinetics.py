"""Kinetics-400, 600, 700 and 700-2020: the CSV and JSON files of all who host them."""

import functools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    DEFAULT_SET,
    Annotated,
    AnnotationError,
    Annotations,
    Files,
)
from scripts.common.annotations.classes import refuse_unknown

# The words for a list, in columns, keys and names of files.
SPLITS = {
    "train": "train",
    "val": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
}
# A clip in several lists belongs to the last of them here.
HELD_OUT_MORE = ("train", "val", "test")
# Shared by all clips of a list, which may be half a million.
_SETS = {split: {DEFAULT_SET: split} for split in HELD_OUT_MORE}
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


class Clip(NamedTuple):
    """One row of a file: the download, its segment in seconds, labels and list."""

    path: Path
    row: int | str
    youtube_id: str
    start: float
    end: float
    labels: tuple[str, ...]
    split: str

    @property
    def name(self) -> str:
        """The name of its file, without suffix, wherever it is hosted."""
        return f"{self.youtube_id}_{int(self.start):06d}_{int(self.end):06d}"

    @property
    def place(self) -> str:
        """Where it stands, for errors."""
        row = f"line {self.row}" if isinstance(self.row, int) else f"'{self.row}'"
        return f"{self.path}, {row}"


def read_kinetics(files: Files) -> Annotations:
    """Return Kinetics, from all CSV files, and JSON files that have no CSV of a name.

    A clip's id and name is `<youtube id>_<start>_<end>` with six digits for each time.
    Its list is said by a column or key, or by the name of the file. A clip that stands
    several times is one video: it has all the labels, and of its lists test wins over
    val and val over train, so that nothing held out is trained on.

    Classes are those of the training list, sorted; without it, of all.

    Raises:
        AnnotationError: a file is missing or has another syntax, or a label is no
            class of the training list.
    """
    names = [
        name
        for name in files.names
        if name.endswith(".csv")
        or (name.endswith(".json") and f"{name[:-5]}.csv" not in files)
    ]
    clips: dict[str, Clip] = {}
    trained: set[str] = set()
    for path in map(files.one, names or ["train.csv"]):
        for clip in csv_clips(path) if path.suffix == ".csv" else json_clips(path):
            if clip.split == "train":
                trained.update(clip.labels)
            name = clip.name
            known = clips.get(name)
            clips[name] = clip if known is None else merged(known, clip)
    for clip in clips.values():
        if trained and not trained.issuperset(clip.labels):
            for label in clip.labels:
                refuse_unknown(label, trained, clip.place)
    return Annotations(
        [annotated(name, clip) for name, clip in clips.items()],
        tuple(sorted(trained)) or None,
    )


def annotated(name: str, clip: Clip) -> Annotated:
    """Return a clip as a video."""
    return Annotated(
        id=name,
        name=name,
        url=f"https://www.youtube.com/watch?v={clip.youtube_id}",
        start=clip.start,
        end=clip.end,
        is_cut=True,
        labels=clip.labels,
        splits=_SETS[clip.split],
    )


def merged(first: Clip, second: Clip) -> Clip:
    """Return one clip for two rows that mean the same file."""
    held_out = max(first, second, key=lambda clip: HELD_OUT_MORE.index(clip.split))
    labels = tuple(dict.fromkeys(first.labels + second.labels))
    return held_out._replace(labels=labels)


def csv_clips(path: Path) -> Iterator[Clip]:
    """Yield the clips of a CSV file with a header.

    Its columns are youtube_id, time_start and time_end; label and split may be absent.

    Raises:
        AnnotationError: a row has another syntax.
    """
    by_name = split_by_name(path)
    table = reading.columns(
        path, ("youtube_id", "time_start", "time_end"), ("label", "split")
    )
    for line, (youtube_id, start, end, label, split) in table:
        yield checked(path, line, youtube_id, start, end, label, split or by_name)


def json_clips(path: Path) -> Iterator[Clip]:
    """Yield the clips of a JSON file.

    It maps YouTube ids to `{"annotations": {"label": …, "segment": [s, e]}, "subset":
    …}`; label and subset may be absent.

    Raises:
        AnnotationError: an entry has another syntax.
    """
    by_name = split_by_name(path)
    for key, value in reading.mapping(reading.read_json(path), str(path)).items():
        place = f"{path}, '{key}'"
        annotations = reading.mapping(
            reading.entry(value, "annotations", place), f"{place}: annotations"
        )
        start, end = reading.interval(
            reading.entry(annotations, "segment", place), f"{place}: segment"
        )
        label = str(annotations.get("label") or "")
        split = str(value.get("subset") or by_name)
        yield checked(path, key, key, start, end, label, split)


@functools.cache
def labels_of(text: str) -> tuple[str, ...]:
    """Return the label that a file says, or none."""
    return (reading.tidy(text),) if text.strip() else ()


def split_by_name(path: Path) -> str:
    """Return the list that a file is named after, or nothing."""
    named = [split for word, split in SPLITS.items() if word in path.stem.lower()]
    return named[0] if len(set(named)) == 1 else ""


def checked(
    path: Path,
    row: int | str,
    youtube_id: str,
    start: str | float,
    end: str | float,
    label: str,
    split: str,
) -> Clip:
    """Return a clip of what a file says.

    Args:
        path, row: the file, and its line or key.
        youtube_id, start, end, label, split: as it has them.

    Raises:
        AnnotationError: one of them cannot be.
    """
    part = SPLITS.get(split.strip(), "")
    labels = labels_of(label)
    try:
        times = float(start), float(end)
    except ValueError:
        times = math.nan, math.nan
    clip = Clip(path, row, youtube_id.strip(), *times, labels, part)
    if not _YOUTUBE_ID.fullmatch(clip.youtube_id):
        raise AnnotationError(f"{clip.place}: '{clip.youtube_id}' is no YouTube id")
    if not 0 <= clip.start < clip.end < math.inf:
        raise AnnotationError(
            f"{clip.place}: from '{start}' to '{end}' is no segment in seconds"
        )
    if not part:
        said = f"'{split}' is no list" if split else "neither row nor file says a list"
        raise AnnotationError(f"{clip.place}: {said}: one of {', '.join(SPLITS)}")
    if not labels and part != "test":
        raise AnnotationError(f"{clip.place}: only clips of test may have no label")
    return clip

"""What a list format is given: the dataset, and the videos of each list."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scripts.common import tables
from scripts.common.index import Entry
from scripts.common.tables import Row


class ListError(ValueError):
    """The lists cannot be written; the message says where and what to do."""


@dataclass(frozen=True)
class Results:
    """What a stage made of a dataset in one encoding.

    Attributes:
        manifests: of all shards; they are read when the first row is asked for.
    """

    manifests: tuple[Path, ...]

    @property
    def root(self) -> Path:
        """The encoding's folder, in which the manifests are."""
        return self.manifests[0].parent

    @cached_property
    def _rows(self) -> dict[str, Row]:
        return {row.id: row for row in tables.read_all(self.manifests)}

    @cached_property
    def _place(self) -> Path:
        """The folder without links on the way: `..` leads out of what they lead to."""
        return self.root.resolve()

    def row(self, video_id: str) -> Row:
        """Return a video's row.

        Raises:
            ListError: the manifests have none.
        """
        if video_id not in self._rows:
            raise ListError(
                f"the manifests in {self.root} have no row of '{video_id}'; give those"
                " of all shards, made from this index"
            )
        return self._rows[video_id]

    def path(self, row: Row) -> str:
        """Return a row's path relative to `root`.

        A source that an encoding leaves where it is keeps its absolute path.
        """
        inside = row.path.removeprefix(f"{self.root}/")
        if inside != row.path or Path(row.path).is_absolute():
            return inside
        return os.path.relpath(row.path, self._place)


@dataclass(frozen=True)
class Dataset:
    """All that lists are made from.

    Attributes:
        entries: the index by id, sorted, with events.
        classes: class names in the order of their numbers.
        clips, frames: what was made; None where nothing was asked for.
    """

    entries: Mapping[str, Entry]
    classes: list[str]
    clips: Results | None = None
    frames: Results | None = None

    def results(self, reads: str) -> Results:
        """Return what a format names: `clips`, `frames`, or `either` (frames first).

        Raises:
            ListError: there is no such thing.
        """
        found = {
            "clips": self.clips,
            "frames": self.frames,
            "either": self.frames or self.clips,
        }[reads]
        if found is None:
            raise ListError(
                f"this format names {reads}, and there are none; name the lists'"
                f" encoding under `frames: encodings`, or choose another format"
            )
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A video with a result, as a list names it.

    Attributes:
        id: the video.
        path: of the result, relative to the folder of the encoding.
        frames: how many it has.
        labels: class names.
        numbers: their numbers, from 0.
    """

    id: str
    path: str
    frames: int
    labels: tuple[str, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Lists:
    """One set of splits, ready to be written.

    Attributes:
        dataset: what they are made from.
        members: ids by split, sorted.
        videos: those that the format can name, by split, sorted by id.
        root: the folder to which their paths are relative.
        separator: between the fields of a line.
    """

    dataset: Dataset
    members: Mapping[str, list[str]]
    videos: Mapping[str, list[Listed]]
    root: Path
    separator: str

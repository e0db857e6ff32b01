"""Where a stage puts the pictures of its videos, and how they survive a kill.

In folders each video is moved to its place when it is whole. In one file a shard, each
video is first a part of its own, and the parts are merged when the shard is done: a
kill loses the video in hand, and a finished one is not done again.
"""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Protocol

from scripts.common import containers, files
from scripts.common.containers import folders, hdf5, tar
from scripts.common.containers.base import Moment
from scripts.common.ids import slug
from scripts.common.runner import Job, product_stands
from scripts.common.tables import Row

_FORMATS = {"tar": tar, "hdf5": hdf5}


class Products(Protocol):
    """The pictures that a job makes."""

    def add(self, row: Row, about: dict, moments: Iterable[Moment]) -> Row:
        """Keep a video's pictures and return its row, with `path` and `bytes`.

        What iterating over the moments raises comes through, and nothing is kept.
        """

    def stand(self, row: Row) -> bool:
        """Tell whether the pictures of a finished row are there."""

    def finish(self, rows: list[Row]) -> None:
        """Bring what is stored to the rows of the manifest."""


def products(job: Job, layout: str) -> Products:
    """Return what a job's pictures go to: one file for `tar` and `hdf5`, or folders."""
    return OneFile(job, layout) if layout in _FORMATS else Folders(job)


class Folders:
    """A folder for each video."""

    def __init__(self, job: Job):
        self.folder = job.folder

    def add(self, row: Row, about: dict, moments: Iterable[Moment]) -> Row:
        target = self.folder / slug(row.id)
        with files.atomic(target) as temporary:
            size = folders.write_video(temporary, about, moments)
        return replace(row, path=str(target), bytes=size)

    def stand(self, row: Row) -> bool:
        return product_stands(row)

    def finish(self, rows: list[Row]) -> None:
        """Drop what the shard had in another layout."""
        for form in _FORMATS.values():
            file_of(self.folder, form).unlink(missing_ok=True)


class OneFile:
    """One file for the shard, and the parts that wait to be merged into it."""

    def __init__(self, job: Job, layout: str):
        """Nothing is read yet: another job may still hold the shard."""
        self.form = _FORMATS[layout]
        self.folder = job.folder
        self.path = file_of(job.folder, self.form)

    def part(self, row: Row) -> Path:
        """Return where a video's own file is kept until the shard is done."""
        return self.folder / f"{slug(row.id)}-{row.key}{self.form.SUFFIX}"

    @cached_property
    def _keys(self) -> dict[str, str]:
        """The key of each video that the file holds."""
        if not self.path.exists():
            return {}
        with containers.opened(self.path) as shard:
            return {name: shard.about(name)["key"] for name in shard.ids()}

    def add(self, row: Row, about: dict, moments: Iterable[Moment]) -> Row:
        with files.atomic(self.part(row)) as temporary:
            self.form.write_video(temporary, row.id, about, moments)
            size = temporary.stat().st_size
        return replace(row, path=str(self.path), bytes=size)

    def stand(self, row: Row) -> bool:
        return self._keys.get(row.id) == row.key or self.part(row).exists()

    def finish(self, rows: list[Row]) -> None:
        """Merge the parts of the rows that are ok, and drop what is left of others."""
        done = [row for row in rows if row.ok]
        if not self.path.exists() or {row.id: row.key for row in done} != self._keys:

            def place(row: Row) -> Path:
                part = self.part(row)
                return part if part.exists() else self.path

            with files.atomic(self.path) as temporary:
                self.form.merge(
                    temporary,
                    (
                        (path, [row.id for row in group])
                        for path, group in groupby(done, place)
                    ),
                )
        shutil.rmtree(self.folder, ignore_errors=True)
        for form in _FORMATS.values():
            if form is not self.form:
                file_of(self.folder, form).unlink(missing_ok=True)


def file_of(folder: Path, form) -> Path:
    """Return the path of a shard's one file of a format, beside its folder."""
    return folder.with_name(folder.name + form.SUFFIX)

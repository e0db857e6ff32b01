"""Where a shard's clips are kept: a file each, or all in one tar.

A clip is the same in both, and so is its key: when the layout changes, clips are moved
and not made again. In a tar they survive a kill as `products.OneFile` says.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from scripts.common import files, members
from scripts.common.containers import tar
from scripts.common.containers.products import OneFile, file_of
from scripts.common.ids import slug
from scripts.common.journal import Journal
from scripts.common.runner import Job, product_stands
from scripts.common.tables import Row

# What is told of a clip inside its tar, from its row.
TOLD = ("id", "key", "fps", "frames", "width", "height", "duration")


class InFolder:
    """Clips as <folder>/<slug>.mp4."""

    def __init__(self, job: Job):
        self.folder = job.folder

    def holds(self, row: Row) -> bool:
        """Tell whether a row names a clip that is kept so, be it there or not."""
        return Path(row.path).parent.absolute() == self.folder.absolute()

    def place(self, row: Row) -> Path | None:
        """Return where the clip of a finished row is; None: it is not there."""
        return Path(row.path) if self.holds(row) and product_stands(row) else None

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Yield the folder in which a clip is made."""
        yield self.folder

    def add(self, row: Row) -> Row:
        """Keep the clip that a row names; return the row with the path that it gets."""
        target = self.folder / f"{slug(row.id)}.mp4"
        if not self.holds(row):
            with (
                files.atomic(target) as temporary,
                temporary.open("wb") as copy,
                members.opened(Path(row.path)) as clip,
            ):
                shutil.copyfileobj(clip, copy)
        return replace(row, path=str(target))

    def finish(self, rows: list[Row]) -> None:
        """Drop what the shard had in a tar."""
        parts = self.folder.glob(f"*{tar.SUFFIX}")
        for path in (file_of(self.folder, tar), *parts):
            path.unlink(missing_ok=True)


class InTar(OneFile):
    """Clips in one tar beside the folder; there are their parts until it is written."""

    def __init__(self, job: Job):
        super().__init__(job, "tar")

    def holds(self, row: Row) -> bool:
        """Tell whether a row names a clip that is kept so, be it there or not."""
        return Path(row.path).parent.absolute() == self.path.absolute()

    def place(self, row: Row) -> Path | None:
        """Return where the clip of a finished row is; None: it is not there."""
        if not (self.holds(row) and self.stand(row)):
            return None
        part = self.part(row)
        return (part if part.exists() else self.path) / tar.clip_name(row.id)

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Yield a folder in which a clip is made: not that of the results (TMPDIR)."""
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)

    def add(self, row: Row) -> Row:
        """Keep the clip that a row names; return the row with the path that it gets."""
        about = {"layout": "clips", "format": "mp4"}
        about |= {name: getattr(row, name) for name in TOLD}
        with files.atomic(self.part(row)) as temporary:
            tar.write_clip(temporary, row.id, about, Path(row.path))
        return replace(row, path=str(self.path / tar.clip_name(row.id)))

    def finish(self, rows: list[Row]) -> None:
        """Merge the parts, and drop what the shard had in files."""
        super().finish([row for row in rows if row.ok and self.holds(row)])


FORMS = {"folders": InFolder, "tar": InTar}


class Clips:
    """The clips of a job, with those that an earlier one kept in the other layout."""

    def __init__(self, job: Job, layout: str):
        """Nothing is read yet: another job may still hold the shard."""
        self.kept = FORMS[layout](job)
        (self._other,) = (form(job) for name, form in FORMS.items() if name != layout)
        self._journal = job.manifest.with_suffix(".journal")

    def stand(self, row: Row) -> bool:
        """Tell whether the clip of a finished row is there, where it belongs."""
        if self.kept.holds(row) or self._other.holds(row):
            return self.kept.place(row) is not None
        # The source itself, left where it is.
        return product_stands(row)

    def moved(self, row: Row) -> Row | None:
        """Bring a clip over from the other layout; None: it is not there either.

        row: the video, with the key that its clip bears.
        """
        made = self._before.get(row.id)
        if made is None or made.key != row.key:
            return None
        place = self._other.place(made)
        return self.kept.add(replace(made, path=str(place))) if place else None

    @cached_property
    def _before(self) -> dict[str, Row]:
        return Journal(self._journal).rows

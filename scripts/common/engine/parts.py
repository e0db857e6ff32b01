"""A video's arrays in parts: a long one's features may be larger than the memory."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from scripts.common import files
from scripts.common.ids import slug
from scripts.common.tables import Failure, Row

# A video's arrays by feature name, each (windows, …), with `timestamps` (windows, 2)
# and, where a feature has steps in time, `step_timestamps` (windows, steps, 2). What
# goes over whole videos has one window; its features in time are (steps, …).
Arrays = dict[str, np.ndarray]
TIMES, STEP_TIMES = "timestamps", "step_timestamps"


@dataclass(frozen=True)
class Part:
    """Some rows of a video's arrays; those of an array come in order.

    Attributes:
        arrays: the rows by name; an array may begin in a later part.
        rows: how many rows arrays have once they are whole; the last part knows all.
        is_last: the video is whole with this part.
    """

    arrays: Arrays
    rows: Mapping[str, int]
    is_last: bool


def whole(arrays: Arrays) -> Part:
    """Return all of a video's arrays as its one part."""
    return Part(arrays, {name: len(array) for name, array in arrays.items()}, True)


def joined(
    results: Iterable[tuple[str, Row, Part | Failure]],
) -> Iterator[tuple[str, Row, Arrays | Failure]]:
    """Yield whole videos, by model and video, from parts; for arrays that are small."""
    begun: dict[tuple[str, str], list[Arrays]] = {}
    for name, row, result in results:
        parts = begun.setdefault((name, row.id), [])
        if isinstance(result, Part):
            parts.append(result.arrays)
            if not result.is_last:
                continue
            result = {
                array: np.concatenate([part[array] for part in parts if array in part])
                for array in result.rows
            }
        del begun[name, row.id]
        yield name, row, result


class VideoWriter:
    """Writes one video's arrays into a group of its own, as they come.

    An array has its full size from the first part on, so that it lies in one piece.

    Attributes:
        group: of the video.
    """

    def __init__(self, parent: h5py.Group, video_id: str, key: str):
        """Make the video's group in the parent."""
        self.group = parent.create_group(slug(video_id))
        # HDF5 takes no text that is not Unicode; the name of the group is exact.
        readable = video_id.encode("utf-8", "replace").decode()
        self.group.attrs.update(id=readable, key=key)
        self._filled = Counter()

    def add(self, part: Part) -> None:
        """Write the next part."""
        for name, array in part.arrays.items():
            if name not in self.group:
                shape = part.rows[name], *array.shape[1:]
                self.group.create_dataset(name, shape, array.dtype)
            begin = self._filled[name]
            self._filled[name] += len(array)
            self.group[name][begin : self._filled[name]] = array


class PartFile:
    """A file of one video's arrays, which is not there until it is whole."""

    def __init__(self, path: Path, video_id: str, key: str):
        self._path, self._temporary = path, files.temporary_for(path)
        self._file = h5py.File(self._temporary, "w")
        self.add = VideoWriter(self._file, video_id, key).add

    def finish(self) -> int:
        """Move the file to its place; return its size in bytes."""
        self._file.close()
        size = self._temporary.stat().st_size
        self._temporary.replace(self._path)
        return size

    def discard(self) -> None:
        """Drop what is there of it."""
        self._file.close()
        self._temporary.unlink()

"""Pictures of videos, kept in folders or in one file for each shard.

    from scripts.common import containers

    with containers.opened("results/mine/flow/tvl1/00000.h5") as shard:  # .tar, folder
        shard.ids()                                 # ["run/a.mp4", …]
        shard.about("run/a.mp4")                    # what made it, as a dict
        containers.frames(shard, "run/a.mp4", range(8))   # uint8 (8, H, W, 3), RGB
        containers.flows(shard, "run/a.mp4", range(8))    # float32 (8, 2, H, W), pixels

Whatever the layout, the same calls give the same arrays, in several threads at a time
as well.
"""

import io
import tarfile
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from scripts.common.containers import folders, hdf5, tar
from scripts.common.containers.base import NotStored, Shard
from scripts.common.flow.quantisation import Quantisation
from scripts.common.tables import Row

__all__ = [
    "UNREADABLE",
    "NotStored",
    "Shard",
    "Shards",
    "flows",
    "frames",
    "levels",
    "of_row",
    "opened",
    "place_of",
]

# What opening and reading raise where pictures are gone or damaged.
UNREADABLE = (OSError, NotStored, IndexError, tarfile.TarError)
_SHARDS = {tar.SUFFIX: tar.TarShard, hdf5.SUFFIX: hdf5.Hdf5Shard}


def opened(path: str | Path) -> AbstractContextManager[Shard]:
    """Open a shard's pictures: its directory of folders, its tar or its HDF5 file.

    Raises:
        FileNotFoundError: there is nothing at the path.
    """
    path = Path(path)
    if path.is_dir():
        return folders.FolderShard(path)
    if path.suffix not in _SHARDS:
        raise FileNotFoundError(f"there are no pictures at {path}")
    return _SHARDS[path.suffix](path)


def of_row(row: Row) -> AbstractContextManager[Shard]:
    """Open the shard in which the pictures of a manifest's row are."""
    return opened(place_of(row))


def place_of(row: Row) -> Path:
    """Return where the shard is in which the pictures of a manifest's row are."""
    path = Path(row.path)
    return path.parent if path.is_dir() else path


class Shards(ExitStack):
    """The shards in which rows' pictures are, each opened once, for several threads."""

    def __init__(self):
        super().__init__()
        self._shards: dict[Path, Shard] = {}
        self._opening = Lock()

    def of(self, row: Row) -> Shard:
        """Return the shard of a row; it is closed with this object."""
        place = place_of(row)
        with self._opening:
            if place not in self._shards:
                self._shards[place] = self.enter_context(opened(place))
            return self._shards[place]


def frames(
    shard: Shard, video_id: str, numbers: Iterable[int] | None = None
) -> np.ndarray:
    """Return frames of a video by number, from 0: uint8 (N, H, W, 3), RGB.

    Args:
        shard: as `opened` gives it.
        video_id: of a video with frames.
        numbers: which; None is all of them.

    Raises:
        NotStored: there is no such video.
        IndexError: the video has no such frame.
    """
    if numbers is None:
        numbers = range(shard.count(video_id))
    return np.stack([_decoded(p) for p in shard.pictures(video_id, numbers)])


def flows(
    shard: Shard, video_id: str, numbers: Iterable[int] | None = None
) -> np.ndarray:
    """Return flows of a video by number: float32 (N, 2, H, W), x and y in pixels.

    Flow k leads from frame k to frame k + 1. Arguments and errors as of `frames`.
    """
    if numbers is None:
        numbers = range(shard.count(video_id))
    quantisation = Quantisation.from_dict(shard.about(video_id)["flow"])
    return quantisation.restore(levels(shard, video_id, list(numbers)))


def levels(shard: Shard, video_id: str, numbers: list[int]) -> np.ndarray:
    """Return flows as they are stored, (N, 2, H, W): uint8, or uint16 of `png16`.

    Arguments and errors as of `frames`.
    """
    streams = [shard.pictures(video_id, numbers, stream) for stream in "xy"]
    return np.stack([[_decoded(p) for p in stream] for stream in streams], axis=1)


def _decoded(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image)

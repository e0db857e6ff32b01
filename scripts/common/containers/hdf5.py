"""One HDF5 file for a shard, with the encoded pictures of each video.

/                      attributes: format
/<slug>                attributes: about (JSON: what is told of the video)
/<slug>/frames         (T,), each the bytes of one picture: cv2.imdecode(data, …)
/<slug>/flow_x, flow_y (T - 1,), the same for flow
"""

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import h5py
import numpy as np

from scripts.common.containers.base import Moment, NotStored, checked
from scripts.common.ids import slug, unslug

SUFFIX = ".h5"
FORMAT = "reelset pictures 1"
# Pictures that are written at a time.
TOGETHER = 64


def write_video(path: Path, video_id: str, about: dict, moments: Iterable[Moment]):
    """Write one video as a file of its own; the pictures are not kept in memory."""
    with h5py.File(path, "w") as file:
        file.attrs["format"] = FORMAT
        group = file.create_group(slug(video_id))
        group.attrs["about"] = json.dumps(about)
        waiting = iter(moments)
        while several := list(islice(waiting, TOGETHER)):
            for stream in several[0]:
                _append(group, _name(stream), [moment[stream] for moment in several])


def merge(target: Path, sources: Iterable[tuple[Path, list[str]]]) -> None:
    """Write one file with the videos of several, in the order given."""
    with h5py.File(target, "w") as merged:
        merged.attrs["format"] = FORMAT
        for path, video_ids in sources:
            with h5py.File(path) as source:
                for name in map(slug, video_ids):
                    source.copy(name, merged)


def _name(stream: str) -> str:
    return f"flow_{stream}" if stream else "frames"


def _append(group: h5py.Group, name: str, pictures: list[bytes]) -> None:
    if name not in group:
        kind = h5py.vlen_dtype(np.uint8)
        group.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(TOGETHER,))
    data = group[name]
    start = len(data)
    data.resize((start + len(pictures),))
    for number, picture in enumerate(pictures, start=start):
        data[number] = np.frombuffer(picture, np.uint8)


class Hdf5Shard:
    """A shard's HDF5 file, as `containers.base.Shard` says."""

    def __init__(self, path: Path):
        self.path = path
        self._file = h5py.File(path)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def ids(self) -> list[str]:
        return [unslug(name) for name in self._file]

    def about(self, video_id: str) -> dict:
        return json.loads(self._group(video_id).attrs["about"])

    def count(self, video_id: str) -> int:
        return len(next(iter(self._group(video_id).values()), ()))

    def pictures(
        self, video_id: str, numbers: Iterable[int], stream: str = ""
    ) -> list[bytes]:
        data = self._group(video_id)[_name(stream)]
        return [data[number].tobytes() for number in checked(numbers, len(data))]

    def _group(self, video_id: str) -> h5py.Group:
        if slug(video_id) not in self._file:
            raise NotStored(f"{self.path} has no video '{video_id}'")
        return self._file[slug(video_id)]

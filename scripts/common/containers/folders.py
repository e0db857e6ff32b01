"""A folder for each video, a file for each picture.

frames  <slug>/00001.jpg
tsn     <slug>/flow_x_00001.jpg, flow_y_00001.jpg     TSN, TSM, denseflow, mmaction2
ibm     <slug>/00001_x.jpg, 00001_y.jpg               IBM's action-recognition-pytorch

What is told of flow is in flow.json beside its pictures.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from scripts.common.containers.base import Moment, NotStored
from scripts.common.ids import slug, unslug

ABOUT = "flow.json"
NAMES = {
    "frames": "{number}.{suffix}",
    "tsn": "flow_{stream}_{number}.{suffix}",
    "ibm": "{number}_{stream}.{suffix}",
}


def write_video(folder: Path, about: dict, moments: Iterable[Moment]) -> int:
    """Write a video's pictures into a new folder; return their bytes.

    Args:
        folder: to make.
        about: what to tell of the video; its `layout` is a key of NAMES.
        moments: the pictures in order; they are not kept in memory.
    """
    folder.mkdir()
    size = 0
    for number, moment in enumerate(moments, start=1):
        for stream, picture in moment.items():
            size += (folder / _name(about, number, stream)).write_bytes(picture)
    if about["layout"] != "frames":
        (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
    return size


def _name(about: dict, number: int | str, stream: str) -> str:
    if isinstance(number, int):
        number = f"{number:05d}"
    pattern = NAMES[about["layout"]]
    return pattern.format(number=number, stream=stream, suffix=about["format"])


class FolderShard:
    """A shard's directory of folders, as `containers.base.Shard` says."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def ids(self) -> list[str]:
        return [unslug(path.name) for path in sorted(self.path.iterdir())]

    def about(self, video_id: str) -> dict:
        """Return what was told; of frames there is nothing but the layout."""
        path = self._folder(video_id) / ABOUT
        if path.exists():
            return json.loads(path.read_text())
        return {"layout": "frames", "format": "jpg"}

    def count(self, video_id: str) -> int:
        pattern = _name(self.about(video_id), "[0-9]*", "x")
        return sum(1 for _ in self._folder(video_id).glob(pattern))

    def pictures(
        self, video_id: str, numbers: Iterable[int], stream: str = ""
    ) -> list[bytes]:
        folder, about = self._folder(video_id), self.about(video_id)
        try:
            names = (_name(about, number + 1, stream) for number in numbers)
            return [(folder / name).read_bytes() for name in names]
        except FileNotFoundError as error:
            raise IndexError(f"there is no picture {error.filename}") from error

    def _folder(self, video_id: str) -> Path:
        folder = self.path / slug(video_id)
        if not folder.is_dir():
            raise NotStored(f"{self.path} has no video '{video_id}'")
        return folder

"""One tar for a shard, in which a video is a sample as WebDataset reads it.

A sample is the files that share a name up to its first dot: dots of a slug are written
`=2E`, which `unslug` reads back. The fields of a sample, in this order:

<key>.json            what is told of the video
<key>.00001.jpg       a frame; of flow: <key>.00001.x.jpg, <key>.00001.y.jpg
<key>.mp4             or its clip
"""

import io
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from scripts.common import members
from scripts.common.containers.base import Moment, NotStored, checked
from scripts.common.ids import slug, unslug

SUFFIX = members.SUFFIX


def write_video(path: Path, video_id: str, about: dict, moments: Iterable[Moment]):
    """Write one video as a tar of its own; the pictures are not kept in memory."""
    key, suffix = _key(video_id), about["format"]
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, f"{key}.json", json.dumps(about).encode())
        for number, moment in enumerate(moments, start=1):
            for stream, picture in moment.items():
                place = f"{number:05d}.{stream}" if stream else f"{number:05d}"
                _add(archive, f"{key}.{place}.{suffix}", picture)


def write_clip(path: Path, video_id: str, about: dict, clip: Path) -> None:
    """Write a video's clip as a tar of its own."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, f"{_key(video_id)}.json", json.dumps(about).encode())
        with members.opened(clip) as data:
            member = tarfile.TarInfo(clip_name(video_id))
            member.size = members.size(clip)
            archive.addfile(member, data)


def clip_name(video_id: str) -> str:
    """Return the name of a video's clip inside the tar."""
    return f"{_key(video_id)}.mp4"


def merge(target: Path, sources: Iterable[tuple[Path, list[str]]]) -> None:
    """Write one tar with the videos of several, in the order given."""
    sources = list(sources)
    times = Counter(path for path, _ in sources)
    with ExitStack() as opened, target.open("wb") as merged:
        # One that comes again is scanned once; of those that do not there are many.
        shards = {
            path: opened.enter_context(TarShard(path))
            for path, count in times.items()
            if count > 1
        }
        for path, video_ids in sources:
            known = shards.get(path)
            with nullcontext(known) if known else TarShard(path) as shard:
                for video_id in video_ids:
                    shard.copy(video_id, merged)
        # Two empty blocks end an archive.
        merged.write(bytes(2 * tarfile.BLOCKSIZE))


def _key(video_id: str) -> str:
    return slug(video_id).replace(".", "=2E")


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    # No times and no owners: the same pictures give the same file.
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


@dataclass
class _Sample:
    """Where a video is: its first and last byte, and its fields' offsets and sizes."""

    start: int
    stop: int = 0
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)
    count: int = 0


class TarShard:
    """A shard's tar, as `containers.base.Shard` says; opening it reads all headers."""

    def __init__(self, path: Path):
        self.path = path
        self._samples: dict[str, _Sample] = {}
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, _, name = member.name.partition(".")
                sample = self._samples.setdefault(key, _Sample(member.offset))
                sample.fields[name] = member.offset_data, member.size
                number = name.partition(".")[0]
                if number.isdigit():
                    sample.count = max(sample.count, int(number))
                blocks = -(-member.size // tarfile.BLOCKSIZE)
                sample.stop = member.offset_data + blocks * tarfile.BLOCKSIZE
        self._file = path.open("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def ids(self) -> list[str]:
        return sorted(map(unslug, self._samples), key=slug)

    def about(self, video_id: str) -> dict:
        return json.loads(self._read(self._sample(video_id), "json"))

    def count(self, video_id: str) -> int:
        return self._sample(video_id).count

    def pictures(
        self, video_id: str, numbers: Iterable[int], stream: str = ""
    ) -> list[bytes]:
        sample = self._sample(video_id)
        middle = f".{stream}" if stream else ""
        suffix = self.about(video_id)["format"]
        return [
            self._read(sample, f"{number + 1:05d}{middle}.{suffix}")
            for number in checked(numbers, sample.count)
        ]

    def copy(self, video_id: str, target: io.BufferedIOBase) -> None:
        """Append a video's members, headers and all, to another archive."""
        sample = self._sample(video_id)
        self._file.seek(sample.start)
        left = sample.stop - sample.start
        while left:
            data = self._file.read(min(left, shutil.COPY_BUFSIZE))
            target.write(data)
            left -= len(data)

    def _sample(self, video_id: str) -> _Sample:
        try:
            return self._samples[_key(video_id)]
        except KeyError:
            raise NotStored(f"{self.path} has no video '{video_id}'") from None

    def _read(self, sample: _Sample, name: str) -> bytes:
        offset, size = sample.fields[name]
        # Unlike seeking and reading, it is one step, whoever else reads.
        return os.pread(self._file.fileno(), size, offset)

"""How much there is to do: rough figures for schedulers, and for estimates.

Seconds are those of one slow core or one older GPU, several times what benchmarks/
measures on pictures of ffmpeg: a job that asks for too much waits a little longer, one
that asks for too little is started again. Nothing here decides about a result.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.common import tables
from scripts.common.tables import Row

# Where nobody knows: the length of the field's clips, and a small video's bit rate.
SECONDS_A_VIDEO = 10.0
BYTES_A_SECOND = 100_000
# For sides of which nobody speaks: 16:9.
ASPECT = 16 / 9

# Of a second of video and of a byte of it, which tells of its size in pixels.
TRANSCODE_SECOND, TRANSCODE_BYTE = 0.3, 0.3e-6
# Of a frame with a short side of 256.
DUMP_FRAME = 0.005
FEATURE_FRAME = 0.01
TRAIN_FRAME = 3 * FEATURE_FRAME
# Of a pixel.
FLOW_PIXEL = {"tvl1": 40e-6, "farneback": 2e-6, "raft": 0.5e-6}

_NOTE = re.compile(r"(\d+) videos, ([\d.]+) seconds, (\d+) bytes$")


@dataclass(frozen=True)
class Load:
    """Some videos.

    Attributes:
        videos: how many.
        seconds: their length together; of a segment, that of the segment.
        bytes: their size together.
        guessed: what nobody knew, `seconds` or `bytes`.
    """

    videos: int
    seconds: float
    bytes: int
    guessed: tuple[str, ...] = ()

    def __str__(self):
        return f"{self.videos} videos, {self.seconds:.1f} seconds, {self.bytes} bytes"


def load(videos: int, seconds: float | None = None, size: int | None = None) -> Load:
    """Return a load; what is None is guessed from the rest.

    >>> load(2, size=500_000)
    Load(videos=2, seconds=5.0, bytes=500000, guessed=('seconds',))
    """
    known = {"seconds": seconds, "bytes": size}
    if seconds is None:
        seconds = size / BYTES_A_SECOND if size else SECONDS_A_VIDEO * videos
    if size is None:
        size = round(seconds * BYTES_A_SECOND)
    guessed = tuple(name for name, value in known.items() if value is None)
    return Load(videos, seconds, size, guessed)


def known_totals(rows: Iterable[Row]) -> tuple[int, float | None, int | None]:
    """Return number, seconds and bytes of the rows that are there; None: not known."""
    there = [row for row in rows if row.ok]
    lengths = [_seconds(row) for row in there]
    sizes = [row.bytes for row in there]
    seconds = None if None in lengths else sum(lengths)
    return len(there), seconds, None if None in sizes else sum(sizes)


def _seconds(row: Row) -> float | None:
    if row.end is not None:
        return row.end - (row.start or 0.0)
    if row.duration is None and row.frames and row.fps:
        return row.frames / row.fps
    return row.duration


def noted(manifest: Path) -> Load | None:
    """Return the load that a manifest's first line tells; None: it tells of none."""
    with manifest.open(encoding="utf-8", errors="replace") as lines:
        found = _NOTE.search(lines.readline().rstrip("\n"))
    return Load(int(found[1]), float(found[2]), int(found[3])) if found else None


def indexed(shards: Path) -> dict[str, Load]:
    """Return the load of each shard by name, as index/shards.tsv knows it."""
    return {
        record["shard"]: load(
            int(record["rows"]),
            _number(record, "seconds", float),
            _number(record, "bytes", int),
        )
        for record in tables.records(shards)
    }


def _number(record: Mapping[str, str], column: str, kind: type):
    return kind(record[column]) if record.get(column) else None


def together(loads: Iterable[Load]) -> Load:
    """Return the sum of loads."""
    loads = list(loads)
    return Load(
        sum(part.videos for part in loads),
        sum(part.seconds for part in loads),
        sum(part.bytes for part in loads),
        tuple(sorted({name for part in loads for name in part.guessed})),
    )


def frame_rate(encoding: Mapping) -> float:
    """Return the frames per second of an encoding; 30 where it keeps the source's."""
    return encoding["fps"] or 30.0


def pixels(short_side: int | None) -> float:
    """Return the pixels of a frame; of 480 lines where the source's are kept."""
    return (short_side or 480) ** 2 * ASPECT


def transcode_seconds(amount: Load) -> float:
    """Return what encoding takes of one core."""
    return amount.seconds * TRANSCODE_SECOND + amount.bytes * TRANSCODE_BYTE


def dump_seconds(frames: float, short_side: int | None) -> float:
    """Return what dumping so many frames takes of one core."""
    return frames * DUMP_FRAME * pixels(short_side) / pixels(256)


def flow_seconds(frames: float, short_side: int | None, method: str) -> float:
    """Return what flow takes of one core, or of the GPU for the method `raft`."""
    return frames * FLOW_PIXEL[method] * pixels(short_side)


def feature_seconds(frames: float, overlap: float) -> float:
    """Return what extraction takes of a GPU, or of the threads in place of one.

    Args:
        frames: of the videos.
        overlap: how many windows see each frame, 1 where they follow each other.
    """
    return frames * FEATURE_FRAME * max(1.0, overlap)


def train_seconds(frames: float) -> float:
    """Return what learning takes of a GPU: the way back costs twice the way there.

    Args:
        frames: of all clips of all epochs.
    """
    return frames * TRAIN_FRAME

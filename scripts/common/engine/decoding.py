"""Videos to frames: in order, each decoded once, a few of them in memory."""

import math
import re
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor
from torchcodec.decoders import VideoDecoder

from scripts.common import media, members
from scripts.common.engine.windows import Sampling, Unsuited, needed_frames, windows
from scripts.common.tables import Failure, Row

# What is decoded at a time: enough to make up for the calls, little to hold, also as
# floats after the resize.
PIECE_FRAMES, PIECE_BYTES = 16, 16 * 2**20


class Frames:
    """The frames of a video at its own or at another rate, read from first to last.

    At another rate, frame n is the picture that stands at (n + 1/2) / fps seconds:
    what ffmpeg's `fps` filter gives.

    Attributes:
        count: number of frames.
        fps: frames per second.
        native: whether they are the video's own frames.
        bytes: of one frame.

    Raises:
        Failure: `not_video` or `empty`, also while reading: `corrupt`.
    """

    def __init__(self, path: Path, fps: float | None = None, device: str = "cpu"):
        source = media.as_input(path)
        try:
            source.encode()
        except UnicodeEncodeError:
            # torchcodec takes names in UTF-8 only, and open files of any name.
            source = members.opened(path)
            weakref.finalize(self, source.close)
        try:
            self._decoder = _decoder(source, device)
        except (RuntimeError, ValueError) as error:
            raise Failure("not_video", _cause(error)) from error
        about = self._decoder.metadata
        self._begin = about.begin_stream_seconds
        seconds = about.end_stream_seconds - self._begin
        own = about.average_fps_from_header or about.average_fps
        self.native = fps is None or math.isclose(own, fps)
        self.fps = own if fps is None else fps
        self.bytes = 3 * about.height * about.width
        self.count = len(self._decoder)
        if not self.native:
            self.count = math.floor(seconds * fps + 0.5)
        if self.count < 1:
            raise Failure("empty", "the file has no frame")

    def read(self, numbers: list[int]) -> Tensor:
        """Return frames by ascending numbers: uint8 (len(numbers), 3, H, W), RGB."""
        try:
            if self.native:
                return self._decoder.get_frames_at(numbers).data
            times = [self._begin + (n + 0.5) / self.fps - 1e-6 for n in numbers]
            return self._decoder.get_frames_played_at(times).data
        except (RuntimeError, ValueError, IndexError) as error:
            raise Failure("corrupt", _cause(error)) from error


@dataclass(frozen=True)
class Piece:
    """Some frames of a video, in order.

    Attributes:
        names: whose windows the frames are in.
        count, fps: of the whole video, at the rate at which it is read.
        numbers: of the frames, ascending.
        frames: uint8 (len(numbers), 3, H, W), RGB; of flow (x, y) with 2 in place of 3,
            where 0 and 1, or 0 and 255, are the ends of its bound: uint8, or float.
        seconds: that decoding took.
    """

    names: tuple[str, ...]
    count: int
    fps: float
    numbers: list[int]
    frames: Tensor
    seconds: float


# Yields all frames of a video that are in somebody's window, in order; windows come by
# the name of who wants them. Raises Failure where the video cannot be read.
Reader = Callable[[Row, Mapping[str, Sampling]], Iterator[Piece]]


def read_pieces(
    row: Row, samplings: Mapping[str, Sampling], device: str = "cpu"
) -> Iterator[Piece]:
    """Yield all frames that are in somebody's window, those of one rate in order.

    Args:
        row: the video.
        samplings: the windows, by the name of who wants them.
        device: `cpu`, or where frames are decoded with NVDEC.

    Raises:
        Failure: `not_video`, `empty`, `too_short` or `corrupt`.
    """
    for video, names in at_rates(Path(row.path), samplings, device):
        numbers = wanted(video.count, [samplings[name] for name in names])
        for some in in_pieces(numbers, video.bytes):
            for part in _read(video, some):
                yield Piece(names, video.count, video.fps, *part)


def at_rates(
    path: Path, samplings: Mapping[str, Sampling], device: str = "cpu"
) -> Iterator[tuple[Frames, tuple[str, ...]]]:
    """Yield a video at each rate at which somebody takes it, with their names."""
    rates: dict[float | None, tuple[Frames, list[str]]] = {}
    for name, sampling in samplings.items():
        video = Frames(path, sampling.fps, device)
        rate = None if video.native else video.fps
        rates.setdefault(rate, (video, []))[1].append(name)
    for video, names in rates.values():
        yield video, tuple(names)


def wanted(count: int, samplings: list[Sampling]) -> list[int]:
    """Return which of a video's frames are in somebody's window, ascending.

    Raises:
        Failure: `too_short`: it has no frame where one of them begins.
    """
    first = max(sampling.first for sampling in samplings)
    if count <= first:
        raise Failure("too_short", f"it has {count} frames, and none from {first} on")
    needed = [needed_frames(count, sampling) for sampling in samplings]
    return np.flatnonzero(np.logical_or.reduce(needed)).tolist()


def in_pieces(numbers: list[int], size: int) -> Iterator[list[int]]:
    """Yield frames' numbers, a few at a time; `size` is that of a frame in bytes."""
    most = max(1, min(PIECE_FRAMES, PIECE_BYTES // size))
    for first in range(0, len(numbers), most):
        yield numbers[first : first + most]


def refuse_other_rates(fps: float, samplings: Mapping[str, Sampling]) -> None:
    """See that pictures on the disk have the rate at which they are wanted.

    Raises:
        Unsuited: somebody wants another one.
    """
    for name, sampling in samplings.items():
        if sampling.fps is not None and not math.isclose(fps, sampling.fps):
            raise Unsuited(
                f"{name} takes {sampling.fps:g} frames/s, and what is dumped has"
                f" {fps:g}: give `fps: source`, or dump it at that rate"
            )


def _read(
    video: Frames, numbers: list[int]
) -> Iterator[tuple[list[int], Tensor, float]]:
    """Yield numbers, frames and seconds; before a broken frame, those that are whole.

    A window that ends before the break is there, whoever reads beyond it.
    """
    begin = time.perf_counter()
    try:
        frames = video.read(numbers)
    except Failure:
        half = len(numbers) // 2
        if not half:
            raise
        yield from _read(video, numbers[:half])
        yield from _read(video, numbers[half:])
    else:
        yield numbers, frames, time.perf_counter() - begin


@dataclass(frozen=True)
class Window:
    """One window of a video.

    Attributes:
        frames: uint8 (stack, 3, H, W), RGB.
        start, end: seconds from the beginning of the file.
    """

    frames: Tensor
    start: float
    end: float


def read_windows(path: Path, sampling: Sampling) -> Iterator[Window]:
    """Yield the windows of a video in order.

    Raises:
        Failure: `not_video`, `empty` or `corrupt`.
    """
    video = Frames(path, sampling.fps)
    kept: dict[int, Tensor] = {}
    for start, numbers, (begin, end) in windows(video.count, sampling, video.fps):
        kept = {n: frame for n, frame in kept.items() if n >= start}
        missing = sorted({number for number in numbers if number not in kept})
        if missing:
            kept |= zip(missing, video.read(missing), strict=True)
        yield Window(torch.stack([kept[number] for number in numbers]), begin, end)


def _decoder(source: str | BinaryIO, device: str) -> VideoDecoder:
    """Open a video; on the CPU where NVDEC, or the library's build, does not take it.

    Exact seeking scans the file first, so that frame numbers are right.
    """
    open_on = partial(VideoDecoder, source, seek_mode="exact", num_ffmpeg_threads=1)
    try:
        return open_on(device=device)
    except RuntimeError:
        if device == "cpu":
            raise
        return open_on(device="cpu")


def _cause(error: Exception) -> str:
    """Return what went wrong, without where in torchcodec's sources."""
    text = " ".join(str(error).split())
    return re.sub(r"^.*\.cpp:\d+, ", "", text) or type(error).__name__

"""Videos to windows of frames: each frame decoded once, one window in memory."""

import math
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchcodec.decoders import VideoDecoder

from scripts.common.tables import Failure
from scripts.common.windows import Sampling, window_frames, window_starts, window_times


@dataclass(frozen=True)
class Window:
    """One window of a video.

    Attributes:
        frames: uint8 (stack, 3, H, W), RGB.
        start, end: seconds from the beginning of the file.
        last: whether it is the video's last window.
    """

    frames: Tensor
    start: float
    end: float
    last: bool


class Frames:
    """The frames of a video at its own or at another rate, read from first to last.

    At another rate, frame n is the picture that stands at (n + 1/2) / fps seconds:
    what ffmpeg's `fps` filter gives.

    Attributes:
        count: number of frames.
        fps: frames per second.

    Raises:
        Failure: `not_video` or `empty`, also while reading: `corrupt`.
    """

    def __init__(self, path: Path, fps: float | None = None):
        source = path
        try:
            str(path).encode()
        except UnicodeEncodeError:
            # torchcodec takes paths in UTF-8 only, and open files of any name.
            source = path.open("rb")
            weakref.finalize(self, source.close)
        try:
            # Exact seeking scans the file first, so that frame numbers are right.
            self._decoder = VideoDecoder(
                source, seek_mode="exact", num_ffmpeg_threads=1
            )
        except (RuntimeError, ValueError) as error:
            raise Failure("not_video", _cause(error)) from error
        about = self._decoder.metadata
        self._begin = about.begin_stream_seconds
        seconds = about.end_stream_seconds - self._begin
        own = about.average_fps_from_header or about.average_fps
        self._native = fps is None or math.isclose(own, fps)
        self.fps = own if fps is None else fps
        self.count = len(self._decoder)
        if not self._native:
            self.count = math.floor(seconds * fps + 0.5)
        if self.count < 1:
            raise Failure("empty", "the file has no frame")

    def read(self, numbers: list[int]) -> Tensor:
        """Return frames by ascending numbers: uint8 (len(numbers), 3, H, W), RGB."""
        try:
            if self._native:
                return self._decoder.get_frames_at(numbers).data
            times = [self._begin + (n + 0.5) / self.fps - 1e-6 for n in numbers]
            return self._decoder.get_frames_played_at(times).data
        except (RuntimeError, ValueError, IndexError) as error:
            raise Failure("corrupt", _cause(error)) from error


def read_windows(path: Path, sampling: Sampling) -> Iterator[Window]:
    """Yield the windows of a video in order.

    Raises:
        Failure: `not_video`, `empty` or `corrupt`.
    """
    video = Frames(path, sampling.fps)
    starts = window_starts(video.count, sampling)
    kept: dict[int, Tensor] = {}
    for position, start in enumerate(starts):
        numbers = window_frames(start, video.count, sampling)
        missing = sorted({number for number in numbers if number not in kept})
        if missing:
            kept |= zip(missing, video.read(missing), strict=True)
        frames = torch.stack([kept[number] for number in numbers])
        begin, end = window_times(start, video.count, sampling, video.fps)
        last = position == len(starts) - 1
        yield Window(frames, begin, end, last)
        if not last:
            kept = {n: frame for n, frame in kept.items() if n >= starts[position + 1]}


def _cause(error: Exception) -> str:
    """Return what went wrong, without where in torchcodec's sources."""
    text = " ".join(str(error).split())
    return re.sub(r"^.*\.cpp:\d+, ", "", text) or type(error).__name__

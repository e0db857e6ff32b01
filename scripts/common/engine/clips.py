"""What a network gets of a video: its windows, or pieces of the whole of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import models
from models.chunks import chunks
from scripts.common.engine.windows import Sampling, Unsuited, window_times, windows

# Windows whose frames a piece of a whole video has, where nobody says it.
WINDOWS_IN_PIECE = 4


@dataclass(frozen=True)
class Clip:
    """One input of a network.

    Attributes:
        start: frame before which this clip and those after it have none.
        numbers: of its frames, ascending but in clips of a test; some may repeat.
        times: begin and end in seconds of the file; of a piece, those of the video.
        keep: which steps to keep of a piece of a whole video; None: it is a window.
        crop: which of several crops it is of, from 0.
    """

    start: int
    numbers: list[int]
    times: tuple[float, float]
    keep: slice | None = None
    crop: int = 0


def is_in_pieces(sampling: Sampling) -> bool:
    """Tell whether a network goes over whole videos, in pieces that overlap."""
    return sampling.stack is None and sampling.picked is None


def check(extractor: models.Extractor, sampling: Sampling, crops: int = 1) -> None:
    """See that the network can take what it will get.

    crops: of each window.

    Raises:
        Unsuited: it would get whole videos, and has no steps in time.
    """
    if is_in_pieces(sampling) and not hasattr(extractor.network, "field"):
        raise Unsuited(
            f"{extractor.card.name} cannot take a whole video at once: give a stack"
        )
    if is_in_pieces(sampling) and crops > 1:
        raise Unsuited(
            f"{extractor.card.name} goes over whole videos, with one crop: give a stack"
        )


def cut(
    frames: int,
    fps: float,
    sampling: Sampling,
    extractor: models.Extractor,
    batch_size: int | None = None,
    crops: int = 1,
) -> Iterator[Clip]:
    """Yield the clips of a video of `frames`, in the order of their first frames.

    batch_size: how long a piece of a whole video is, counted in the model's windows.
    crops: how often each window is given, once for every crop of its frames.
    """
    if not is_in_pieces(sampling):
        for start, numbers, times in windows(frames, sampling, fps):
            for crop in range(crops):
                yield Clip(start, numbers, times, crop=crop)
        return
    network, card, first = extractor.network, extractor.card, sampling.first
    steps, stride = network.steps(frames - first), network.field.stride
    size = max(1, (batch_size or WINDOWS_IN_PIECE) * card.frames // stride)
    times = window_times(first, frames, sampling, fps)
    for chunk in chunks(frames - first, steps, size, network.field):
        numbers = list(range(first + chunk.start, first + chunk.stop))
        yield Clip(numbers[0], numbers, times, chunk.keep)


def step_times(
    times: tuple[float, float],
    steps: int,
    extractor: models.Extractor,
    seconds: float,
) -> np.ndarray:
    """Return where the steps of a window or a video begin and end, float64 (steps, 2).

    A step of a network that knows what it sees has the middle of that, as long as the
    way to the next step. Otherwise all have equal parts.

    times: begin and end of the window in seconds.
    steps: how many it has.
    seconds: from one frame of the window to the next.
    """
    begin, end = times
    field = getattr(extractor.network, "field", None)
    if field is None:
        borders = np.linspace(begin, end, steps + 1)
        return np.stack([borders[:-1], borders[1:]], axis=1)
    first = (field.after - field.before + 1 - field.stride) / 2
    borders = first + field.stride * np.arange(steps + 1)
    borders = np.minimum(begin + seconds * borders, end)
    return np.stack([borders[:-1], borders[1:]], axis=1)

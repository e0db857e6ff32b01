"""Where a model's windows begin and end: the one rule that all models use.

A window is `stack` frames, `stride` apart; it spans (stack - 1) * stride + 1 frames.
Windows begin every `step` frames. With stack 4, stride 1, step 4 on 10 frames:

    frame        0  1  2  3  4  5  6  7  8  9
    window 0     x  x  x  x
    window 1                 x  x  x  x
    drop                                        frames 8 and 9 are in no window
    pad                                  x  x (9) (9)   the last frame is repeated
    last                           x  x  x  x   aligned with the end

| video                          | drop          | pad           | last          |
| ------------------------------ | ------------- | ------------- | ------------- |
| shorter than one window        | 1, padded     | 1, padded     | 1, padded     |
| every frame is in a window     | full windows  | full windows  | full windows  |
| frames behind the last window  | full windows  | one more      | one more      |

`drop` is what video_features does, but that a short video there has no feature at all.
"""

from dataclasses import dataclass
from fractions import Fraction

TAILS = ("drop", "pad", "last")


@dataclass(frozen=True)
class Sampling:
    """How a video is cut into windows; numbers count frames.

    Attributes:
        stack: frames in a window.
        stride: from one frame of a window to the next.
        step: from one window's first frame to the next window's.
        tail: `drop`, `pad` or `last`.
        fps: frames per second that the numbers refer to; None is the video's own.
    """

    stack: int
    stride: int
    step: int
    tail: str
    fps: float | None = None

    def __post_init__(self):
        if min(self.stack, self.stride, self.step) < 1:
            raise ValueError("stack, stride and step must be at least 1")
        if self.tail not in TAILS:
            raise ValueError(f"tail must be one of {', '.join(TAILS)}")

    @property
    def span(self) -> int:
        """Frames from a window's first to its last, both counted."""
        return (self.stack - 1) * self.stride + 1


def window_starts(frames: int, sampling: Sampling) -> list[int]:
    """Return the first frame of each window, ascending, for a video of `frames`.

    Raises:
        ValueError: there is no frame.
    """
    if frames < 1:
        raise ValueError("a video without frames has no windows")
    span, step = sampling.span, sampling.step
    if frames <= span:
        return [0]
    starts = list(range(0, frames - span + 1, step))
    uncovered = frames - (starts[-1] + span)
    if uncovered and sampling.tail == "last":
        starts.append(frames - span)
    elif uncovered and sampling.tail == "pad" and starts[-1] + step < frames:
        starts.append(starts[-1] + step)
    return starts


def window_frames(start: int, frames: int, sampling: Sampling) -> list[int]:
    """Return the `stack` frame numbers of a window; the last frame pads."""
    stop = start + sampling.span
    return [min(frame, frames - 1) for frame in range(start, stop, sampling.stride)]


def window_times(
    start: int, frames: int, sampling: Sampling, fps: float
) -> tuple[float, float]:
    """Return the seconds at which a window begins and ends, within the video."""
    end = min(start + sampling.span, frames)
    rate = Fraction(fps)
    return float(start / rate), float(end / rate)

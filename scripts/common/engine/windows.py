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

A model that takes frames from all of a video gets `picked` of a window's frames, spread
over it by one of PICKS. Its window is the whole video where `stack` is None; nothing is
padded then, and frames repeat where there are too few. Picked 4 of 10 frames

    middle                x        x        x        x

In a test a video has a number of `clips` instead of windows, laid over all of it by one
of SPREADS: two clips of 4 neighbouring frames, and two of 4 frames from everywhere

    dense        0  x  x  x  x
                 1                    x  x  x  x
    shifted      0        x     x        x     x
                 1           x     x        x     x

All of this may begin behind a video's first frames, at frame `first`: frames of flow
are counted by the frame that they lead to, and there is none before 1. And a network
may take some neighbouring frames in place of each, as TSN does with flow: 2 frames of
10 with 3 in place of each are 2, 3, 4 and 6, 7, 8.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from models import sampling as rules
from models.sampling import uniform

TAILS = ("drop", "pad", "last")


def drawn(frames: int, count: int) -> list[int]:
    """Return the frames that IBM's action-recognition-pytorch takes when it evaluates.

    The middles of equal parts; of a video with as many frames or fewer, a draw with
    repetition from a seeded generator, always the same.
    """
    return rules.shifted(frames, count, 1)[0]


def rounded(frames: int, count: int) -> list[int]:
    """Return the frames that PySlowFast takes of Something-Something when it tests.

    The middles of `count` parts of the way from the first frame to the last, whose
    borders are rounded to whole frames, halves to the even one.
    """
    borders = np.round((frames - 1) / count * np.arange(count + 1)).astype(int)
    return ((borders[:-1] + borders[1:]) // 2).tolist()


# The rules by which frames are picked, of (frames, count) to numbers from 0.
PICKS = {"middle": uniform, "drawn": drawn, "rounded": rounded}


def twice(frames: int, count: int, clips: int) -> list[list[int]]:
    """Return the two clips of temporal-shift-module's `twice_sample`.

    Raises:
        Unsuited: another number of clips is asked for.
    """
    if clips != 2:
        raise Unsuited(f"the model's authors take 1 or 2 uniform clips, not {clips}")
    return rules.uniform_twice(frames, count)


# The rules by which clips are laid over a video, of (frames, frames of a clip, clips).
SPREADS = {"shifted": rules.shifted, "twice": twice}


class Unsuited(ValueError):
    """A network cannot take what it would get of a video."""


@dataclass(frozen=True)
class Sampling:
    """How a video is cut into windows; numbers count frames.

    Attributes:
        stack: frames in a window; None: the whole video is the one window.
        stride: from one frame of a window to the next.
        step: from one window's first frame to the next window's.
        tail: `drop`, `pad` or `last`.
        fps: frames per second that the numbers refer to; None is the video's own.
        picked: frames to pick of each window; None takes them all.
        pick: the rule for it, a key of PICKS.
        clips: clips to take of the whole video in place of windows; None for windows.
        spread: the rule for it where frames are picked, a key of SPREADS. Otherwise
            clips begin at equal distances, and a single one is in the middle; in a
            video shorter than one, all begin with the first frame and go on from there
            when they reach the end.
        first: the frame with which the video begins; those before it are in no window.
        consecutive: neighbouring frames that are taken in place of each, it and those
            that follow; windows are laid so that the last one has as many.
    """

    stack: int | None
    stride: int
    step: int
    tail: str
    fps: float | None = None
    picked: int | None = None
    pick: str = "middle"
    clips: int | None = None
    spread: str = "shifted"
    first: int = 0
    consecutive: int = 1

    def __post_init__(self):
        if min(self.stack or 1, self.stride, self.step) < 1:
            raise ValueError("stack, stride and step must be at least 1")
        if min(self.picked or 1, self.clips or 1) < 1:
            raise ValueError("picked and clips must be at least 1")
        if self.first < 0 or self.consecutive < 1:
            raise ValueError("first must be at least 0, and consecutive at least 1")
        if self.tail not in TAILS:
            raise ValueError(f"tail must be one of {', '.join(TAILS)}")
        if self.pick not in PICKS:
            raise ValueError(f"pick must be one of {', '.join(PICKS)}")
        if self.spread not in SPREADS:
            raise ValueError(f"spread must be one of {', '.join(SPREADS)}")

    def span(self, frames: int) -> int:
        """Frames from a window's first to its last, both counted."""
        if self.stack is None:
            return frames - self.first
        return (self.stack - 1) * self.stride + 1


def window_starts(frames: int, sampling: Sampling) -> range | list[int]:
    """Return the first frame of each window, ascending, for a video of `frames`.

    Raises:
        ValueError: there is no frame.
    """
    first, span, step = sampling.first, sampling.span(frames), sampling.step
    if frames <= first:
        raise ValueError("a video without frames has no windows")
    if frames - first <= span:
        return [first]
    starts = range(first, frames - span + 1, step)
    uncovered = frames - (starts[-1] + span)
    if uncovered and sampling.tail == "last":
        return [*starts, frames - span]
    if uncovered and sampling.tail == "pad" and starts[-1] + step < frames:
        return [*starts, starts[-1] + step]
    return starts


def window_count(frames: int, sampling: Sampling) -> int:
    """Return how many windows, or clips over the whole of it, a video has."""
    return sampling.clips or len(window_starts(_shorter(frames, sampling), sampling))


def window_frames(start: int, frames: int, sampling: Sampling) -> list[int]:
    """Return the frame numbers of a window, ascending; the last frame pads."""
    stop = start + sampling.span(frames)
    numbers = range(start, stop, sampling.stride if sampling.stack else 1)
    if sampling.picked:
        picks = PICKS[sampling.pick](len(numbers), sampling.picked)
        numbers = [numbers[pick] for pick in picks]
    return [min(number, frames - 1) for number in numbers]


def window_times(
    start: int, frames: int, sampling: Sampling, fps: float
) -> tuple[float, float]:
    """Return the seconds at which a window begins and ends, within the video."""
    end = min(start + sampling.span(frames), frames)
    rate = Fraction(fps)
    return float(start / rate), float(end / rate)


def spread_clips(frames: int, sampling: Sampling) -> list[list[int]]:
    """Return the frames of each clip that is laid over a video of `frames`.

    Raises:
        Unsuited: the rule does not give so many clips.
    """
    first, clips = sampling.first, sampling.clips
    there = frames - first
    if sampling.picked:
        taken = SPREADS[sampling.spread](there, sampling.picked, clips)
    else:
        span = sampling.stack * sampling.stride
        # Of three clips at equal distances the second is in the middle.
        taken = rules.dense(there, sampling.stack, 3 if clips == 1 else clips, span)
        taken = taken[1:2] if clips == 1 else taken
    return [[first + number for number in numbers] for numbers in taken]


def windows(
    frames: int, sampling: Sampling, fps: float
) -> Iterator[tuple[int, list[int], tuple[float, float]]]:
    """Yield each window's start, its frames, and its begin and end in seconds.

    Neither it nor a later one has frames before its start. The frames of clips over the
    whole video need not ascend, and their times are those of their frames; nor need
    those of windows where neighbours are taken with each.
    """
    if sampling.consecutive > 1:
        yield from _with_neighbours(frames, sampling, fps)
        return
    if sampling.clips:
        yield from _clips(spread_clips(frames, sampling), fps)
        return
    for start in window_starts(frames, sampling):
        times = window_times(start, frames, sampling, fps)
        yield start, window_frames(start, frames, sampling), times


def needed_frames(frames: int, sampling: Sampling) -> np.ndarray:
    """Return which frames are in a window, bool (frames,)."""
    needed = np.zeros(frames, bool)
    if sampling.consecutive > 1:
        for _, numbers, _ in windows(frames, sampling, fps=1):
            needed[numbers] = True
        return needed
    if sampling.clips:
        needed[np.unique(spread_clips(frames, sampling))] = True
        return needed
    starts = window_starts(frames, sampling)
    if sampling.picked:
        for start in starts:
            needed[window_frames(start, frames, sampling)] = True
        return needed
    firsts = np.asarray(starts)
    stride = sampling.stride if sampling.stack else 1
    for offset in range(0, sampling.span(frames), stride):
        needed[np.minimum(firsts + offset, frames - 1)] = True
    return needed


def _shorter(frames: int, sampling: Sampling) -> int:
    """Return the frames, counted from 0, in place of which their neighbours can stand.

    As https://github.com/mit-han-lab/temporal-shift-module counts them (dataset.py).
    """
    return max(frames - sampling.consecutive + 1, sampling.first + 1)


def _with_neighbours(
    frames: int, sampling: Sampling, fps: float
) -> Iterator[tuple[int, list[int], tuple[float, float]]]:
    more, alone = range(sampling.consecutive), replace(sampling, consecutive=1)
    shorter = _shorter(frames, sampling)
    for start, numbers, (begin, end) in windows(shorter, alone, fps):
        taken = [min(number + n, frames - 1) for number in numbers for n in more]
        yield start, taken, (begin, min(end + more[-1] / fps, frames / fps))


def _clips(
    taken: list[list[int]], fps: float
) -> Iterator[tuple[int, list[int], tuple[float, float]]]:
    rate = Fraction(fps)
    starts = np.minimum.accumulate([min(numbers) for numbers in reversed(taken)])
    for start, numbers in zip(reversed(starts.tolist()), taken, strict=True):
        times = float(min(numbers) / rate), float((max(numbers) + 1) / rate)
        yield start, numbers, times

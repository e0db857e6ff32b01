"""Which frames of a whole video a network gets, where a window does not say it.

As https://github.com/mit-han-lab/temporal-shift-module takes them in its tests, but for
`shifted`; there, frames are counted from 1. A video's score is the mean of its views'
logits.
"""

import numpy as np


def uniform(frames: int, segments: int) -> list[int]:
    """Return the middle frame of each of a video's equal segments, numbers from 0.

    A video with fewer frames than segments repeats some.
    """
    length = frames / segments
    return [int(length / 2 + length * segment) for segment in range(segments)]


def uniform_twice(frames: int, segments: int) -> list[list[int]]:
    """Return two views: the segments' middle frames, and their first ones."""
    length = frames / segments
    first = [int(length * segment) for segment in range(segments)]
    return [uniform(frames, segments), first]


def dense(
    frames: int, segments: int, views: int = 10, span: int = 64
) -> list[list[int]]:
    """Return views of `segments` frames, equally far apart in `span` neighbouring ones.

    The views begin at equal distances over the video; in a video shorter than the span
    all begin with its first frame, and go on from there when they reach its end.
    """
    last = max(frames - span, 0)
    starts = np.linspace(0, last, views, dtype=int).tolist()
    stride = span // segments
    return [
        [(start + n * stride) % frames for n in range(segments)] for start in starts
    ]


def shifted(frames: int, segments: int, views: int) -> list[list[int]]:
    """Return views that take one frame of each of a video's equal segments.

    As https://github.com/IBM/action-recognition-pytorch takes them when it tests: view
    by view the frames are one later, those of a view in the middle being the segments'
    middle ones, and none leaves its segment. A video with as many frames as segments or
    fewer gives draws with repetition, from a generator seeded with the view's number.
    """
    length = frames / segments
    if frames <= segments:
        return [_drawn(frames, segments, seed=view) for view in range(views)]
    offsets = [
        min(max(view - (views - 1) // 2, -length / 2), length / 2 - 1e-4)
        for view in range(views)
    ]
    return [
        [int(length / 2 + offset + length * segment) for segment in range(segments)]
        for offset in offsets
    ]


def _drawn(frames: int, count: int, seed: int) -> list[int]:
    return sorted(np.random.RandomState(seed).choice(frames, count).tolist())

"""Long videos piece by piece: the steps of one pass over all frames, in little memory.

A network over time gives one step every few frames, and each step sees some frames to
either side. Pieces that overlap by what a step sees give the very steps of one pass.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from models.zoo import Extractor


@dataclass(frozen=True)
class Field:
    """What the steps of a network see.

    stride: frames from one step to the next. Zero padding inside the network may
        depend on the number of frames modulo the stride.
    before, after: step n depends on frames n * stride - before to n * stride + after,
        both included, and on no other.
    """

    stride: int
    before: int
    after: int


@dataclass(frozen=True)
class Chunk:
    """A piece of a video: frames start to stop, and which of its steps to keep."""

    start: int
    stop: int
    keep: slice


def chunks(frames: int, steps: int, size: int, field: Field) -> Iterator[Chunk]:
    """Yield the pieces of a video, in order; each of its steps is kept of one piece.

    frames, steps: how many the whole video has.
    size: steps kept of a piece; the last one may have fewer.

    A piece starts at a multiple of the stride and is as long as the video modulo the
    stride, so that padding inside the network falls as in one pass.
    """
    for first in range(0, steps, size):
        last = min(first + size, steps)
        start = max(0, first * field.stride - field.before)
        start -= start % field.stride
        stop = min(frames, (last - 1) * field.stride + field.after + 1)
        stop += (frames - stop) % field.stride
        skipped = start // field.stride
        yield Chunk(start, stop, slice(first - skipped, last - skipped))


def in_chunks(
    extractor: Extractor,
    read: Callable[[int, int], Tensor],
    frames: int,
    size: int = 64,
) -> Iterator[dict[str, Tensor]]:
    """Yield a video's features in time, piece by piece; joined, they equal one pass.

    extractor: one whose network says what its steps see, like `models.i3d.I3D`.
    read: gives frames start to stop as `models.prepare` makes them, a float clip
        (C, stop - start, H, W) on the extractor's device.
    frames: how many the video has.
    size: steps of a piece; I3D has a step every 8 frames.

    Each piece is {name: (steps, ..., dim)} for the features that have an axis "time".
    Raises ValueError for a network without such features.
    """
    network, features = extractor.network, extractor.card.features
    names = [name for name, feature in features.items() if "time" in feature.axes]
    if not names:
        raise ValueError(f"{extractor.card.name} has no features in time")
    for chunk in chunks(frames, network.steps(frames), size, network.field):
        outputs = extractor(read(chunk.start, chunk.stop)[None])
        yield {name: outputs[name][0, chunk.keep] for name in names}

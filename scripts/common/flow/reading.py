"""Flow as the input of a network: read from its pictures, or made from the clips.

Both ways give the same numbers, but for the rounding of the storage. Flow that leads to
frame n is the video's frame n (see scripts/common/flow); 0 and 1, or 0 and 255, are the
ends of its bound.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import models
from models.transforms import resized
from scripts.common import containers
from scripts.common.containers import Shard
from scripts.common.engine.decoding import (
    Frames,
    Piece,
    Reader,
    at_rates,
    in_pieces,
    refuse_other_rates,
    wanted,
)
from scripts.common.engine.windows import Sampling, Unsuited
from scripts.common.flow.algorithms import Estimator
from scripts.common.flow.kinds import mismatch
from scripts.common.flow.quantisation import Quantisation
from scripts.common.tables import Failure, Row


@contextlib.contextmanager
def stored(takers: Mapping[str, models.Card]) -> Iterator[Reader]:
    """Give a reader of flow that compute_flow has stored; its rows are those of flow.

    Args:
        takers: models that take no flow but of their own kind, by name.

    The reader raises `windows.Unsuited` for flow of another kind, or of another frame
    rate than a model's; and Failure `corrupt` for pictures that are gone or damaged.
    """
    with containers.Shards() as shards:

        def read(row: Row, samplings: Mapping[str, Sampling]) -> Iterator[Piece]:
            try:
                shard = shards.of(row)
                about = shard.about(row.id)
            except containers.UNREADABLE as error:
                raise Failure("corrupt", f"its flow cannot be read: {error}") from error
            for name in samplings.keys() & takers.keys():
                _refuse_other(takers[name], about["flow"])
            refuse_other_rates(about["fps"], samplings)
            yield from _stored(shard, row, about, samplings)

        yield read


def _refuse_other(card: models.Card, made: dict) -> None:
    facts = (made[name] for name in ("algorithm", "bound", "direction"))
    if wrong := mismatch(card, *facts):
        raise Unsuited(f"{wrong}; `any_flow: true` takes it all the same")


def _stored(
    shard: Shard, row: Row, about: dict, samplings: Mapping[str, Sampling]
) -> Iterator[Piece]:
    count = about["flows"] + 1
    quantisation = Quantisation.from_dict(about["flow"])
    for numbers in in_pieces(
        wanted(count, list(samplings.values())), 2 * row.height * row.width
    ):
        begin = time.perf_counter()
        try:
            levels = containers.levels(shard, row.id, [n - 1 for n in numbers])
        except containers.UNREADABLE as error:
            raise Failure("corrupt", f"its flow cannot be read: {error}") from error
        if quantisation.bits == 8:
            frames = torch.from_numpy(levels)
        else:
            flow = torch.from_numpy(quantisation.restore(levels))
            frames = scaled(flow, quantisation.bound)
        seconds = time.perf_counter() - begin
        yield Piece(tuple(samplings), count, about["fps"], numbers, frames, seconds)


def computed(
    estimate: Estimator,
    bound: float,
    batch_size: int,
    device: str = "cpu",
    short_side: int | None = None,
) -> Reader:
    """Return a reader that makes flow from the clips as it goes, and keeps none of it.

    Args:
        estimate: an estimator (see scripts/common/flow/algorithms.py).
        bound: pixels of motion to either side; what is beyond is cut off.
        batch_size: frames at a time; the result does not depend on it.
        device: `cpu`, or where frames are decoded with NVDEC.
        short_side: pixels to which frames are resized before; None leaves them.
    """

    def read(row: Row, samplings: Mapping[str, Sampling]) -> Iterator[Piece]:
        for video, names in at_rates(Path(row.path), samplings, device):
            numbers = wanted(video.count, [samplings[name] for name in names])
            for run in _runs(numbers):
                pieces = _frames(video, run, batch_size, short_side)
                flows = estimate(pieces)
                begin = time.perf_counter()
                while several := list(islice(flows, batch_size)):
                    some, run = run[: len(several)], run[len(several) :]
                    frames = scaled(torch.stack(several), bound)
                    seconds = time.perf_counter() - begin
                    yield Piece(names, video.count, video.fps, some, frames, seconds)
                    begin = time.perf_counter()

    return read


def _runs(numbers: list[int]) -> Iterator[list[int]]:
    """Yield numbers that follow each other, together."""
    gaps = np.flatnonzero(np.diff(numbers) > 1) + 1
    for run in np.split(np.array(numbers), gaps):
        yield run.tolist()


def _frames(
    video: Frames, run: list[int], size: int, short_side: int | None
) -> Iterator[Tensor]:
    """Yield the frames between which there is a run of flows, `size` at a time."""
    numbers = [run[0] - 1, *run]
    for first in range(0, len(numbers), size):
        frames = video.read(numbers[first : first + size])
        if short_side is not None and min(frames.shape[-2:]) != short_side:
            rule = models.Resize(short=short_side)
            size_after = resized(*frames.shape[-2:], rule)
            frames = F.interpolate(frames, size_after, mode="bilinear", antialias=True)
        yield frames


def scaled(flow: Tensor, bound: float) -> Tensor:
    """Return flow in pixels as a network takes it: 0 is -bound or below, 1 is bound."""
    return flow.clamp(-bound, bound).div_(2 * bound).add_(0.5)

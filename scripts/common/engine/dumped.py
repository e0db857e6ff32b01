"""Frames as a network's input that dump_frames has written, in any container."""

import contextlib
import time
from collections.abc import Iterator, Mapping

import torch

from scripts.common import containers
from scripts.common.engine.decoding import (
    Piece,
    Reader,
    in_pieces,
    refuse_other_rates,
    wanted,
)
from scripts.common.engine.windows import Sampling
from scripts.common.tables import Failure, Row


@contextlib.contextmanager
def dumped() -> Iterator[Reader]:
    """Give a reader of dumped frames; its rows are those of dump_frames.

    The reader raises `windows.Unsuited` for frames of another rate than a model's; and
    Failure `corrupt` for pictures that are gone or damaged.
    """
    with containers.Shards() as shards:

        def read(row: Row, samplings: Mapping[str, Sampling]) -> Iterator[Piece]:
            refuse_other_rates(row.fps, samplings)
            numbers = wanted(row.frames, list(samplings.values()))
            for some in in_pieces(numbers, 3 * row.height * row.width):
                begin = time.perf_counter()
                try:
                    pictures = containers.frames(shards.of(row), row.id, some)
                except containers.UNREADABLE as error:
                    raise Failure(
                        "corrupt", f"its frames cannot be read: {error}"
                    ) from error
                frames = torch.from_numpy(pictures).permute(0, 3, 1, 2)
                seconds = time.perf_counter() - begin
                names = tuple(samplings)
                yield Piece(names, row.frames, row.fps, some, frames, seconds)

        yield read

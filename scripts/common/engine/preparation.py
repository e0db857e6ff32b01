"""Decoded frames to what networks take: each once for all that take them alike."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

import models
from models import views
from scripts.common.engine.decoding import Piece


@dataclass(frozen=True)
class Taker:
    """What takes frames.

    Attributes:
        card: of a network.
        crops: of each window (see `models.views`); 1 is the model's own.
    """

    card: models.Card
    crops: int = 1

    @property
    def look(self) -> tuple:
        """What decides how frames are prepared."""
        card = self.card
        return card.resize, card.crop, card.half_pixels, card.colour, self.crops == 1

    def prepared(self, frames: Tensor) -> Tensor:
        """Return decoded frames as a network takes them, float (n, H, W, C).

        A batch of them has its channels last. Of several crops none is cut yet.
        """
        clip = models.prepare(frames, self.card, cropped=self.crops == 1)
        return clip.permute(1, 2, 3, 0).contiguous()

    def crop(self, frame: Tensor, number: int) -> Tensor:
        """Return crop `number` of a prepared frame, float (crop, crop, C)."""
        if self.crops == 1:
            return frame
        frame = frame.permute(2, 0, 1)
        return views.crop(frame, self.card.crop, self.crops, number).permute(1, 2, 0)


@dataclass(frozen=True)
class Prepared:
    """A piece of a video as networks take it.

    Attributes:
        count, fps, numbers: those of the piece.
        frames: by the name of who takes them, float (len(numbers), H, W, C).
        seconds: by what they were spent on.
    """

    count: int
    fps: float
    numbers: list[int]
    frames: dict[str, Tensor]
    seconds: dict[str, float]


def prepare(piece: Piece, takers: Mapping[str, Taker], device: str) -> Prepared:
    """Move a piece to the device and prepare it there, once for each look."""
    begin = time.perf_counter()
    frames = piece.frames.to(device, non_blocking=True)
    looks: dict[tuple, Tensor] = {}
    for name in piece.names:
        if takers[name].look not in looks:
            looks[takers[name].look] = takers[name].prepared(frames)
    prepared = {name: looks[takers[name].look] for name in piece.names}
    part = "resize" if device == "cpu" else "transfer and resize"
    seconds = {"decode": piece.seconds, part: time.perf_counter() - begin}
    return Prepared(piece.count, piece.fps, piece.numbers, prepared, seconds)

"""Which part of the frames a network sees, and how it becomes a clip.

What is drawn is the region to cut, on the processor; cutting is a view of bytes. The
pixels are resized, mirrored and scaled on the device, which gets the region alone.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch.nn.functional as F
from torch import Tensor

import models
from models.transforms import resized

# Of the short side, and how far height and width may be apart in this list: see
# Wang et al., https://arxiv.org/abs/1507.02159.
SCALES = (1, 0.875, 0.75, 0.66)
# Where a crop may lie, in quarters of the rest, down and right: the corners, the
# centre, and between them.
PLACES = (
    *product((0, 4), (0, 4)),
    *((2, 2), (0, 2), (4, 2), (2, 0), (2, 4)),
    *product((1, 3), (1, 3)),
)


@dataclass(frozen=True)
class Region:
    """A part of all frames of a clip, in pixels; `mirrored` left to right."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool = False

    def cut(self, frames: Tensor) -> Tensor:
        """Return the region of frames (T, C, H, W), a view."""
        rows = slice(self.top, self.top + self.height)
        return frames[..., rows, self.left : self.left + self.width]


@dataclass(frozen=True)
class Crop:
    """How regions are drawn for training.

    Attributes:
        kind: `random`, `multi_scale` or `centre`.
        scale: by what frames are larger than in tests when a `random` crop is cut:
            the least and the most; drawn evenly for each clip.
        flip: mirror half of the clips.
    """

    kind: str
    scale: tuple[float, float]
    flip: bool

    def drawn(
        self, height: int, width: int, card: models.Card, rng: np.random.Generator
    ) -> Region:
        """Return a region of frames of this size.

        `multi_scale` is that of TSN: height and width are of SCALES and next to each
        other there, at one of PLACES.
        """
        tall, wide = resized(height, width, card.resize)
        mirrored = self.flip and bool(rng.integers(2))
        if self.kind == "multi_scale":
            first = rng.integers(len(SCALES))
            second = np.clip(first + rng.integers(-1, 2), 0, len(SCALES) - 1)
            rows, columns = (min(tall, wide) * SCALES[n] for n in (first, second))
            down, right = (n / 4 for n in PLACES[rng.integers(len(PLACES))])
        else:
            larger = rng.uniform(*self.scale) if self.kind == "random" else 1
            rows = columns = card.crop / larger
            down, right = rng.random(2) if self.kind == "random" else (0.5, 0.5)
        rows = min(height, round(rows * height / tall))
        columns = min(width, round(columns * width / wide))
        top, left = round(down * (height - rows)), round(right * (width - columns))
        return Region(top, left, rows, columns, mirrored)


def seen_at(card: models.Card, frames: int | None, size: int | None) -> models.Card:
    """Return the card for clips of another length and size; None keeps its own.

    Frames are resized in proportion, so that the crop shows the same part of them.
    """
    size = size or card.crop
    rule = {
        name: tuple(round(side * size / card.crop) for side in sides)
        if isinstance(sides, tuple | list)
        else round(sides * size / card.crop)
        for name in ("short", "exact", "height")
        if (sides := getattr(card.resize, name))
    }
    resize = replace(card.resize, **rule)
    return replace(card, frames=frames or card.frames, crop=size, resize=resize)


def clip_of(frames: Tensor, mirrored: bool, card: models.Card) -> Tensor:
    """Return a training clip, float32 (C, T, crop, crop) in [0, 1], on its device.

    frames: uint8 (T, 3, H, W), the region.
    """
    frames = frames.float() / 255
    size = (card.crop, card.crop)
    antialias = card.resize.filter == "pillow"
    frames = F.interpolate(frames, size, mode="bilinear", antialias=antialias)
    if mirrored:
        frames = frames.flip(-1)
    if card.colour == "BGR":
        frames = frames.flip(1)
    return frames.transpose(0, 1)

"""From decoded frames to the input of a network: resize, centre crop, [0, 1].

The arithmetic is that of https://github.com/v-iashin/video_features, with which
features agree; the card says which of the two resizes applies. Normalisation is the
extractor's: it is per pixel, so its place before or after the crop is the same.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from models.cards.base import Card, Resize

CHUNK = 32
"""Frames resized at once: float copies of whole large frames are what costs memory."""


def prepare(frames: Tensor, card: Card) -> Tensor:
    """Turn decoded frames into the clip that the card's network takes.

    frames: uint8 (T, C, H, W), or a batch (N, T, C, H, W), RGB, on any device.

    Returns float32 (C, T, crop, crop), or (N, C, T, crop, crop), in [0, 1], on the
    same device. Raises ValueError for frames of another dtype or shape.
    """
    if frames.dtype != torch.uint8 or frames.dim() not in (4, 5):
        raise ValueError(
            "frames are uint8 (T, C, H, W) or (N, T, C, H, W), "
            f"not {frames.dtype} {tuple(frames.shape)}"
        )
    batch = frames.shape[:-3]
    parts = [
        centre_crop(resize(part.float().div_(255), card.resize), card.crop)
        for part in frames.flatten(0, -4).split(CHUNK)
    ]
    return torch.cat(parts).unflatten(0, batch).transpose(-4, -3)


def resize(frames: Tensor, rule: Resize) -> Tensor:
    """Resize float frames (N, C, H, W) by a card's rule, on their device.

    With a short side, the sampling ratio is exactly that of the sides, short / side,
    for both axes, and sizes are rounded down, as video_features does it.
    """
    if rule.exact:
        return F.interpolate(frames, rule.exact, mode=rule.filter)
    side = min(frames.shape[-2:])
    scale = rule.short / side
    if math.floor(side * scale) < rule.short:
        # For sides like 306 and 380 the quotient is rounded down, and its product
        # with the side too: upstream gets 223 rows. The next number gives 224.
        scale = math.nextafter(scale, math.inf)
    return F.interpolate(
        frames, scale_factor=scale, mode=rule.filter, recompute_scale_factor=False
    )


def centre_crop(frames: Tensor, size: int) -> Tensor:
    """The central size x size pixels of frames (..., H, W), a view.

    The offset is half the rest, a half rounded to the even number.
    """
    top, left = (round((side - size) / 2) for side in frames.shape[-2:])
    return frames[..., top : top + size, left : left + size]

"""From decoded frames to the input of a network: resize, centre crop, [0, 1].

The arithmetic is that of the original programs, with which features agree; the card
says which resize applies, where the crop falls and the order of colours. Normalisation
is the extractor's: it is per pixel, so its place before or after the crop is the same.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from models.cards.base import Card, Resize

CHUNK = 32
"""Frames resized at once on a GPU: float copies of whole large frames take memory."""


def prepare(frames: Tensor, card: Card, cropped: bool = True) -> Tensor:
    """Turn decoded frames into the clip that the card's network takes.

    frames: (T, C, H, W), or a batch (N, T, C, H, W), RGB or flow (u, v), on any device;
        uint8; flow also float in [0, 1], where it was not rounded.
    cropped: whether to cut the crop from the centre; without, frames are only resized.

    Returns float32 (C, T, crop, crop), or (N, C, T, crop, crop), in [0, 1], its
    channels in the card's order, on the same device. Raises ValueError for frames of
    another dtype or shape.
    """
    levels = frames.dtype == torch.uint8
    unrounded = frames.is_floating_point() and card.flow is not None
    if not (levels or unrounded) or frames.dim() not in (4, 5):
        raise ValueError(
            "frames are uint8 (T, C, H, W) or (N, T, C, H, W), "
            f"not {frames.dtype} {tuple(frames.shape)}"
        )
    batch, frames = frames.shape[:-3], frames.flatten(0, -4)
    if card.colour == "BGR":
        frames = frames.flip(-3)
    rule, before = card.resize, tuple(frames.shape[-2:])
    size, scale = _aim(*before, rule)
    rows, columns = (slice(0, side) for side in size)
    if cropped:
        rows, columns = _centre(*size, card.crop, card.half_pixels)

    def in_unit(part: Tensor) -> Tensor:
        return part.float().div_(255) if levels else part.float()

    if size == before:
        clip = _rounded(in_unit(frames[..., rows, columns]), rule)
    else:
        if scale and scale < 1:
            # Where pixels are sampled does not depend on those behind the crop. (Of
            # an enlarged frame, some would remain as many and be taken for resized.)
            height, width = (math.ceil(cut.stop / scale) + 2 for cut in (rows, columns))
            frames = frames[..., :height, :width]
        # A CPU has the float copy of one frame in its cache.
        parts = (
            _rounded(_interpolated(in_unit(part), size, scale, rule), rule)
            for part in frames.split(1 if frames.device.type == "cpu" else CHUNK)
        )
        clip = torch.cat([part[..., rows, columns] for part in parts])
    return clip.unflatten(0, batch).transpose(-4, -3)


def resize(frames: Tensor, rule: Resize) -> Tensor:
    """Resize float frames (N, C, H, W) in [0, 1] by a card's rule, on their device.

    With a short side and the filter "bilinear", the sampling ratio is exactly that of
    the sides, short / side, for both axes, as video_features does it. Otherwise it is
    that of the sizes before and after.
    """
    before = tuple(frames.shape[-2:])
    size, scale = _aim(*before, rule)
    if size != before:
        frames = _interpolated(frames, size, scale, rule)
    return _rounded(frames, rule)


def _aim(height: int, width: int, rule: Resize) -> tuple[tuple[int, int], float | None]:
    """The size after a card's rule; the sampling ratio where sizes do not say it."""
    if not (rule.short and rule.filter == "bilinear"):
        return resized(height, width, rule), None
    side = min(height, width)
    scale = rule.short / side
    if math.floor(side * scale) < rule.short:
        # For sides like 306 and 380 the quotient is rounded down, and its product
        # with the side too: upstream gets 223 rows. The next number gives 224.
        scale = math.nextafter(scale, math.inf)
    return (math.floor(height * scale), math.floor(width * scale)), scale


def _interpolated(
    frames: Tensor, size: tuple[int, int], scale: float | None, rule: Resize
) -> Tensor:
    """Float frames (N, C, H, W) in another size; with a ratio, as many as it gives."""
    if scale:
        return F.interpolate(
            frames, scale_factor=scale, mode="bilinear", recompute_scale_factor=False
        )
    antialias = rule.filter == "pillow"
    return F.interpolate(frames, size, mode="bilinear", antialias=antialias)


def _rounded(frames: Tensor, rule: Resize) -> Tensor:
    """Frames in [0, 1] as programs have them that resize levels from 0 to 255."""
    if rule.filter == "bilinear":
        return frames
    return frames.mul(255).round_().div_(255)


def resized(height: int, width: int, rule: Resize) -> tuple[int, int]:
    """The (height, width) of a frame after a card's rule, in pixels."""
    if rule.exact:
        return rule.exact
    if rule.short:
        size = (rule.short, rule.short * max(height, width) // min(height, width))
        return size if height <= width else size[::-1]
    side, least = rule.height
    if math.floor(width / height * side) >= least:
        return side, math.floor(width / height * side)
    return math.floor(height / width * side), side


def centre_crop(frames: Tensor, size: int, half_pixels: str = "even") -> Tensor:
    """The central size x size pixels of frames (..., H, W), a view.

    The offset is half the rest; a half becomes what `half_pixels` says, "even",
    "down" or "up".
    """
    rows, columns = _centre(*frames.shape[-2:], size, half_pixels)
    return frames[..., rows, columns]


def _centre(
    height: int, width: int, size: int, half_pixels: str
) -> tuple[slice, slice]:
    """The rows and columns of the central square of a frame."""
    rounded = {"even": round, "down": math.floor, "up": math.ceil}[half_pixels]
    top, left = (rounded((side - size) / 2) for side in (height, width))
    return slice(top, top + size), slice(left, left + size)

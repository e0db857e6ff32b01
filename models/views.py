"""Several views of one video at test time: crops of its clips, and the mean score.

As https://github.com/IBM/action-recognition-pytorch takes them in its tests, with which
its published figures were measured. Of K clips of a video, clip k in crop c is view
c * K + k:

    scores = extractor(views(clips, 256, 3))["logits"]
    score = average(scores, len(scores))
"""

import torch
from torch import Tensor

from models.transforms import centre_crop

COUNTS = (1, 3, 5, 10)
"""How many crops of a frame there can be."""


def crops(frames: Tensor, size: int, count: int) -> Tensor:
    """Cut `count` squares of size x size pixels from each frame.

    frames: (..., H, W), of any dtype, resized, and no side shorter than `size`.
    count: 1 is the centre. 3 are the start, the end and the centre of the longer side,
        in the middle of the shorter one; of a square, left, right and centre. 5 are
        upper left, upper right, lower left, lower right and centre. 10 are these
        five, each followed by its mirror image, which suits RGB and not flow.

    Returns (count, ..., size, size). Raises ValueError for another count, and for
    frames smaller than the crop.
    """
    if count not in COUNTS:
        raise ValueError(f"there are 1, 3, 5 or 10 crops of a frame, not {count}")
    return torch.stack([crop(frames, size, count, n) for n in range(count)])


def crop(frames: Tensor, size: int, count: int, number: int) -> Tensor:
    """Return crop `number`, from 0, of those that `crops` cuts; a view if not mirrored.

    Raises ValueError for frames smaller than the crop.
    """
    height, width = frames.shape[-2:]
    if min(height, width) < size:
        raise ValueError(f"a crop of {size} pixels does not fit in {width}x{height}")
    if count == 1:
        return centre_crop(frames, size)
    if count == 10:
        one = crop(frames, size, 5, number // 2)
        return one.flip(-1) if number % 2 else one
    top, left = _corners(height - size, width - size, count)[number]
    return frames[..., top : top + size, left : left + size]


def views(clips: Tensor, size: int, count: int) -> Tensor:
    """Cut a video's clips (K, ..., H, W) into its views (count * K, ..., size, size).

    All clips of the first crop come first, then those of the second; see `crops`.
    """
    return crops(clips, size, count).flatten(0, 1)


def average(scores: Tensor, views: int) -> Tensor:
    """Return each video's score: the mean of its views' logits, not of probabilities.

    scores: logits (N * views, classes), a video's views next to each other.

    Returns (N, classes). Raises ValueError if the scores are not whole videos.
    """
    if views < 1 or len(scores) % views:
        raise ValueError(f"{len(scores)} scores are not videos of {views} views each")
    return scores.unflatten(0, (-1, views)).mean(dim=1)


def _corners(down: int, right: int, count: int) -> list[tuple[int, int]]:
    """The (top, left) of each crop, where `down` and `right` are the pixels to spare.

    Steps are whole quarters, so the last crop may stop up to 3 pixels before the border
    and the centre may differ from a true one; published figures were measured so.
    """
    middle, bottom = down // 4 * 2, down // 4 * 4
    centre, end = right // 4 * 2, right // 4 * 4
    if count == 5:
        return [(0, 0), (0, end), (bottom, 0), (bottom, end), (middle, centre)]
    if right < down:
        return [(0, centre), (bottom, centre), (middle, centre)]
    return [(middle, 0), (middle, end), (middle, centre)]

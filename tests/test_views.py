"""Test-time views: what IBM's program crops, in its order, and how it averages."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from models.cards.base import Resize
from models.transforms import resize
from models.views import average, crops, views
from tests.recipe import clip

DATA = Path(__file__).parent / "data"
GOLDEN = json.loads((DATA / "views.json").read_text())
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


@cache
def figures() -> dict[str, np.ndarray]:
    with np.load(DATA / "views.npz") as arrays:
        return dict(arrays)


@cache
def clips(source: str) -> torch.Tensor:
    """Two clips of two frames (2, 2, 3, H, W), the short side 256, normalised."""
    about = GOLDEN["sources"][source]
    shape = (3, about["T"], about["H"], about["W"])
    frames = np.rint(clip(about["tag"], shape) * 255).astype(np.uint8)
    frames = torch.from_numpy(frames).transpose(0, 1).float() / 255
    frames = resize(frames, Resize(short=256, filter="pillow"))
    return ((frames - MEAN) / STD).unflatten(0, (2, 2))


def places(width: int, height: int) -> torch.Tensor:
    """A frame (2, H, W) whose pixels say their column and their row."""
    rows, columns = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing="ij"
    )
    return torch.stack([columns, rows])


def boxes(offsets: dict) -> list[tuple[list[int], list[int]]]:
    """The first and the last pixel (column, row) of each golden crop."""
    found = []
    for box in offsets["boxes_left_top_right_bottom_in_order"]:
        if box == "flip":
            (left, top), (right, bottom) = found[-1]
            found.append(([right, top], [left, bottom]))
        else:
            left, top, right, bottom = box
            found.append(([left, top], [right - 1, bottom - 1]))
    return found


@pytest.mark.parametrize(
    "offsets",
    GOLDEN["offsets"],
    ids=lambda o: "{}x{}-{crop}-{num_crops}".format(*o["scaled_w_h"], **o),
)
def test_crops_lie_where_upstream_cuts_them(offsets):
    frame = places(*offsets["scaled_w_h"])
    cut = crops(frame, offsets["crop"], offsets["num_crops"])
    corners = [(one[:, 0, 0].tolist(), one[:, -1, -1].tolist()) for one in cut]
    assert corners == boxes(offsets)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_views_hold_the_pixels_of_upstream_in_its_order(case):
    name, source = case["name"], clips(case["source"])
    seen = views(source, case["input_size"], case["num_crops"])
    assert len(seen) == case["views"]
    # A resized pixel may be rounded to the next of 256 levels.
    resized = case["source"] in ("small", "big")
    pixel, whole = (1.01 / 255 / 0.224, 2e-4) if resized else (1e-5, 1e-5)
    sample = figures()[f"{name}__sample"]
    assert np.abs(seen[..., 3::37, 5::41].numpy() - sample).max() < pixel
    mean, std = figures()[f"{name}__view_mean"], figures()[f"{name}__view_std"]
    assert np.abs(seen.mean((1, 2, 3, 4)).numpy() - mean).max() < whole
    assert np.abs(seen.std((1, 2, 3, 4), correction=0).numpy() - std).max() < whole


@pytest.mark.parametrize("network", GOLDEN["averaging"])
def test_the_score_is_the_mean_of_the_views_logits(network):
    logits = torch.from_numpy(figures()[f"avg_{network}__view_logits"])
    score = average(logits, 6)
    expected = figures()[f"avg_{network}__logits"]
    assert np.abs(score.numpy() - expected).max() < 1e-6
    assert score.argmax() == GOLDEN["averaging"][network]


def test_every_video_of_a_batch_is_averaged_by_itself():
    scores = torch.tensor([[0.0, 4.0], [2.0, 0.0], [9.0, 1.0], [1.0, 3.0]])
    assert average(scores, 2).tolist() == [[1, 2], [5, 2]]
    assert torch.equal(average(scores, 1), scores)


def test_what_cannot_be_cut_or_averaged_is_refused():
    with pytest.raises(ValueError, match="256 pixels does not fit in 340x255"):
        crops(torch.zeros(3, 255, 340), 256, 3)
    with pytest.raises(ValueError, match="1, 3, 5 or 10 crops of a frame, not 4"):
        crops(torch.zeros(3, 256, 340), 224, 4)
    with pytest.raises(ValueError, match="5 scores are not videos of 2 views"):
        average(torch.zeros(5, 7), 2)

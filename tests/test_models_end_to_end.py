"""First and last windows of a video: our features against those of video_features.

Both sides have the weights of `tests.recipe`. The windows come from the project's own
decoding and window rule; all of them, through the whole program, are in
test_end_to_end_parity for cheaper models.
"""

import json

import numpy as np
import pytest
import torch

import models
from scripts.common.engine.decoding import read_windows
from scripts.common.engine.windows import Sampling
from tests.recipe import MEDIA, PARITY, Golden, relative_l2

VIDEO = MEDIA / "v_GGSY1Qvo990.mp4"
R2PLUS1D = "r21d/r2plus1d_34_32_ig65m_ft_kinetics"


@pytest.mark.parametrize(
    ("variant", "weights", "case", "count", "tolerance"),
    [
        # Pillow rounds to 8 bits once more than we do, between its two directions.
        ("i3d_hassony/rgb", "i3d_hassony/rgb", "i3d_rgb", 5, 5e-4),
        (R2PLUS1D, R2PLUS1D, "r21d_r2plus1d_34_32_ig65m_ft_kinetics", 11, 1e-4),
        (
            "r21d/r2plus1d_34_8_ig65m_ft_kinetics",
            R2PLUS1D,
            "r21d_r2plus1d_34_8_ig65m_ft_kinetics",
            44,
            1e-4,
        ),
    ],
)
def test_windows_of_a_video_have_the_upstream_features(
    variant, weights, case, count, tolerance
):
    if not VIDEO.exists():
        pytest.skip(f"the sample video {VIDEO.name} is not on this machine")
    path = PARITY / "e2e_video_features" / f"{case}_{VIDEO.stem}"
    about = json.loads(path.with_suffix(".json").read_text())
    with np.load(path.with_suffix(".npz")) as arrays:
        upstream = dict(arrays)
    name = models.resolve(variant)
    extractor = models.create(name, checkpoint=Golden(weights).weights)
    card = extractor.card
    assert (card.frames, card.fps) == (about["effective"]["stack_size"], None)

    sampling = Sampling(card.frames, card.stride, card.frames, "drop")
    windows = list(read_windows(VIDEO, sampling))
    assert len(windows) == len(upstream["features"]) == about["stacks"] == count
    first = models.prepare(windows[0].frames, card)
    if "first_stack_input_frame0" in upstream:  # normalised to [-1, 1]
        theirs = (upstream["first_stack_input_frame0"] + 1) / 2
        assert np.abs(first[:, 0, ::8, ::8].numpy() - theirs).max() < 1.01 / 255
        means = (upstream["first_stack_input_frame_means"] + 1) / 2
        assert relative_l2(first.mean(dim=(2, 3)).T, means) < 1e-4

    last = models.prepare(windows[-1].frames, card)
    with torch.inference_mode():
        ours = extractor(torch.stack([first, last]))["features"].double().numpy()
    for found, expected in zip(ours, upstream["features"][[0, -1]], strict=True):
        expected = expected.astype(np.float64)
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.9999
        assert relative_l2(found, expected) < tolerance

"""Whole videos at the prompt: our features against those of v-iashin/video_features.

Both sides have the weights of `tests.recipe`, so only decoding, windows, resize,
crop, normalisation and the network can differ. The videos are not part of the
repository; without them the tests skip.
"""

import json

import numpy as np
import pytest
import torch

import models
from scripts import extract_features
from scripts.common import store
from tests.recipe import MEDIA, PARITY, Golden, relative_l2

S3D = ("s3d_kylemin/s3d_video_features", "s3d_v_GGSY1Qvo990")
R2PLUS1D = (
    "r21d/r2plus1d_18_16_kinetics",
    "r21d_r2plus1d_18_16_kinetics_v_GGSY1Qvo990",
)


@pytest.mark.parametrize(
    ("case", "video", "tolerance"),
    [
        # The file that video_features itself re-encoded to 25 fps.
        (S3D, "v_GGSY1Qvo990_25fps_video_features.mp4", 1e-4),
        # The original: 25 fps is made of its frames, without x264's losses between.
        (S3D, "v_GGSY1Qvo990.mp4", 2e-3),
        (R2PLUS1D, "v_GGSY1Qvo990.mp4", 1e-4),
    ],
)
def test_every_window_of_a_video_has_the_upstream_features(
    tmp_path, case, video, tolerance
):
    if not (MEDIA / video).exists():
        pytest.skip(f"the sample video {video} is not on this machine")
    weights, golden = case
    about = json.loads((PARITY / "e2e_video_features" / f"{golden}.json").read_text())
    with np.load(PARITY / "e2e_video_features" / f"{golden}.npz") as outputs:
        expected = outputs["features"]
    checkpoint, features = tmp_path / "recipe.pt", tmp_path / "features.h5"
    state = {k: torch.from_numpy(v) for k, v in Golden(weights).weights.items()}
    torch.save(state, checkpoint)

    arguments = ["--model", models.resolve(weights), "--checkpoint", str(checkpoint)]
    arguments += ["--output", str(features), str(MEDIA / video)]
    with pytest.raises(SystemExit) as stopped:
        extract_features.main(arguments)
    assert not stopped.value.code

    ((_, arrays),) = store.read(features)
    stack = about["effective"]["stack_size"]
    assert arrays["features"].shape == expected.shape
    rate = about["effective"]["extraction_fps"] or 19.62  # the sample's own
    starts = np.arange(about["stacks"]) * stack / rate
    np.testing.assert_allclose(arrays["timestamps"][:, 0], starts, atol=1e-6)
    for found, theirs in zip(arrays["features"], expected, strict=True):
        found, theirs = found.astype(np.float64), theirs.astype(np.float64)
        cosine = found @ theirs / np.linalg.norm(found) / np.linalg.norm(theirs)
        assert cosine > 0.9999
        assert relative_l2(found, theirs) < tolerance

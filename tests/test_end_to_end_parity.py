"""Whole videos: our features against those of v-iashin/video_features.

Both sides have the weights of `tests.recipe`, so only decoding, windows, resize,
crop, normalisation and the network can differ. The videos are not part of the
repository; without them the tests skip.
"""

import json

import numpy as np
import pytest
import torch

import models
from tests.recipe import MEDIA, PARITY, Golden, relative_l2

CASES = {
    "s3d_k400_video_features": (
        "s3d_kylemin/s3d_video_features",
        "s3d_v_GGSY1Qvo990",
        "v_GGSY1Qvo990_25fps_video_features.mp4",
    ),
    "r2plus1d_18_k400": (
        "r21d/r2plus1d_18_16_kinetics",
        "r21d_r2plus1d_18_16_kinetics_v_GGSY1Qvo990",
        "v_GGSY1Qvo990.mp4",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_window_of_a_video_has_the_upstream_features(name):
    weights, golden, video = CASES[name]
    if not (MEDIA / video).exists():
        pytest.skip(f"the sample video {video} is not on this machine")
    decoders = pytest.importorskip("torchcodec.decoders")
    about = json.loads((PARITY / "e2e_video_features" / f"{golden}.json").read_text())
    with np.load(PARITY / "e2e_video_features" / f"{golden}.npz") as outputs:
        expected = outputs["features"]

    assert models.resolve(weights) == name
    extractor = models.create(name, checkpoint=Golden(weights).weights)
    extractor = extractor.to(memory_format=torch.channels_last_3d)
    card = extractor.card
    assert card.frames == about["effective"]["stack_size"]
    decoder = decoders.VideoDecoder(
        MEDIA / video, seek_mode="exact", dimension_order="NCHW"
    )
    assert len(decoder) == about["frames_decoded"]
    windows = len(decoder) // card.frames
    assert windows == len(expected) == about["stacks"]

    for window in range(windows):
        start = window * card.frames
        clip = models.prepare(decoder[start : start + card.frames], card)
        with torch.inference_mode():
            found = extractor(clip[None])["features"][0].double().numpy()
        theirs = expected[window].astype(np.float64)
        cosine = found @ theirs / np.linalg.norm(found) / np.linalg.norm(theirs)
        assert cosine > 0.9999, f"window {window}"
        assert relative_l2(found, theirs) < 1e-4, f"window {window}"

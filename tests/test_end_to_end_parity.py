"""Whole videos at the prompt, against v-iashin/video_features and VideoFeatures_TVG.

Both sides have the weights of `tests.recipe`, so only decoding, windows, resize,
crop, normalisation and the network can differ. The videos are not part of the
repository; without them the tests skip.
"""

import csv
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models import networks
from scripts import extract_features
from scripts.common import store
from tests.recipe import MEDIA, PARITY, Golden, relative_l2, weight

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


SHARED = MEDIA.with_name("parity")
GROUNDING = ("X3D_S", "SLOWFAST_8x8_R50", "SLOW_8x8_R50", "MVITv2_S_16x4")


def published_file(name: str, folder: Path) -> Path:
    """Write a network's recipe weights as PySlowFast publishes such ones."""
    if name.startswith("MVIT"):  # whose own keys are torchvision's
        about = json.loads((SHARED / "pyslowfast" / f"{name}.json").read_text())
        shapes = about["state_dict"]
    else:
        with torch.device("meta"):
            network = networks.build(models.card(models.resolve(f"pyslowfast/{name}")))
        shapes = {key: value.shape for key, value in network.state_dict().items()}
    state = {key: weight(key, tuple(shape)) for key, shape in shapes.items()}
    if not name.startswith("SLOW"):
        path = folder / f"{name}.pyth"
        tensors = {key: torch.from_numpy(value) for key, value in state.items()}
        optimizer = {"state": {}, "param_groups": [{"lr": 0.1}]}
        saved = {"epoch": 300, "model_state": tensors, "optimizer_state": optimizer}
        torch.save(saved | {"cfg": "TRAIN:\n  ENABLE: true\n"}, path)
        return path
    with (PARITY / "pyslowfast" / "caffe2.tsv").open(newline="") as file:
        blobs = {
            row["blob"]: state[row["key"]]
            for row in csv.DictReader(file, delimiter="\t")
            if row["key"] in state
        }
    path = folder / f"{name}.pkl"
    path.write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))
    return path


@pytest.mark.parametrize("name", GROUNDING)
def test_every_bucket_of_a_video_has_the_features_of_the_grounding_extractor(
    tmp_path, name
):
    golden = SHARED / "e2e_pyslowfast" / f"{name}_v_GGSY1Qvo990"
    if not golden.with_suffix(".json").exists():
        pytest.skip("the golden features are not on this machine")
    if name != "X3D_S" and "REELSET_SLOW" not in os.environ:
        pytest.skip("a whole video takes a minute; REELSET_SLOW=1 runs it")
    about = json.loads(golden.with_suffix(".json").read_text())
    bucket, count = about["clips"]["d"], about["clips"]["n"]
    with np.load(golden.with_suffix(".npz")) as outputs:
        expected = outputs["features_center"]

    features = tmp_path / "features.h5"
    arguments = ["--model", f"pyslowfast/{name}", "--fps", "source", "--tail", "pad"]
    arguments += ["--checkpoint", str(published_file(name, tmp_path))]
    arguments += ["--stack", str(bucket), "--stride", "1", "--step", str(bucket)]
    arguments += ["--output", str(features), str(MEDIA / "v_GGSY1Qvo990.mp4")]
    with pytest.raises(SystemExit) as stopped:
        extract_features.main(arguments)
    assert not stopped.value.code

    ((_, arrays),) = store.read(features)
    ours = arrays["features"]
    step = -(-ours.shape[1] // expected.shape[1])
    assert len(ours) == len(expected) == count
    # The original fills the last bucket by chance. The next bucket's features are 2e-2
    # and more away.
    for found, theirs in zip(ours[:-1, ::step], expected[:-1], strict=True):
        assert relative_l2(found, theirs) < 1e-4

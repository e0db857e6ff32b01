"""X3D: parity, sizes, the head's windows, weights as published."""

import csv
import hashlib

import numpy as np
import pytest
import torch
from torchcodec.decoders import VideoDecoder

import models
from models import checkpoints, networks
from models.x3d import Head
from tests.recipe import MEDIA, PARITY, clip, relative_l2, weight

FOLDER = PARITY / "pyslowfast"
VIDEO = MEDIA / "v_GGSY1Qvo990.mp4"

with (FOLDER / "x3d.tsv").open(newline="") as file:
    GOLDEN = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def shapes(variant: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = networks.build(models.card(models.resolve(f"pyslowfast/{variant}")))
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def recipe_weights(variant: str) -> dict[str, np.ndarray]:
    """Weights under our own keys: other keys than upstream's would be other weights."""
    return {key: weight(key, shape) for key, shape in shapes(variant).items()}


def extractor_of(variant: str, checkpoint) -> models.Extractor:
    name = models.resolve(f"pyslowfast/{variant}")
    return models.create(name, checkpoint=checkpoint)


# Parity


@pytest.mark.parametrize(
    ("variant", "layout"), [("X3D_M", "plain"), ("X3D_M__native", "channels last")]
)
def test_outputs_equal_those_of_the_upstream_network(variant, layout):
    row = GOLDEN[variant]
    shape = (3, int(row["frames"]), int(row["side"]), int(row["side"]))
    clips = torch.from_numpy(clip(f"pyslowfast/{variant}", shape))[None]
    extractor = extractor_of(variant, recipe_weights(variant))
    if layout == "channels last":
        extractor = extractor.to(memory_format=torch.channels_last_3d)
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        ours = extractor(clips)
    with np.load(FOLDER / "x3d.npz") as golden:
        for feature in ("features", "stage5", "logits"):
            theirs = golden[f"{variant}/{feature}"]
            assert relative_l2(ours[feature][0], theirs) < 2e-6, feature


@pytest.mark.skipif(not VIDEO.is_file(), reason=f"{VIDEO.name} is not at hand")
def test_clips_of_a_video_have_the_upstream_features():
    """Of neighbouring frames, through resize and crop; every fourth number is kept."""
    extractor = extractor_of("X3D_S", recipe_weights("X3D_S"))
    with np.load(FOLDER / "x3d.npz") as golden:
        expected = golden[f"{VIDEO.stem}/X3D_S"]
    frames = VideoDecoder(VIDEO).get_frames_in_range(0, 13 * len(expected)).data
    clips = [models.prepare(part, extractor.card) for part in frames.split(13)]
    with torch.inference_mode():
        ours = extractor(torch.stack(clips))["features"]
    assert relative_l2(ours[:, ::4], expected) < 5e-5


@pytest.mark.parametrize("variant", GOLDEN)
def test_keys_shapes_and_parameters_are_those_of_the_published_checkpoint(variant):
    row = GOLDEN[variant]
    lines = sorted(f"{key} {list(shape)}" for key, shape in shapes(variant).items())
    assert len(lines) == int(row["entries"])
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == row["sha256"]
    name = models.resolve(f"pyslowfast/{variant}")
    assert models.count_parameters(name) == int(row["parameters"])


def test_a_file_of_the_training_program_fits(tmp_path):
    weights = {k: torch.tensor(v) for k, v in recipe_weights("X3D_XS").items()}
    path = tmp_path / "x3d_xs.pyth"
    saved = {"model_state": weights, "epoch": 299, "optimizer_state": {}, "cfg": "BN: "}
    torch.save(saved, path)
    state = extractor_of("X3D_XS", path).network.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in weights.items())


def test_the_weights_of_another_size_are_refused():
    with pytest.raises(checkpoints.CheckpointError, match=r"s2.pathway0_res3.*missing"):
        extractor_of("X3D_L", recipe_weights("X3D_M"))


# Sizes


@pytest.mark.parametrize(
    ("size", "parameters"), [("XS", 3.8e6), ("S", 3.8e6), ("M", 3.8e6), ("L", 6.2e6)]
)
def test_sizes_are_the_published_ones(size, parameters):
    name = models.resolve(f"pyslowfast/X3D_{size}")
    assert name == f"x3d_{size.lower()}_k400"
    assert models.count_parameters(name) == pytest.approx(parameters, rel=0.01)


def test_the_work_is_the_published_one():
    """Of clips of 224 x 224 pixels; the card's are larger."""
    counted = models.count_macs("x3d_m_k400")["convolutions"] * (224 / 256) ** 2
    assert counted == pytest.approx(4.73e9, rel=0.002)


def test_the_head_averages_over_windows_of_the_size_of_training():
    head = Head(inputs=4, window=3, classes=5).eval()
    x = torch.randn(2, 4, 6, 4, 5)
    windows = [
        head(x[..., top : top + 3, left : left + 3])
        for top in range(2)
        for left in range(3)
    ]
    for name, value in head(x).items():
        mean = torch.stack([window[name] for window in windows]).mean(dim=0)
        torch.testing.assert_close(value, mean, rtol=1e-4, atol=1e-5)


def test_clips_of_any_length_and_small_ones_are_taken():
    extractor = models.create("x3d_xs_k400")
    for frames, side in ((1, 32), (7, 64)):
        outputs = extractor(torch.rand(1, 3, frames, side, side))
        assert outputs["features"].shape == (1, 2048)
        assert outputs["stage5"].shape == (1, frames, 192)

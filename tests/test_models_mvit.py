"""MViT and reversible MViT: parity, keys of two sources, sizes, older files."""

import csv
import hashlib
import os

import numpy as np
import pytest
import torch
from torchcodec.decoders import VideoDecoder
from torchvision.models.video import mvit_v1_b, mvit_v2_s

import models
from models import checkpoints, networks
from models.mvit import positions
from tests.recipe import MEDIA, PARITY, clip, relative_l2, weight

FOLDER = PARITY / "pyslowfast"
VIDEO = MEDIA / "v_GGSY1Qvo990.mp4"
V2, REVERSIBLE = "MVITv2_S_16x4", "REV_MVIT_B_16x4_CONV"

with (FOLDER / "mvit.tsv").open(newline="") as file:
    GOLDEN = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}

# Parts of torchvision's keys, and what they are in PySlowFast's.
UPSTREAM = {
    "pos_encoding.class_token": "cls_token",
    "pos_encoding.class_pos": "pos_embed_class",
    "pos_encoding.spatial_pos": "pos_embed_spatial",
    "pos_encoding.temporal_pos": "pos_embed_temporal",
    "conv_proj.": "patch_embed.proj.",
    "attn.project.0.": "attn.proj.",
    "pool.": "",
    "pool_q.norm_act.0": "norm_q",
    "pool_k.norm_act.0": "norm_k",
    "pool_v.norm_act.0": "norm_v",
    "mlp.0.": "mlp.fc1.",
    "mlp.3.": "mlp.fc2.",
    "project.": "proj.",
    "head.1.": "head.projection.",
}


def empty(variant: str) -> torch.nn.Module:
    with torch.device("meta"):
        return networks.build(models.card(models.resolve(f"pyslowfast/{variant}")))


def upstream_shapes(variant: str) -> dict[str, tuple[int, ...]]:
    """PySlowFast's keys and shapes; that they are right is a test of their own."""
    shapes = {}
    for key, value in empty(variant).state_dict().items():
        shape = tuple(value.shape)
        if key.startswith("pos_encoding."):
            shape = (1,) * (3 - len(shape)) + shape
        if variant != REVERSIBLE:
            for own, theirs in UPSTREAM.items():
                key = key.replace(own, theirs)
        shapes[key] = shape
    return shapes


def upstream_weights(variant: str) -> dict[str, np.ndarray]:
    return {key: weight(key, shape) for key, shape in upstream_shapes(variant).items()}


def extractor_of(variant: str, checkpoint=None) -> models.Extractor:
    return models.create(models.resolve(f"pyslowfast/{variant}"), checkpoint)


# Parity


@pytest.mark.parametrize("variant", GOLDEN)
def test_outputs_equal_those_of_the_upstream_network(variant):
    if variant not in (V2, REVERSIBLE) and "REELSET_SLOW" not in os.environ:
        pytest.skip("32 frames take half a minute; REELSET_SLOW=1 runs them")
    row = GOLDEN[variant]
    shape = (3, int(row["frames"]), int(row["side"]), int(row["side"]))
    clips = torch.from_numpy(clip(f"pyslowfast/{variant}", shape))[None]
    extractor = extractor_of(variant, upstream_weights(variant))
    with torch.inference_mode():
        ours = extractor(clips)
    with np.load(FOLDER / "mvit.npz") as golden:
        for feature in ("features", "logits"):
            theirs = golden[f"{variant}/{feature}"]
            assert relative_l2(ours[feature][0], theirs) < 5e-6, feature


@pytest.mark.skipif(not VIDEO.is_file(), reason=f"{VIDEO.name} is not at hand")
def test_a_clip_of_a_video_has_the_upstream_features():
    """Of neighbouring frames, through resize and crop; every second number is kept.

    The crop's offset is 58.5 pixels: by the lower of the two, features are 7% off.
    """
    extractor = extractor_of(V2, upstream_weights(V2))
    frames = VideoDecoder(VIDEO).get_frames_in_range(0, 16).data
    with torch.inference_mode():
        ours = extractor(models.prepare(frames, extractor.card)[None])["features"]
    with np.load(FOLDER / "mvit.npz") as golden:
        assert relative_l2(ours[:, ::2], golden[f"{VIDEO.stem}/{V2}"]) < 1e-5


@pytest.mark.parametrize("variant", GOLDEN)
def test_keys_shapes_and_parameters_are_those_of_the_published_checkpoint(variant):
    row, shapes = GOLDEN[variant], upstream_shapes(variant)
    lines = sorted(f"{key} {list(shape)}" for key, shape in shapes.items())
    assert len(lines) == int(row["entries"])
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == row["sha256"]
    name = models.resolve(f"pyslowfast/{variant}")
    assert models.count_parameters(name) == int(row["parameters"])


@pytest.mark.parametrize(
    ("variant", "function"),
    [("MVIT_B_16x4_CONV", mvit_v1_b), ("MVITv2_S_16x4", mvit_v2_s)],
)
def test_torchvisions_own_variants_are_the_same_networks(variant, function):
    with torch.device("meta"):
        theirs = function(stochastic_depth_prob=0.0)
    ours = empty(variant)
    assert repr(ours.blocks) == repr(theirs.blocks)
    assert repr(ours.conv_proj) == repr(theirs.conv_proj)
    converted = ours.convert(theirs.state_dict())
    assert {k: v.shape for k, v in converted.items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }


# Files


def test_an_older_file_does_not_pool_keys_and_values_in_the_last_stage(tmp_path):
    weights = upstream_weights("MVIT_B_16x4_CONV")
    pools = tuple(
        f"blocks.{block}.attn.{layer}_{name}."
        for block in (14, 15)
        for layer in ("pool", "norm")
        for name in "kv"
    )
    older = {k: torch.tensor(v) for k, v in weights.items() if not k.startswith(pools)}
    assert len(older) == len(weights) - 12
    path = tmp_path / "k400.pyth"
    torch.save({"model_state": older, "epoch": 200}, path)
    blocks = extractor_of("MVIT_B_16x4_CONV__ckpt", path).network.blocks
    pooled = [number for number, block in enumerate(blocks) if block.attn.pool_k]
    assert pooled == list(range(14))
    assert not blocks[15].attn.pool_v

    del older["blocks.13.attn.pool_k.weight"]
    with pytest.raises(checkpoints.CheckpointError, match=r"13.attn.pool_k.*missing"):
        extractor_of("MVIT_B_16x4_CONV__ckpt", older)


def test_the_weights_of_another_size_are_refused():
    with pytest.raises(checkpoints.CheckpointError, match="unexpected"):
        extractor_of("MVIT_B_16x4_CONV", upstream_weights(V2))


# Sizes


@pytest.mark.parametrize(
    ("variant", "name", "parameters"),
    [
        ("MVIT_B_16x4_CONV", "mvit_b_16x4_k400", 36.6e6),
        ("MVIT_B_32x3_CONV_K600", "mvit_b_32x3_k600", 53.3e6),
        ("MVITv2_B_32x3", "mvitv2_b_32x3_k400", 51.2e6),
        ("REV_MVIT_B_16x4_CONV", "rev_mvit_b_16x4_k400", 34.9e6),
    ],
)
def test_sizes_are_the_published_ones(variant, name, parameters):
    assert models.resolve(f"pyslowfast/{variant}") == name
    assert models.count_parameters(name) == pytest.approx(parameters, rel=0.003)


def test_places_of_the_own_size_are_sums_and_others_lie_between():
    time, space = torch.randn(4, 6), torch.randn(9, 6)
    own = positions(time, space, (3, 3), (4, 3, 3)).unflatten(0, (4, 3, 3))
    for t in range(4):
        for y in range(3):
            for x in range(3):
                assert torch.equal(own[t, y, x], time[t] + space[3 * y + x])
    ramp = torch.arange(8.0)[:, None]
    halved = positions(ramp, torch.zeros(9, 1), (3, 3), (4, 3, 3))
    assert halved.unflatten(0, (4, 9))[:, 0, 0].tolist() == [0.5, 2.5, 4.5, 6.5]
    flat = positions(torch.zeros(4, 6), space[:1].expand(9, 6), (3, 3), (4, 5, 2))
    torch.testing.assert_close(flat, space[:1].expand(40, 6))


@pytest.mark.parametrize("variant", ["MVIT_B_16x4_CONV", V2, REVERSIBLE])
def test_clips_of_another_size_are_taken(variant):
    extractor = extractor_of(variant)
    extractor = extractor.to(memory_format=torch.channels_last_3d)
    for sides in ((1, 32, 32), (5, 64, 48)):
        clips = torch.rand(2, 3, *sides)
        clips = clips.contiguous(memory_format=torch.channels_last_3d)
        features = extractor(clips)["features"]
        assert features.isfinite().all()
        assert relative_l2(features[0], features[1]) > 1e-3


@pytest.mark.parametrize(
    ("upstream", "name", "window"),
    [
        ("MVITv2_S_16x4_SSv2", "mvitv2_s_16x4_ssv2", (16, 4, 224)),
        ("pyslowfast/MVITv2_B_32x3_SSv2", "mvitv2_b_32x3_ssv2", (32, 3, 224)),
        ("MVITv2_L_40x3 (SSv2)", "mvitv2_l_40x3_ssv2", (40, 3, 312)),
    ],
)
def test_the_networks_of_something_something_resolve(upstream, name, window):
    assert models.resolve(upstream) == name
    card = models.card(name)
    assert (card.frames, card.stride, card.crop) == window
    assert (card.classes, card.features["logits"].dim) == ("something_v2", 174)
    kinetics = f"{name.removesuffix('ssv2')}k400"
    fewer = (400 - 174) * (card.features["features"].dim + 1)
    found = models.count_parameters(name)
    assert found == models.count_parameters(kinetics) - fewer


def test_a_network_of_another_window_is_unknown():
    with pytest.raises(models.UnknownModel):
        models.resolve("MVITv2_S_32x3_SSv2")

"""PySlowFast's ResNets: parity, names, layouts of weights, weights of others."""

import csv
import hashlib
import os

import numpy as np
import pytest
import torch

import models
from models import checkpoints, networks
from models.non_local import SlowFastNonLocal
from models.slowfast import ResNet, slow_frames
from models.slowfast_layers import Head
from tests.recipe import PARITY, clip, relative_l2, weight

FOLDER = PARITY / "pyslowfast"
# One of each kind of trunk and of non-local block; the others take minutes.
LIGHT = (
    "I3D_NLN_8x8_R50__nlscaled",
    "SLOWFAST_8x8_R50",
    "SLOWFAST_8x8_R101_50_50_AVA__nlscaled",
)

with (FOLDER / "resnets.tsv").open(newline="") as file:
    GOLDEN = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def empty(variant: str) -> ResNet:
    with torch.device("meta"):
        return networks.build(models.card(models.resolve(f"pyslowfast/{variant}")))


def recipe_weights(variant: str) -> dict[str, np.ndarray]:
    """Weights under our own keys: other keys than upstream's would be other weights.

    With the plain recipe, non-local blocks amplify noise or overflow: the figures are
    of scaled ones.
    """
    shapes = {key: tuple(v.shape) for key, v in empty(variant).state_dict().items()}
    state = {key: weight(key, shape) for key, shape in shapes.items()}
    scale = np.float32(GOLDEN[variant]["nonlocal_scale"])
    for key in state:
        if key.endswith(("conv_theta.weight", "conv_phi.weight", "conv_g.weight")):
            state[key] *= scale
    return state


def shaped(variant: str) -> dict[str, torch.Tensor]:
    """Weights of which only the shapes matter, in no memory."""
    return empty(variant).state_dict()


# Parity


@pytest.mark.parametrize("variant", GOLDEN)
def test_outputs_equal_those_of_the_upstream_network(variant):
    if variant not in LIGHT and "REELSET_SLOW" not in os.environ:
        pytest.skip("all clips of all variants take minutes; REELSET_SLOW=1 runs them")
    row = GOLDEN[variant]
    shape = (3, int(row["frames"]), int(row["side"]), int(row["side"]))
    clips = torch.from_numpy(clip(f"pyslowfast/{variant}", shape))[None]
    name = models.resolve(f"pyslowfast/{variant}")
    extractor = models.create(name, checkpoint=recipe_weights(variant))
    with torch.inference_mode():
        ours = extractor(clips)
    with np.load(FOLDER / "resnets.npz") as golden:
        for feature in ("features", "logits"):
            theirs = golden[f"{variant}/{feature}"]
            assert relative_l2(ours[feature][0], theirs) < 1e-5, feature


@pytest.mark.parametrize("variant", GOLDEN)
def test_keys_shapes_and_parameters_are_those_of_the_published_checkpoint(variant):
    row, state = GOLDEN[variant], shaped(variant)
    lines = sorted(f"{key} {list(value.shape)}" for key, value in state.items())
    assert len(lines) == int(row["entries"])
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == row["sha256"]
    name = models.resolve(f"pyslowfast/{variant}")
    assert models.count_parameters(name) == int(row["parameters"])


def test_multiply_accumulates_are_those_of_the_paper():
    # Table 2 of https://arxiv.org/abs/1812.03982, in billions.
    published = {
        "slow_4x16": 27.3,
        "slow_8x8": 54.5,
        "slowfast_4x16": 36.1,
        "slowfast_8x8": 65.7,
    }
    for name, billions in published.items():
        macs = models.count_macs(f"{name}_r50_k400")
        assert round(macs["convolutions"] / 1e9, 1) == billions


def test_c2d_without_pools_in_time_sees_each_frame_alone():
    # Both have the same weights of the same seed.
    nopool, pool = map(models.create, ("c2d_nopool_8x8_r50_k400", "c2d_8x8_r50_k400"))
    clips = torch.rand(1, 3, 4, 64, 64)
    frames = [nopool(clips[:, :, n : n + 1])["features"] for n in range(4)]
    alone = nopool(clips)["features"]
    assert relative_l2(alone, sum(frames) / 4) < 1e-5
    assert relative_l2(pool(clips)["features"], alone) > 0.01


# The parts


def test_the_slow_pathway_sees_every_fourth_frame_of_the_first_to_the_last():
    assert slow_frames(8, 4) == [0, 7]
    assert slow_frames(16, 4) == [0, 5, 10, 15]
    assert slow_frames(32, 4) == [0, 4, 8, 13, 17, 22, 26, 31]
    assert slow_frames(64, 4)[:6] == [0, 4, 8, 12, 16, 21]
    assert [slow_frames(frames, 4) for frames in (1, 4, 5)] == [[0], [0], [0, 4]]
    assert slow_frames(32, 8) == [0, 10, 20, 31]


@pytest.mark.parametrize("name", ["slowfast_4x16_r50_k400", "slowfast_8x8_r50_k400"])
def test_slowfast_takes_clips_of_any_length(name):
    extractor = models.create(name)
    for frames in (1, 6, 9):
        features = extractor(torch.rand(2, 3, frames, 32, 32))["features"]
        assert features.shape == (2, 2304)
        assert features.isfinite().all()


@pytest.mark.parametrize(
    ("window", "side", "weights"),
    [
        (7, 8, [1, 2, 2, 2, 2, 2, 2, 1]),
        (7, 16, [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 6, 5, 4, 3, 2, 1]),
        (7, 7, [1] * 7),
        (7, 2, [1, 1]),
        (None, 8, [1] * 8),
    ],
)
def test_windows_make_the_middle_of_a_map_count_more(window, side, weights):
    columns = torch.eye(side)[None, :, None, None, :].expand(1, side, 3, side, side)
    features = Head(side, 4, window)([columns])["features"][0]
    expected = torch.tensor(weights) / sum(weights)
    torch.testing.assert_close(features, expected)


@pytest.mark.parametrize("softmax", [True, False])
def test_a_nonlocal_block_mixes_all_places_and_changes_nothing_untrained(softmax):
    torch.manual_seed(1)
    block = SlowFastNonLocal(8, softmax, (1, 2, 2)).eval()
    x = torch.rand(1, 8, 2, 4, 4)
    assert torch.equal(block(x), x)
    torch.nn.init.ones_(block.bn.weight)
    other = x.clone()
    other[..., 3, 3] += 5
    moved = (block(other) - block(x))[..., 0, 0].abs()
    assert moved.amax() > 1e-3


@pytest.mark.parametrize(
    "name", ["i3d_nln_8x8_r50_k400", "slowfast_8x8_r101_ava"], ids=str
)
def test_the_shortest_clip_passes_nonlocal_blocks(name):
    extractor = models.create(name)
    least = extractor.card.min_frames
    outputs = extractor(torch.rand(1, 3, least, 64, 64))
    assert all(value.isfinite().all() for value in outputs.values())


# Layouts


@pytest.fixture(scope="module")
def slow() -> dict[str, torch.Tensor]:
    return models.create("slow_8x8_r50_k400", seed=3).network.state_dict()


def loaded(state, path=None) -> dict[str, torch.Tensor]:
    if path:
        torch.save(state, path)
    extractor = models.create("slow_8x8_r50_k400", checkpoint=path or state)
    return extractor.network.state_dict()


def assert_same(ours: dict, theirs: dict) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert torch.equal(ours[key], value), key


def test_a_training_checkpoint_named_like_a_caffe2_pickle_is_read(slow, tmp_path):
    content = {
        "epoch": 195,
        "model_state": slow,
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "cfg": "MODEL:\n  ARCH: slow\n",
    }
    assert_same(loaded(content, tmp_path / "SLOWONLY_8x8_R50.pkl"), slow)


def test_the_norms_of_multigrid_training_are_folded(slow):
    split = {}
    for key, value in slow.items():
        norm, _, part = key.rpartition("bn.")
        if norm and part in ("running_mean", "running_var"):
            split[f"{norm}bn.bn.{part}"] = value
            split[f"{norm}bn.split_bn.{part}"] = torch.cat([value, value + 1])
        elif norm and part == "num_batches_tracked":
            split[f"{norm}bn.bn.{part}"] = value
            split[f"{norm}bn.split_bn.{part}"] = value + 1
        elif norm:
            split[key] = value[:, None, None, None]
        else:
            split[key] = value
    assert_same(loaded({"model_state": split}), slow)


def test_a_norm_without_statistics_of_the_whole_is_missing_them(slow):
    split = dict(slow)
    mean = split.pop("s1.pathway0_stem.bn.running_mean")
    split["s1.pathway0_stem.bn.split_bn.running_mean"] = torch.cat([mean, mean])
    with pytest.raises(checkpoints.CheckpointError, match=r"running_mean missing"):
        loaded(split)


# Weights of another network


def test_weights_of_another_network_are_told_by_their_look():
    slow = shaped("SLOW_8x8_R50")
    with pytest.raises(checkpoints.CheckpointError) as caught:
        checkpoints.load_strict(empty("C2D_8x8_R50"), slow)
    message = str(caught.value)
    assert "s4.pathway0_res0.branch2.a.weight (256, 512, 3, 1, 1), not" in message
    assert "the file looks like Slow R50 (its kernels span 1, 1, 1, 3 and 3" in message


@pytest.mark.parametrize(
    ("variant", "look"),
    [
        ("C2D_8x8_R50", "C2D R50 "),
        ("I3D_8x8_R50", "I3D R50 "),
        ("I3D_NLN_8x8_R50__nlscaled", "I3D NLN R50 "),
        ("SLOW_8x8_R50", "Slow R50 "),
        ("SLOWFAST_8x8_R50", "SlowFast R50 "),
        ("SLOWFAST_8x8_R101_50_50_AVA__nlscaled", "SlowFast NLN R101 "),
    ],
)
def test_each_network_is_recognised(variant, look):
    assert ResNet.recognise(shaped(variant)).startswith(look)


def test_weights_of_no_such_network_look_like_nothing():
    other = {"s1.pathway0_stem.conv.weight": torch.ones(3), "fc.weight": torch.ones(2)}
    assert ResNet.recognise(other) is None
    with pytest.raises(checkpoints.CheckpointError) as caught:
        checkpoints.load_strict(empty("SLOW_8x8_R50"), other)
    assert "looks like" not in str(caught.value)


# Names and cards


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        ("pyslowfast/C2D_NOPOOL_8x8_R50", "c2d_nopool_8x8_r50_k400"),
        ("C2D NOPOOL (K400)", "c2d_nopool_8x8_r50_k400"),
        ("C2D_8x8_R50", "c2d_8x8_r50_k400"),
        ("I3D_8x8_R50", "i3d_8x8_r50_k400"),
        ("pyslowfast/I3D_NLN_8x8_R50__nlscaled", "i3d_nln_8x8_r50_k400"),
        ("SLOW_8x8_R50", "slow_8x8_r50_k400"),
        ("SLOWFAST_8x8", "slowfast_8x8_r50_k400"),
        ("pyslowfast/SLOWFAST_8x8_R50__native", "slowfast_8x8_r50_k400"),
        ("SLOWFAST_16x8_R50 (Charades)", "slowfast_16x8_r50_charades"),
        ("SLOWFAST_16x8_R50_multigrid (K400)", "slowfast_8x8_r50_multigrid_k400"),
        ("SLOWFAST_16x8_R50_multigrid (SSv2)", "slowfast_16x8_r50_multigrid_ssv2"),
        ("SLOWFAST_16x8_R50_multigrid_CH", "slowfast_16x8_r50_multigrid_charades"),
        ("pyslowfast/SLOW_4x16_R50", "slow_4x16_r50_k400"),
        ("pyslowfast/SLOWFAST_4x16_R50", "slowfast_4x16_r50_k400"),
        ("SLOWFAST_8x8_R50_stepwise", "slowfast_8x8_r50_stepwise_k400"),
        ("SLOWFAST_32x2_R101_50_50_v2.1", "slowfast_8x8_r101_ava_v21"),
        (
            "pyslowfast/SLOWFAST_16x8_R50_multigrid_SSv2__native",
            "slowfast_16x8_r50_multigrid_ssv2",
        ),
        ("SLOWFAST_16x8_R101_AVA", "slowfast_16x8_r101_ava"),
        (
            "pyslowfast/SLOWFAST_8x8_R101_50_50_AVA__native__nlscaled",
            "slowfast_8x8_r101_ava",
        ),
        ("pyslowfast/SLOWFAST_8x8_R50__ckpt", "slowfast_8x8_r50_k400"),
    ],
)
def test_upstream_names_and_those_of_checks_resolve(upstream, name):
    assert models.resolve(upstream) == name


def test_other_names_do_not_resolve():
    for name in ("pyslowfast/SLOWFAST_9x9_R50", "SLOW_8x8_R50__other", "__native"):
        with pytest.raises(models.UnknownModel):
            models.resolve(name)


def test_cards_take_the_clips_that_the_networks_were_tested_with():
    def figures(name: str) -> tuple:
        card = models.card(name)
        return card.frames, card.stride, card.resize.smallest, card.crop, card.classes

    kinetics = 256, 256, "kinetics400"
    assert figures("c2d_nopool_8x8_r50_k400") == (8, 8, *kinetics)
    assert figures("slow_8x8_r50_k400") == (8, 8, *kinetics)
    assert figures("slowfast_8x8_r50_k400") == (32, 2, *kinetics)
    multigrid = (32, 2, 224, 224, "kinetics400")
    assert figures("slowfast_8x8_r50_multigrid_k400") == multigrid
    assert figures("slowfast_16x8_r50_charades") == (64, 2, 256, 256, "charades")
    assert figures("slow_4x16_r50_k400") == (4, 16, *kinetics)
    assert figures("slowfast_4x16_r50_k400") == (32, 2, *kinetics)
    assert figures("slow_4x16_r50_ava") == (4, 16, 256, 256, "ava")
    ssv2 = (64, 2, 256, 224, "something_v2")
    assert figures("slowfast_16x8_r50_multigrid_ssv2") == ssv2
    assert figures("slowfast_8x8_r101_ava") == (32, 2, 256, 256, "ava")
    assert figures("slowfast_16x8_r101_ava") == (64, 2, 256, 256, "ava")

"""IBM's study: parity with its networks, its table of figures, its names."""

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import models
from models import __main__, networks
from models.cards import ibm
from models.ibm_layers import TAM, halve_time
from tests.recipe import PARITY, clip, relative_l2, weight

FOLDER = PARITY / "ibm_action"
TABLE = Path(ibm.__file__).with_name("ibm_benchmark.tsv")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


KEYS = rows(FOLDER / "keys.tsv")
BENCHMARK = rows(TABLE)


def recipe_weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Weights under our own keys: other keys than upstream's would be other weights."""
    state = network.state_dict()
    return {key: weight(key, tuple(value.shape)) for key, value in state.items()}


def empty(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return networks.build(models.card(name))


def extractor_of(variant: str, nest=dict) -> models.Extractor:
    name = models.resolve(f"ibm_action/{variant}")
    return models.create(name, checkpoint=nest(recipe_weights(empty(name))))


def golden_clip(variant: str) -> torch.Tensor:
    card = models.card(models.resolve(variant))
    shape = (3, card.frames, card.crop, card.crop)
    return torch.from_numpy(clip(f"ibm_action/{variant}", shape))[None]


# Parity


@pytest.mark.parametrize("variant", [row["name"] for row in KEYS])
def test_outputs_equal_those_of_the_upstream_network(variant):
    if variant[0].isupper() and "REELSET_SLOW" not in os.environ:
        pytest.skip("32 frames of 256 x 256 take long; REELSET_SLOW=1 runs it")
    with torch.inference_mode():
        found = extractor_of(variant)(golden_clip(variant))
    with np.load(FOLDER / "outputs.npz") as golden:
        expected = {
            key.split("/")[1]: golden[key]
            for key in golden.files
            if key.startswith(f"{variant}/")
        }
    assert {"features", "logits"} <= set(expected)
    for name, value in expected.items():
        ours = found[name][0]
        if name == "map":  # stored as every n-th number of (C, T', h, w)
            ours = ours.movedim(-1, 0).flatten()
            ours = ours[:: -(-len(ours) // len(value))]
        assert relative_l2(ours, value) < 1e-5, name


@pytest.mark.parametrize("row", KEYS, ids=lambda row: row["name"])
def test_keys_and_shapes_are_those_of_the_published_checkpoint(row):
    state = empty(models.resolve(f"ibm_action/{row['name']}")).state_dict()
    lines = sorted(f"{key} {list(value.shape)}" for key, value in state.items())
    assert len(lines) == int(row["entries"])
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == row["sha256"]


def test_a_checkpoint_of_the_training_program_fits():
    variant = "mini_ssv2-TAM-resnet-18-f8"

    def trained(state: dict) -> dict:
        state = {f"module.{key}": value for key, value in state.items()}
        return {"epoch": 75, "arch": "resnet", "state_dict": state, "best_top1": 59.1}

    nested, plain = extractor_of(variant, trained), extractor_of(variant)
    for key, value in nested.state_dict().items():
        assert torch.equal(value, plain.state_dict()[key]), key


def test_weights_of_2d_networks_survive_the_way_out_and_in():
    first = models.create("ibm_mini_ssv2_tam_resnet_18_f8")
    again = models.create(
        "ibm_mini_ssv2_tam_resnet_18_f8", first.network.state_dict(), seed=1
    )
    clips = torch.rand(1, 3, 4, 32, 32)
    assert torch.equal(first(clips)["features"], again(clips)["features"])


def test_2d_networks_run_channels_last():
    extractor = models.create("ibm_mini_ssv2_tam_inception_v1_tp_f8")
    clips = torch.rand(2, 3, 8, 64, 64)
    expected = extractor(clips)["features"]
    extractor = extractor.to(memory_format=torch.channels_last_3d)
    clips = clips.contiguous(memory_format=torch.channels_last_3d)
    assert relative_l2(extractor(clips)["features"], expected) < 1e-5


# Time


@pytest.mark.parametrize("depthwise", [True, False])
@pytest.mark.parametrize("method", ["sum", "max"])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9])
def test_blending_weighs_shifts_and_combines(frames, method, depthwise):
    tam = TAM(4, frames, method, depthwise)
    x = torch.rand(2, 4, 6, 3, 3) - 0.5
    expected = []
    for number, kernel in enumerate(tam.state_dict().values()):
        weighed = F.conv3d(x, kernel[:, :, None], groups=4 if depthwise else 1)
        moved = torch.zeros_like(weighed)
        for step in range(6):
            source = step + number - frames // 2
            if 0 <= source < 6:
                moved[:, :, step] = weighed[:, :, source]
        expected.append(moved)
    combined = torch.stack(expected)
    combined = combined.sum(0) if method == "sum" else combined.amax(0)
    torch.testing.assert_close(tam(x), F.relu(combined))


def test_time_is_halved_by_maxima_or_by_averages_that_count_the_zeros_outside():
    x = torch.tensor([3.0, 6.0, 9.0]).view(1, 1, 3, 1, 1)
    assert halve_time(x, "max").flatten().tolist() == [6, 9]
    assert halve_time(x, "avg").flatten().tolist() == [3, 5]
    # Two steps are too few for PyTorch's own average.
    assert halve_time(x[:, :, :2], "avg").flatten().tolist() == [3]


@pytest.mark.parametrize(
    ("variant", "frames", "steps"),
    [
        ("mini_ssv2-resnet-18-f8", 8, 8),
        ("mini_ssv2-resnet-18-tp-f8", 10, 2),
        ("mini_ssv2-resnet-18-tp-avg-f8", 8, 1),
        ("mini_ssv2-inception-v1-tp-avg-f8", 8, 1),
        ("mini_ssv2-i3d-tp-avg-f8", 8, 1),
        ("mini_ssv2-i3d-avg-f8", 3, 3),
        ("mini_ssv2-i3d-f8", 8, 8),
        ("mini_ssv2-s3d-f8", 8, 7),
        ("mini_ssv2-s3d-tp-f8", 5, 1),
        ("mini_ssv2-s3d-resnet-18-tp-f8", 16, 2),
    ],
)
def test_steps_in_time(variant, frames, steps):
    extractor = models.create(models.resolve(variant))
    found = extractor(torch.rand(2, 3, frames, 64, 64))
    dim = extractor.card.features["features"].dim
    assert found["features_per_step"].shape == (2, steps, dim)
    assert found["map"].shape[:2] == (2, steps)
    mean = found["features_per_step"].mean(1)
    torch.testing.assert_close(found["features"], mean)


# The published table


def test_parameters_are_those_of_the_table():
    for row in BENCHMARK:
        name = models.resolve(row["name"])
        assert models.count_parameters(name) == int(row["parameters"]), name


def test_both_names_of_temporal_pooling_in_the_table_are_one_model():
    known = set(models.names())
    pooled = [row["name"] for row in BENCHMARK if "-tp-" in row["name"]]
    for name in pooled:
        assert models.resolve(name) == models.resolve(name.replace("-tp-", "-ts-"))
        assert models.resolve(name) in known
    # 432 rows: those with pooling stand there twice.
    assert len(BENCHMARK) + len(pooled) == 432
    assert len({models.resolve(row["name"]) for row in BENCHMARK}) == 288


# Rows measured on an older I3D, whose last pooling was S3D's: a step less.
OLDER = 232_967_168


@pytest.mark.parametrize(
    "row",
    [row for row in BENCHMARK if row["name"].startswith("mini_st2stv2")][::4],
    ids=lambda row: row["name"],
)
def test_macs_of_the_convolutions_are_those_of_the_table(row):
    older = "i3d-f8" in row["name"]
    expected = int(row["macs"]) + (OLDER if older else 0)
    assert models.count_macs(models.resolve(row["name"]))["convolutions"] == expected


def test_the_command_shows_parameters_and_macs(monkeypatch, capsys):
    arguments = ["models", "mini_kinetics400-resnet-50-f8", "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    __main__.main()
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "ibm_mini_k400_resnet_50_f8"
    assert shown["parameters"] == 23_917_832
    # The head sees each of the 8 frames.
    head = 8 * 2048 * 200
    assert shown["macs"] == {"convolutions": 32_697_090_048, "matrix products": head}


# Names and cards


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        ("K400-I3D-ResNet-50-f32", "ibm_k400_i3d_resnet_50_f32"),
        ("k400-TAM-resnet-50-tp-max-f8", "ibm_k400_tam_resnet_50_tp_f8"),
        ("mini_ssv2-TAM-resnet-18-allc-f8", "ibm_mini_ssv2_tam_allc_resnet_18_f8"),
        ("ssv2-TAM-b5-max-resnet-34-f8", "ibm_ssv2_tam_b5_max_resnet_34_f8"),
        ("ssv2-TAM-resnet-34-b5-max-f8", "ibm_ssv2_tam_b5_max_resnet_34_f8"),
        ("ssv2-TAM-resnet-50-max-f8", "ibm_ssv2_tam_max_resnet_50_f8"),
        ("ssv2-TAM-resnet-50-sum-tp-avg-f8", "ibm_ssv2_tam_resnet_50_tp_avg_f8"),
        ("moments-TSN-b3-sum-resnet-152-f8", "ibm_moments_resnet_152_f8"),
        ("mini_k400-s3d-dw-t-conv-tp-avg-f8", "ibm_mini_k400_s3d_dw_t_conv_tp_avg_f8"),
        ("kinetics400-rgb-i3d_v2-ts-max-f16", "ibm_k400_i3d_tp_f16"),
        # 3D ResNets have no poolings: what the table calls one is a stride.
        ("moments-i3d-resnet-18-ts-max-f8", "ibm_moments_i3d_resnet_18_tp_f8"),
        ("st2stv2-inception-v1-f64-multisteps-bs36-e35", "ibm_ssv2_inception_v1_f64"),
    ],
)
def test_names_of_the_grammar(upstream, name):
    assert models.resolve(upstream) == name
    assert models.resolve(f"ibm_action/{upstream}") == name
    assert models.resolve(name) == models.card(name).name == name


def test_every_declared_name_says_its_card():
    for card in ibm.CARDS:
        assert ibm.parse(card.name) == card


@pytest.mark.parametrize(
    "name",
    [
        "k400-resnet-50",  # how many frames?
        "k400-resnet-f8",
        "k400-resnet-20-f8",
        "ucf101-resnet-50-f8",
        "k400-f8",
        "k400-i3d-resnet-50-s3d-f8",
        "k400-TAM-i3d-f8",  # blending is for 2D networks
        "k400-i3d-dw-t-conv-f8",  # so are separate convolutions for S3D
        "k400-resnet-50-allc-f8",
        "k400-s3d-tp-f4",  # too few for its poolings
        "k400-resnet-50-f0",
    ],
)
def test_names_that_mean_no_network_are_unknown(name):
    with pytest.raises(models.UnknownModel):
        models.resolve(name)


def test_a_grammars_upstream_name_is_no_name_of_a_card():
    with pytest.raises(models.UnknownModel):
        models.card("k400-resnet-50-f8")


def test_the_cards_of_the_released_models():
    def figures(upstream):
        card = models.card(models.resolve(upstream))
        window = card.frames, card.stride, card.sampling, card.crop
        return *window, card.published[f"{card.classes} top-1"]

    assert figures("K400-TAM-ResNet-101-f32") == (32, 2, "dense", 256, 77.61)
    assert figures("SSV2-I3D-ResNet-50-f32") == (32, 1, "uniform", 256, 62.84)
    released = [card for card in ibm.CARDS if card.checkpoint.urls]
    assert len(released) == 8
    for card in released:
        (url,) = card.checkpoint.urls
        assert url.endswith(f"/weights-v0.1/{card.checkpoint.file}")


def test_the_cards_of_the_benchmark():
    card = models.card("ibm_mini_k400_s3d_tp_f16")
    assert (card.frames, card.sampling, card.crop) == (16, "uniform", 224)
    assert card.mean == card.std == (0.5, 0.5, 0.5)
    assert card.classes == "mini_kinetics400"
    resnet = models.card("ibm_mini_ssv2_resnet_18_f8")
    assert resnet.mean == (0.485, 0.456, 0.406)
    assert resnet.published == {"mini_ssv2 top-1": 29.5534, "mini_ssv2 top-5": 59.4118}

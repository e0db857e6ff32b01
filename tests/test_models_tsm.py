"""TSN and TSM: parity, shifts, names, weights as published, which frames they get."""

import csv
import hashlib
import os

import numpy as np
import pytest
import torch
import torchvision

import models
from models import networks, sampling
from models.cards import tsm as cards
from models.non_local import TSMNonLocal
from models.tsm import Shifted
from tests.recipe import PARITY, clip, relative_l2, weight

FOLDER = PARITY / "tsm"
LIGHT = ("tsm_mobilenetv2_k400_8seg", "tsm_resnet50_ssv2_8seg")

with (FOLDER / "keys.tsv").open(newline="") as file:
    GOLDEN = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}

with (FOLDER / "sampling.tsv").open(newline="") as file:
    FRAMES = list(csv.DictReader(file, delimiter="\t"))


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = networks.build(models.card(name))
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def recipe_weights(name: str) -> dict[str, np.ndarray]:
    """Weights under our own keys: other keys than upstream's would be other weights."""
    return {key: weight(key, shape) for key, shape in shapes(name).items()}


def tsm_clip(name: str, side: int = 224, end: str = "") -> torch.Tensor:
    shape = (3, models.card(name).frames, side, side)
    return torch.from_numpy(clip(f"tsm/{name}{end}", shape))[None]


# Parity


@pytest.mark.parametrize("name", GOLDEN)
def test_outputs_equal_those_of_the_upstream_network(name):
    if name not in LIGHT and "REELSET_SLOW" not in os.environ:
        pytest.skip("all backbones take a minute; REELSET_SLOW=1 runs them")
    extractor = models.create(models.resolve(f"tsm/{name}"), recipe_weights(name))
    with torch.inference_mode():
        ours = {key: value[0] for key, value in extractor(tsm_clip(name)).items()}
    # Upstream's order is (segments, D, 7, 7).
    ours["map"] = ours["map"].movedim(-1, 1)
    for feature, stride in (
        ("map", int(GOLDEN[name]["map_stride"])),
        ("features_per_segment", int(GOLDEN[name]["features_stride"])),
    ):
        ours[feature] = ours[feature].flatten()[:: stride or 1]
    # With recipe weights the softmax of non-local blocks is saturated: in double
    # precision, upstream's own figures differ by 5e-4.
    tolerance = 2e-3 if "_nl_" in name else 2e-6
    with np.load(FOLDER / "outputs.npz") as golden:
        expected = {
            key.split("/")[1]: golden[key]
            for key in golden.files
            if key.startswith(f"{name}/") and "fullres" not in key
        }
    assert {"features", "features_per_segment", "logits"} <= set(expected)
    for feature, theirs in expected.items():
        assert relative_l2(ours[feature], theirs) < tolerance, feature


def test_larger_frames_are_taken_too():
    name = "tsm_mobilenetv2_k400_8seg"
    extractor = models.create(name, recipe_weights(name))
    extractor = extractor.to(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        ours = extractor(tsm_clip(name, side=256, end="/fullres"))["logits"]
    with np.load(FOLDER / "outputs.npz") as golden:
        assert relative_l2(ours[0], golden[f"{name}/fullres_logits"]) < 2e-6


@pytest.mark.parametrize("name", GOLDEN)
def test_keys_shapes_and_parameters_are_those_of_the_published_checkpoint(name):
    row = GOLDEN[name]
    lines = sorted(f"{key} {list(shape)}" for key, shape in shapes(name).items())
    assert len(lines) == int(row["entries"])
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == row["sha256"]
    assert models.count_parameters(name) == int(row["parameters"])


def test_a_file_of_the_training_program_fits(tmp_path):
    """MobileNetV2's has another name for the classifier than the network."""
    name = "tsm_mobilenetv2_k400_8seg"
    weights = {key: torch.tensor(v) for key, v in recipe_weights(name).items()}
    saved = {
        "module." + key.replace("new_fc.", "base_model.classifier."): value
        for key, value in weights.items()
    }
    path = tmp_path / "ckpt.best.pth.tar"
    torch.save({"epoch": 100, "arch": "mobilenetv2", "state_dict": saved}, path)
    state = models.create(name, path).network.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in weights.items())


# Time


def test_a_shift_brings_an_eighth_from_either_side():
    x = torch.rand(2, 16, 3, 2, 2) + 1
    found = Shifted(torch.nn.Identity())(x)
    for step in range(3):
        behind = x[:, :2, step + 1] if step < 2 else torch.zeros(2, 2, 2, 2)
        before = x[:, 2:4, step - 1] if step > 0 else torch.zeros(2, 2, 2, 2)
        assert torch.equal(found[:, :2, step], behind)
        assert torch.equal(found[:, 2:4, step], before)
        assert torch.equal(found[:, 4:, step], x[:, 4:, step])


def test_without_shifts_a_frame_is_seen_by_itself():
    clips = torch.rand(1, 3, 4, 64, 64)
    other = clips.clone()
    other[:, :, 3] = 0
    for name, alone in (("tsn_resnet18_k400_4seg", 1), ("tsm_resnet18_k400_4seg", 0)):
        extractor = models.create(name)
        one, two = (extractor(c)["features_per_segment"] for c in (clips, other))
        assert torch.equal(one[0, 2], two[0, 2]) == alone


def test_non_local_blocks_attend_to_all_frames():
    block = TSMNonLocal(8).eval()
    x = torch.randn(1, 8, 3, 4, 4)
    theta, phi, g = (
        layer(x).flatten(2)[0] for layer in (block.theta, block.phi, block.g)
    )
    seen = g @ (theta.T @ phi).softmax(dim=1).T
    expected = x + block.W(seen.unflatten(1, (3, 4, 4))[None])
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


# Flow


def test_a_segments_flows_are_the_channels_of_its_step():
    """As upstream: an image network whose first layer takes x1, y1, x2, y2, ... ."""
    name = "tsn_flow_resnet18_k400_3seg"
    weights = recipe_weights(name)
    reference = torchvision.models.resnet18(num_classes=400).eval()
    reference.conv1 = torch.nn.Conv2d(10, 64, 7, 2, 3, bias=False)
    named = {
        key.removeprefix("base_model.").replace("new_fc", "fc"): torch.tensor(value)
        for key, value in weights.items()
    }
    reference.load_state_dict(named)
    flows = torch.from_numpy(clip("flow", (2, 15, 64, 64)))
    steps = [
        torch.cat([flows[:, n] for n in range(first, first + 5)])
        for first in (0, 5, 10)
    ]
    with torch.inference_mode():
        theirs = reference((torch.stack(steps) - 0.5) / 0.226)
        ours = models.create(name, weights)(flows[None])
    assert relative_l2(ours["logits_per_segment"][0], theirs) < 1e-5


@pytest.mark.parametrize(
    "name",
    [
        "tsm_flow_resnet50_k400_8seg",
        "tsm_flow_mobilenetv2_ssv2_8seg",
        "ibm_ssv2_flow_tam_resnet_50_f8",
        "ibm_k400_flow_i3d_tp_f16",
    ],
)
def test_networks_of_flow_take_five_for_each_step(name):
    card = models.card(name)
    assert (card.colour, card.consecutive, card.mean) == ("flow", 5, (0.5, 0.5))
    with torch.device("meta"):
        extractor = models.Extractor(card, networks.build(card), "none")
        found = extractor(torch.empty(1, 2, 5 * card.frames, 64, 64))
        with pytest.raises(ValueError, match="5 neighbouring frames at a time"):
            extractor(torch.empty(1, 2, 5 * card.frames + 1, 64, 64))
        with pytest.raises(ValueError, match="needs 5 frames or more"):
            extractor(torch.empty(1, 2, 4, 64, 64))
    assert found["features"].shape == (1, card.features["features"].dim)


def test_the_published_network_of_flow():
    card = models.card("tsm_flow_resnet50_k400_8seg")
    assert card.published["kinetics400 top-1"] == 55.7
    assert shapes(card.name)["base_model.conv1.weight"] == (64, 10, 7, 7)


# Names


@pytest.mark.parametrize(
    ("upstream", "name"),
    [(f"tsm/{name}", name) for name in GOLDEN]
    + [
        ("tsm/tsn_resnet50_ssv2_8seg", "tsn_resnet50_ssv2_8seg"),
        ("tsm/tsm_resnet50_k400_12seg", "tsm_resnet50_k400_12seg"),
        ("TSM-ResNet18-UCF101-8seg", "tsm_resnet18_ucf101_8seg"),
        ("tsm/tsm_resnet50_k400_8seg__native", "tsm_resnet50_k400_8seg"),
        (
            "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e100_dense",
            "tsm_resnet50_k400_8seg_dense",
        ),
        (
            "tsm/TSM_kinetics_RGB_resnet50_avg_segment5_e50",
            "tsn_resnet50_k400_8seg",
        ),
        (
            "TSM_kinetics_Flow_resnet50_shift8_blockres_avg_segment8_e50",
            "tsm_flow_resnet50_k400_8seg",
        ),
        (
            "TSM_ucf101_RGB_resnet50_shift8_blockres_avg_segment8_e25.pth.tar",
            "tsm_resnet50_ucf101_8seg",
        ),
        (
            "TSM_something_RGB_resnet50_shift8_blockres_avg_segment8_e45_dense_nl",
            "tsm_resnet50_nl_ssv1_8seg_dense",
        ),
        ("tsm_resnet50_nl_k400_8seg_dense", "tsm_resnet50_nl_k400_8seg"),
        ("tsm_resnet50_k400_8seg_flow", "tsm_flow_resnet50_k400_8seg"),
    ],
)
def test_upstream_names_resolve(upstream, name):
    assert models.resolve(upstream) == name
    assert models.card(name).name == name


@pytest.mark.parametrize(
    "name", ["tsm_vgg16_k400_8seg", "tsm_mobilenetv2_nl_k400_8seg", "tsm_resnet50_8seg"]
)
def test_what_the_grammar_does_not_know_is_refused(name):
    with pytest.raises(models.UnknownModel):
        models.resolve(f"tsm/{name}")


# Of the deep ResNets' stages, every second block is shifted.
SHIFTS = {
    "resnet18": 2 + 2 + 2 + 2,
    "resnet34": 3 + 4 + 6 + 3,
    "resnet50": 3 + 4 + 6 + 3,
    "resnet101": 2 + 2 + 12 + 2,
    "resnet152": 2 + 4 + 18 + 2,
    "mobilenetv2": 10,
}


@pytest.mark.parametrize("backbone", cards.WIDTHS)
def test_any_name_of_the_grammar_builds(backbone):
    card = models.card(f"tsm_{backbone}_ssv1_5seg")
    assert (card.frames, card.features["logits"].dim) == (5, 174)
    with torch.device("meta"):
        network = networks.build(card)
        found = network(torch.empty(2, 3, 5, 64, 64))
    assert found["features"].shape == (2, cards.WIDTHS[backbone])
    shifts = [m for m in network.modules() if isinstance(m, Shifted)]
    assert len(shifts) == SHIFTS[backbone]


def test_dense_variants_span_64_frames():
    card = models.card("tsm_resnet50_nl_k400_8seg")
    assert (card.sampling, card.frames, card.stride) == ("dense", 8, 8)
    card = models.card("tsm_resnet50_k400_16seg")
    assert (card.sampling, card.frames, card.stride) == ("uniform", 16, 1)


# Frames


@pytest.mark.parametrize("mode", ["uniform", "twice", "dense"])
def test_frames_are_those_of_the_upstream_program(mode):
    cases = [row for row in FRAMES if row["mode"] == mode]
    assert len(cases) == 32
    function = {"twice": sampling.uniform_twice}.get(mode) or getattr(sampling, mode)
    for row in cases:
        ours = np.ravel(function(int(row["frames"]), int(row["segments"]))) + 1
        assert ours.tolist() == [int(n) for n in row["indices"].split()], row

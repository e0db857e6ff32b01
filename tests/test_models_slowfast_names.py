"""PySlowFast's names that mean a ResNet without published weights."""

import pytest
import torch

import models
from models import fetching, networks
from models.cards import slowfast
from models.non_local import SlowFastNonLocal
from models.slowfast import ResNet
from models.slowfast_layers import Block

NAMES = {
    "C2D_8x8_R50_IN1K": "c2d_8x8_r50_in1k_k400",
    "C2D_NLN_8x8_R50": "c2d_nln_8x8_r50_k400",
    "C2D_NLN_8x8_R50_IN1K": "c2d_nln_8x8_r50_in1k_k400",
    "I3D_8x8_R50_IN1K": "i3d_8x8_r50_in1k_k400",
    "I3D_8x8_R101": "i3d_8x8_r101_k400",
    "I3D_NLN_8x8_R50_IN1K": "i3d_nln_8x8_r50_in1k_k400",
    "I3D_NLN_8x8_R101": "i3d_nln_8x8_r101_k400",
    "SLOW_8x8_R101_101_101": "slow_8x8_r101_k400",
    "SLOW_NLN_4x16_R50": "slow_nln_4x16_r50_k400",
    "SLOWONLY_NLN_8x8_R50": "slow_nln_8x8_r50_k400",
    "SLOWFAST_8x8_R101": "slowfast_8x8_r101_k400",
    "SLOWFAST_8x8_R101_101_101": "slowfast_8x8_r101_k400",
    "SLOWFAST_8x8_R101_50_101": "slowfast_8x8_r101_50_101_k400",
    "SLOWFAST_16x8_R101_50_50": "slowfast_16x8_r101_50_50_k400",
    "SLOWFAST_NLN_4x16_R50": "slowfast_nln_4x16_r50_k400",
    "SLOWFAST_NLN_8x8_R50": "slowfast_nln_8x8_r50_k400",
    "SLOWFAST_NLN_8x8_R101": "slowfast_nln_8x8_r101_k400",
    "SLOWFAST_NLN_16x8_R101_50_50": "slowfast_nln_16x8_r101_50_50_k400",
    "SLOWFAST_4x16_R50_stepwise": "slowfast_4x16_r50_stepwise_k400",
    "SLOWFAST_4x16_R50_stepwise_multigrid": "slowfast_4x16_r50_multigrid_k400",
    "SLOWFAST_8x8_R50_CH": "slowfast_8x8_r50_charades",
    "SLOW_8x8_R50 (SSv2)": "slow_8x8_r50_ssv2",
    "SLOWFAST_32x2_R50": "slowfast_8x8_r50_ava",
    # Names of variants with weights, in the words of the grammar.
    "SLOWFAST_8x8_R50_multigrid": "slowfast_8x8_r50_multigrid_k400",
    "SLOWFAST_4x16_R50_K400": "slowfast_4x16_r50_k400",
}


def network(upstream: str) -> ResNet:
    with torch.device("meta"):
        return networks.build(models.card(models.resolve(upstream)))


@pytest.mark.parametrize(("upstream", "name"), NAMES.items())
def test_names_of_the_grammar(upstream, name):
    for spelling in (
        upstream,
        f"pyslowfast/{upstream}",
        upstream.lower(),
        upstream.replace("_", "-"),
        f"pyslowfast/{upstream}__native__nlscaled",
    ):
        assert models.resolve(spelling) == name
    assert models.resolve(name) == models.card(name).name == name
    card = models.card(name)
    classes = card.features["logits"].dim
    shape = network(upstream).head.projection.weight.shape
    assert shape == (classes, card.features["features"].dim)


@pytest.mark.parametrize(
    "name",
    [
        "SLOWFAST_8x7_R50",  # the fast pathway's frames are two apart
        "SLOWFAST_8x8_R50_101_101",  # 50 layers have no further blocks
        "SLOW_8x8_R101_50_101",  # which pathway would be the second?
        "SLOW_NOPOOL_8x8_R50",  # it never pools
        "C2D_1x8_R50",  # too few to pool pairs
        "SLOWFAST_4x16_R101_AVA",
        "SLOW_0x8_R50",
        "SLOW_8x8_R152",
        "C2DONLY_8x8_R50",
    ],
)
def test_names_that_mean_no_network_are_unknown(name):
    with pytest.raises(models.UnknownModel):
        models.resolve(f"pyslowfast/{name}")


def test_the_nearest_name_is_proposed_whatever_its_case():
    with pytest.raises(models.UnknownModel, match="mean 'pyslowfast/SLOWFAST_8x8_R50'"):
        models.resolve("slowfast-8x8-r51")


def test_only_published_networks_are_listed():
    made = set(NAMES.values()) & set(models.names())
    assert made == {"slowfast_8x8_r50_multigrid_k400", "slowfast_4x16_r50_k400"}


# In millions, and billions of multiply-accumulates of a clip of 256 x 256 pixels:
# Table 2 of https://arxiv.org/abs/1812.03982, and PyTorchVideo's table of models.
@pytest.mark.parametrize(
    ("upstream", "parameters", "macs"),
    [
        ("C2D_8x8_R50_IN1K", 24.33, None),
        ("I3D_8x8_R50_IN1K", 28.04, None),
        ("SLOWFAST_8x8_R101", 62.83, None),
        ("SLOWFAST_8x8_R101_50_50", 53.77, 106),
        ("SLOWFAST_16x8_R101_50_50", 53.77, 213),
    ],
)
def test_networks_have_the_published_size(upstream, parameters, macs):
    name = models.resolve(upstream)
    assert round(models.count_parameters(name) / 1e6, 2) == parameters
    if macs:
        assert int(models.count_macs(name)["convolutions"] / 1e9) == macs


@pytest.mark.parametrize(
    ("upstream", "spans"),
    [
        ("I3D_8x8_R101", {"pathway0": [3, 1] * 11 + [3]}),
        ("SLOW_8x8_R101", {"pathway0": [3] * 23}),
        ("SLOWFAST_8x8_R101", {"pathway0": [3] * 23, "pathway1": [3] * 23}),
        (
            "SLOWFAST_8x8_R101_50_101",
            {"pathway0": [3] * 6 + [1] * 17, "pathway1": [3] * 23},
        ),
        (
            "SLOWFAST_8x8_R101_50_50",
            {pathway: [3] * 6 + [1] * 17 for pathway in ("pathway0", "pathway1")},
        ),
    ],
)
def test_the_blocks_of_s4_that_span_time(upstream, spans):
    stages = network(upstream)
    found: dict[str, list[int]] = {}
    for name, block in stages.s4.items():
        found.setdefault(name.split("_")[0], []).append(block.branch2.a.kernel_size[0])
    assert found == spans
    blocks = [
        sum(isinstance(block, Block) for block in stage.values()) // len(spans)
        for stage in (stages.s2, stages.s3, stages.s4, stages.s5)
    ]
    assert blocks == [3, 4, 23, 3]


USUAL = {"s3": [1, 3], "s4": [1, 3, 5]}


@pytest.mark.parametrize(
    ("upstream", "places"),
    [
        ("I3D_NLN_8x8_R50", USUAL),
        ("I3D_NLN_8x8_R101", USUAL),
        ("C2D_NLN_8x8_R50", USUAL),
        ("SLOW_NLN_4x16_R50", USUAL),
        ("SLOWFAST_NLN_8x8_R50", USUAL),
        ("SLOWFAST_NLN_16x8_R101_50_50", {"s4": [6, 13, 20]}),
        ("SLOWFAST_16x8_R101_50_50", {}),
    ],
)
def test_where_nonlocal_blocks_stand(upstream, places):
    found: dict[str, list[int]] = {}
    for name, module in network(upstream).named_modules():
        if isinstance(module, SlowFastNonLocal):
            stage, _, block = name.partition(".pathway0_nonlocal")
            found.setdefault(stage, []).append(int(block))
            assert module.softmax == upstream.startswith(("C2D", "I3D"))
            assert module.pool == (1, 2, 2)
    assert found == places


def test_the_convolutions_between_the_pathways():
    def span_and_alpha(upstream):
        conv = network(upstream).s1_fuse.conv_f2s
        return conv.kernel_size[0], conv.stride[0]

    assert span_and_alpha("SLOWFAST_8x8_R50_CH") == (7, 4)
    assert span_and_alpha("SLOWFAST_NLN_8x8_R50") == (5, 4)
    assert span_and_alpha("SLOWFAST_NLN_4x16_R50") == (5, 8)
    assert span_and_alpha("SLOWFAST_16x8_R101_50_50") == (5, 4)


@pytest.mark.parametrize(
    "upstream", ["SLOW_NLN_4x16_R50", "SLOWFAST_NLN_4x16_R50", "I3D_8x8_R101"]
)
def test_a_network_of_the_grammar_runs_with_weights_of_its_keys(upstream):
    name = models.resolve(upstream)
    state = models.create(name, seed=3).network.state_dict()
    extractor = models.create(name, checkpoint={"model_state": state})
    features = extractor(torch.rand(1, 3, 8, 32, 32))["features"]
    assert features.shape == (1, extractor.card.features["features"].dim)
    assert features.isfinite().all()


def test_weights_that_nobody_published_are_asked_of_the_user(tmp_path):
    card = models.card("i3d_8x8_r101_k400")
    with pytest.raises(fetching.CheckpointUnavailable) as caught:
        fetching.fetch(card, tmp_path)
    message = str(caught.value)
    assert "i3d_8x8_r101_k400.pyth (never published)" in message
    assert f"put it at {tmp_path / 'i3d_8x8_r101_k400.pyth'}" in message


def test_windows_are_those_of_the_configs():
    def figures(upstream):
        card = models.card(models.resolve(upstream))
        return card.frames, card.stride, card.crop, card.fps, card.sampling

    assert figures("SLOWFAST_16x8_R101_50_50") == (64, 2, 256, 30, "dense")
    assert figures("SLOWFAST_NLN_4x16_R50") == (32, 2, 256, 30, "dense")
    assert figures("SLOW_NLN_4x16_R50") == (4, 16, 256, 30, "dense")
    assert figures("SLOWFAST_8x8_R50_CH") == (32, 2, 256, 24, "dense")
    assert figures("SLOW_8x8_R50_SSv2") == (8, 8, 256, 30, "uniform")
    assert figures("SLOWFAST_4x16_R50_multigrid") == (32, 2, 224, 30, "dense")


def test_the_declared_cards_are_those_of_their_names():
    for card in slowfast.CARDS:
        made = slowfast.parse(card.name)
        if made:
            same = made.arguments, made.frames, made.stride, made.features
            assert same == (card.arguments, card.frames, card.stride, card.features)

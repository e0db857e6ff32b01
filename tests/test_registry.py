"""Every variant of the zoo: it builds, gives what its card says, and stays near itself.

Variants of one architecture, which differ in classes, frames and preprocessing, share
the run of their shortest.
"""

import json
import os

import numpy as np
import pytest
import torch

import models
from models.cards.base import FILTERS
from models.cards.protocols import AVERAGES, protocol
from tests.recipe import clip, relative_l2

CARDS = [models.card(name) for name in models.names()]

# How far features may be away, in relative L2. In bfloat16 numbers have 8 bits; with
# random weights, the sigmoids in X3D-L's 55 blocks are switches that rounding throws.
CHANNELS_LAST, BFLOAT16 = 1e-5, 0.15

# One or two of each network; all architectures take minutes.
QUICK = (
    "c3d_ucf101_leftthomas",
    "i3d_nln_8x8_r50_k400",
    "i3d_rgb_charades",
    "ibm_mini_k400_tam_inception_v1_f8",
    "ibm_mini_k400_s3d_resnet_18_tp_f8",
    "mvitv2_s_16x4_k400",
    "r2plus1d_18_k400",
    "rev_mvit_b_16x4_k400",
    "s3d_k400",
    "slowfast_8x8_r50_k400",
    "tsm_flow_resnet50_k400_8seg",
    "tsm_mobilenetv2_k400_8seg",
    "x3d_xs_k400",
)


def architecture(card: models.Card) -> str:
    """What builds a card's network, but for the number of classes."""
    arguments = {**card.as_dict()["arguments"], "classes": None}
    return f"{card.network} {json.dumps(arguments, sort_keys=True)}"


SHORTEST = {
    architecture(card): card.name
    for card in sorted(CARDS, key=lambda card: card.frames, reverse=True)
}
QUICK_ONES = {architecture(models.card(name)) for name in QUICK}


def clips_for(card: models.Card, side: int = 64) -> torch.Tensor:
    """Two short clips that a network takes."""
    frames = max(card.min_frames, 5) * card.consecutive
    shape = (len(card.mean), frames, side, side)
    return torch.from_numpy(np.stack([clip(f"clip {n}", shape) for n in range(2)]))


@pytest.mark.parametrize("name", sorted(SHORTEST.values()))
def test_an_architecture_is_the_same_in_other_arithmetic(name):
    card = models.card(name)
    if architecture(card) not in QUICK_ONES and "REELSET_SLOW" not in os.environ:
        pytest.skip("all architectures take minutes; REELSET_SLOW=1 runs them")
    extractor = models.create(name)
    clips = clips_for(card)
    with torch.inference_mode():
        exact = extractor(clips)
        again = extractor(clips)
        with torch.autocast("cpu", torch.bfloat16):
            half = extractor(clips)
        ordered = extractor.to(memory_format=torch.channels_last_3d)(clips)
    assert set(exact) == set(card.features)
    for key, feature in card.features.items():
        value = exact[key]
        assert (len(value), value.shape[-1]) == (2, feature.dim), key
        assert value.dim() == 2 + len(feature.axes), key
        assert value.isfinite().all(), key
        assert torch.equal(again[key], value), key
        assert relative_l2(ordered[key], value) < CHANNELS_LAST, key
        assert half[key].isfinite().all(), key
        assert relative_l2(half[key].float(), value) < BFLOAT16, key


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_says_all_that_a_user_needs(card):
    """What it takes, where it is from, and how its accuracy was measured."""
    assert card.features["logits"].dim == card.arguments["classes"]
    assert card.resize.filter in FILTERS
    assert card.source.startswith("https://")
    assert card.paper.startswith("https://arxiv.org/")
    assert card.checkpoint.licence
    assert card.checkpoint.layout
    for label, figure in card.published.items():
        assert label.split()[-1] in ("top-1", "top-5", "mAP")
        assert 0 < figure < 100
    measured = protocol(card)
    assert measured.average in AVERAGES
    assert min(measured.clips, measured.crops) >= 1
    if card.published:
        assert card.checkpoint.page.startswith("https://")

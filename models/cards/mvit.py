"""MViT's variants: PySlowFast's weights of the first and of the second version.

Accuracies are of 5 clips, one crop each (MViTv2-L: three). The networks of Kinetics-400
have configs for other datasets too, without weights: MVITv2_S_16x4_SSv2.
"""

import re
from dataclasses import replace

from models.cards.base import Card, Checkpoint, Feature
from models.cards.pyslowfast import accuracy, card, checkpoint, unpublished
from models.cards.spelling import spelled

V1 = "https://arxiv.org/abs/2104.11227"
V2 = "https://arxiv.org/abs/2112.01526"

# The blocks with which stages begin, by the number of blocks.
STAGES = {16: (1, 3, 14), 24: (2, 5, 21), 48: (2, 8, 44)}


def _card(
    name: str,
    upstream: tuple[str, ...],
    window: tuple[int, int],
    depth: int,
    file: Checkpoint,
    published: dict[str, float],
    classes: tuple[str, int] = ("kinetics400", 400),
    size: tuple[int, int] = (256, 224),
    **options,
) -> Card:
    dim = 8 * options.get("width", 96)
    return card(
        name=name,
        upstream=upstream,
        network="models.mvit:MViT",
        arguments={
            "version": 2 if "v2" in name else 1,
            "depth": depth,
            "stages": STAGES[depth],
            "frames": window[0],
            "size": size[1],
            "classes": classes[1],
            **options,
        },
        window=window,
        size=size,
        features={
            "features": Feature(dim, "class token behind the last norm, before head"),
            "logits": Feature(classes[1], "class scores before softmax"),
        },
        checkpoint=file,
        paper=V2 if "v2" in name else V1,
        published=published,
        classes=classes[0],
    )


def _v2(file: str, megabytes: int) -> Checkpoint:
    folder = "model_zoo/mvitv2/pysf_video_models"
    return checkpoint(f"{folder}/{file}", megabytes, "projects/mvitv2")


_DRIVE = "https://drive.google.com/uc?export=download&id="

CARDS = (
    _card(
        "mvit_b_16x4_k400",
        ("MVIT_B_16x4_CONV", "MVIT_B_16x4"),
        window=(16, 4),
        depth=16,
        file=replace(
            checkpoint("MVIT_B_16x4_CONV.pyth", 146),
            urls=(f"{_DRIVE}194gJinVejq6A1FmySNKQ8vAN5-FOY-QL",),
        ),
        published=accuracy(78.4, 93.5),
    ),
    _card(
        "mvit_b_32x3_k400",
        ("MVIT_B_32x3_CONV", "MVIT_B_32x3", "MVIT_B_32x3_CONV_ALL"),
        window=(32, 3),
        depth=24,
        file=checkpoint("model_zoo/mvit/k400.pyth", 212),
        published=accuracy(80.4, 94.8),
        kernel=None,
    ),
    _card(
        "mvit_b_32x3_k600",
        ("MVIT_B_32x3_CONV_K600", "MVIT_B_32x3_K600"),
        window=(32, 3),
        depth=24,
        file=checkpoint("model_zoo/mvit/k600.pyth", 213),
        published=accuracy(83.9, 96.5, "kinetics600"),
        classes=("kinetics600", 600),
        kernel=None,
    ),
    _card(
        "mvitv2_s_16x4_k400",
        ("MVITv2_S_16x4",),
        window=(16, 4),
        depth=16,
        file=_v2("MViTv2_S_16x4_k400_f302660347.pyth", 138),
        published=accuracy(81.0, 94.6),
    ),
    _card(
        "mvitv2_b_32x3_k400",
        ("MVITv2_B_32x3",),
        window=(32, 3),
        depth=24,
        file=_v2("MViTv2_B_32x3_k400_f304025456.pyth", 205),
        published=accuracy(82.9, 95.7),
    ),
    # Upstream's table says 217.6 million parameters: about those of a network whose
    # width doubles behind the attention. The config doubles it within, and so must the
    # file: mmaction2 has converted it for a network of 213 million.
    replace(
        _card(
            "mvitv2_l_40x3_k400",
            ("MVITv2_L_40x3", "MVITv2_L_40x3_test"),
            window=(40, 3),
            depth=48,
            file=_v2("MViTv2_L_40x3_k400_f306903192.pyth", 871),
            published=accuracy(86.1, 97.0),
            size=(356, 312),
            width=144,
            heads=2,
        ),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    ),
)

_OTHERS = re.compile(
    r"(pyslowfast/)?(?P<network>mvit(v2)?_[sbl]_\d+x\d+)(_conv)?_(?P<dataset>k600|ssv?2)"
)
_KINETICS = {card.name: card for card in CARDS if card.classes == "kinetics400"}


def parse(name: str) -> Card | None:
    """The card of a network of Kinetics-400 for another dataset, or None."""
    found = _OTHERS.fullmatch(spelled(name))
    base = found and _KINETICS.get(f"{found['network']}_k400")
    if not base:
        return None
    uniform = found["dataset"] != "k600"
    classes, count = ("something_v2", 174) if uniform else ("kinetics600", 600)
    name = f"{found['network']}_{'ssv2' if uniform else 'k600'}"
    logits = replace(base.features["logits"], dim=count)
    return replace(
        base,
        name=name,
        aliases=(),
        arguments={**base.arguments, "classes": count},
        features={**base.features, "logits": logits},
        classes=classes,
        sampling="uniform" if uniform else "dense",
        checkpoint=unpublished(name),
        published={},
    )

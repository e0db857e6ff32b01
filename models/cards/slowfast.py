"""PySlowFast's ResNets: C2D, I3D, Slow and SlowFast.

In names like 8x8, the first number is the slow pathway's frames and the second one
their distance; SlowFast's window has 32 or 64 frames, two apart.
Accuracies on Kinetics and Charades are of 10 clips, three crops each; those on AVA are
of persons in boxes, whose scores those of a whole frame are not. All take RGB:
PySlowFast reads Charades and Something-Something as BGR, and turns them round.
"""

from dataclasses import replace

from models.cards.base import Card, Checkpoint, Feature
from models.cards.pyslowfast import accuracy, card, checkpoint

SLOWFAST = "https://arxiv.org/abs/1812.03982"
NONLOCAL = "https://arxiv.org/abs/1711.07971"
MULTIGRID = "https://arxiv.org/abs/1912.00998"


def _caffe2(path: str, megabytes: int) -> Checkpoint:
    made = checkpoint(f"model_zoo/{path}", megabytes)
    return replace(made, layout="Caffe2 pickle: blobs")


def _multigrid(path: str) -> Checkpoint:
    """Weights saved by PyTorch, as `.pkl`; two datasets have files of one name."""
    made = checkpoint(f"pyslowfast/model_zoo/multigrid/model_zoo/{path}", 138)
    return replace(made, file=path.replace("/", "_"))


def _card(
    name: str,
    upstream: tuple[str, ...],
    network: dict,
    weights: Checkpoint,
    published: dict[str, float],
    paper: str = SLOWFAST,
    window: tuple[int, int] = (8, 8),
    size: tuple[int, int] = (256, 256),
    classes: str = "kinetics400",
    min_frames: int = 1,
) -> Card:
    """The card of a variant; network: the arguments of `models.slowfast.ResNet`."""
    dim = 2304 if len(network["pathways"]) > 1 else 2048
    made = card(
        name=name,
        upstream=upstream,
        network="models.slowfast:ResNet",
        arguments=network,
        window=window,
        size=size,
        features={
            "features": Feature(dim, "last stage averaged, as published, before fc"),
            "logits": Feature(
                network["classes"], "class scores before softmax or sigmoid"
            ),
        },
        checkpoint=weights,
        paper=paper,
        published=published,
        classes=classes,
    )
    return replace(made, min_frames=min_frames)


def _slowfast(classes: int, depth: int = 50, **further) -> dict:
    pathways = ("Slow", "Fast")
    return {"pathways": pathways, "depth": depth, "classes": classes} | further


def _charades(
    name: str, upstream: tuple[str, ...], file: str, precision: float, **further
) -> Card:
    """A variant of Charades, whose frames are dumped at 24 fps."""
    made = _card(
        name,
        upstream,
        _slowfast(157, **further),
        _multigrid(f"Charades/{file}"),
        {"charades mAP": precision},
        paper=MULTIGRID,
        window=(64, 2),
        classes="charades",
    )
    return replace(made, fps=24)


def _ssv2(
    name: str, upstream: tuple[str, ...], file: str, figures: dict, crop: int
) -> Card:
    """A variant of Something-Something V2; figures: of one clip, of one crop."""
    made = _card(
        name,
        upstream,
        _slowfast(174),
        _multigrid(f"SSv2/{file}"),
        figures,
        paper=MULTIGRID,
        window=(64, 2),
        size=(256, crop),
        classes="something_v2",
    )
    return replace(made, sampling="uniform")


def _ava(
    name: str,
    upstream: tuple[str, ...],
    network: dict,
    weights: Checkpoint,
    precision: float,
    version: str = "2.2",
    **further,
) -> Card:
    """A variant of AVA, without its head for boxes."""
    return _card(
        name,
        upstream,
        network,
        weights,
        {f"ava {version} mAP": precision},
        classes="ava",
        **further,
    )


C2D = {"pathways": ("C2D",), "depth": 50, "classes": 400}
I3D = {"pathways": ("I3D",), "depth": 50, "classes": 400, "halve_time": True}
SLOW = {"pathways": ("Slow",), "depth": 50, "classes": 400}
AVA = _slowfast(
    80,
    depth=101,
    fusion=5,
    dilated=True,
    attended=((), (), (6, 13, 20), ()),
    attention={"softmax": False, "pool": (2, 2, 2)},
)

CARDS = (
    _card(
        "c2d_nopool_8x8_r50_k400",
        ("C2D_NOPOOL_8x8_R50", "C2D_NOPOOL"),
        C2D,
        _caffe2("kinetics400/C2D_NOPOOL_8x8_R50.pkl", 97),
        accuracy(67.2, 87.8),
        paper=NONLOCAL,
    ),
    _card(
        "c2d_8x8_r50_k400",
        ("C2D_8x8_R50",),
        {**C2D, "halve_time": True},
        # PySlowFast lists it as the weights from which AVA's Slow 4x16 was trained: it
        # may be a Slow network, which is told when it is loaded.
        _caffe2("ava/pretrain/C2D_8x8_R50.pkl", 97),
        {},
        paper=NONLOCAL,
        min_frames=2,
    ),
    _card(
        "i3d_8x8_r50_k400",
        ("I3D_8x8_R50",),
        I3D,
        _caffe2("kinetics400/I3D_8x8_R50.pkl", 112),
        accuracy(73.5, 90.8),
        paper=NONLOCAL,
        min_frames=2,
    ),
    _card(
        "i3d_nln_8x8_r50_k400",
        ("I3D_NLN_8x8_R50",),
        {
            **I3D,
            "attended": ((), (1, 3), (1, 3, 5), ()),
            "attention": {"softmax": True, "pool": (1, 2, 2)},
        },
        _caffe2("kinetics400/I3D_NLN_8x8_R50.pkl", 142),
        accuracy(74.0, 91.1),
        paper=NONLOCAL,
        min_frames=2,
    ),
    _card(
        "slow_4x16_r50_k400",
        ("SLOW_4x16_R50", "SLOWONLY_4x16_R50"),
        SLOW,
        _caffe2("kinetics400/SLOWONLY_4x16_R50.pkl", 130),
        accuracy(72.7, 90.3),
        window=(4, 16),
    ),
    _card(
        "slow_8x8_r50_k400",
        ("SLOW_8x8_R50", "SLOWONLY_8x8_R50"),
        SLOW,
        _caffe2("kinetics400/SLOWONLY_8x8_R50.pkl", 130),
        accuracy(74.8, 91.6),
    ),
    _card(
        "slowfast_4x16_r50_k400",
        ("SLOWFAST_4x16_R50", "SLOWFAST_4x16"),
        _slowfast(400, alpha=8, fusion=5),
        _caffe2("kinetics400/SLOWFAST_4x16_R50.pkl", 138),
        accuracy(75.6, 92.0),
        window=(32, 2),
    ),
    _card(
        "slowfast_8x8_r50_k400",
        ("SLOWFAST_8x8_R50", "SLOWFAST_8x8"),
        _slowfast(400),
        _caffe2("kinetics400/SLOWFAST_8x8_R50.pkl", 138),
        accuracy(77.0, 92.6),
        window=(32, 2),
    ),
    # The two to compare with each other in the paper of multigrid training.
    _card(
        "slowfast_8x8_r50_stepwise_k400",
        ("SLOWFAST_8x8_R50_stepwise",),
        _slowfast(400),
        _multigrid("Kinetics/SLOWFAST_8x8_R50_stepwise.pkl"),
        accuracy(76.8, 92.7),
        paper=MULTIGRID,
        window=(32, 2),
    ),
    _card(
        "slowfast_8x8_r50_multigrid_k400",
        ("SLOWFAST_8x8_R50_stepwise_multigrid", "SLOWFAST_16x8_R50_multigrid"),
        _slowfast(400, window=None),
        _multigrid("Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid.pkl"),
        accuracy(76.6, 92.7),
        paper=MULTIGRID,
        window=(32, 2),
        size=(224, 224),
    ),
    _charades(
        "slowfast_16x8_r50_charades",
        ("SLOWFAST_16x8_R50_CH", "SLOWFAST_16x8_R50_Charades", "SLOWFAST_16x8_R50"),
        "SLOWFAST_16x8_R50.pkl",
        38.9,
    ),
    _charades(
        "slowfast_16x8_r50_multigrid_charades",
        ("SLOWFAST_16x8_R50_multigrid_CH", "SLOWFAST_16x8_R50_multigrid_Charades"),
        "SLOWFAST_16x8_R50_multigrid.pkl",
        38.6,
        window=None,
    ),
    _ssv2(
        "slowfast_16x8_r50_ssv2",
        ("SLOWFAST_16x8_R50_SSv2", "SLOWFAST_16x8_R50_SS2"),
        "SLOWFAST_16x8_R50.pkl",
        accuracy(63.0, 88.5, "something_v2"),
        crop=256,
    ),
    _ssv2(
        "slowfast_16x8_r50_multigrid_ssv2",
        ("SLOWFAST_16x8_R50_multigrid_SSv2", "SLOWFAST_16x8_R50_multigrid_SS2"),
        "SLOWFAST_16x8_R50_multigrid.pkl",
        accuracy(63.5, 88.7, "something_v2"),
        crop=224,
    ),
    _ava(
        "slow_4x16_r50_ava",
        # Upstream's config and file are named otherwise than what is in them.
        ("SLOW_4x16_R50_AVA", "SLOW_8x8_R50_AVA", "C2D_8x8_R50_AVA"),
        {**SLOW, "classes": 80, "dilated": True},
        replace(_caffe2("ava/C2D_8x8_R50.pkl", 127), file="ava_C2D_8x8_R50.pkl"),
        19.5,
        window=(4, 16),
    ),
    # The slow pathway needs two steps: non-local blocks pool pairs of them.
    _ava(
        "slowfast_8x8_r101_ava_v21",
        ("SLOWFAST_32x2_R101_50_50_v2.1", "SLOWFAST_8x8_R101_50_50_AVA_v2.1"),
        AVA,
        _caffe2("ava/SLOWFAST_32x2_R101_50_50_v2.1.pkl", 237),
        28.2,
        version="2.1",
        window=(32, 2),
        min_frames=5,
    ),
    *(
        _ava(
            f"slowfast_{name}_r101_ava",
            (
                f"SLOWFAST_{name}_R101_50_50_AVA",
                f"SLOWFAST_{name}_R101_AVA",
                f"SLOWFAST_{frames}x2_R101_50_50",
            ),
            AVA,
            checkpoint(f"model_zoo/ava/SLOWFAST_{frames}x2_R101_50_50.pkl", 237),
            precision,
            window=(frames, 2),
            min_frames=5,
        )
        for name, frames, precision in (("8x8", 32, 29.1), ("16x8", 64, 29.4))
    ),
)

"""PySlowFast's ResNets: C2D, I3D, Slow and SlowFast.

In names like 8x8, the first number is the slow pathway's frames and the second one
their distance; SlowFast's window has 32 or 64 frames, two apart.
Accuracies on Kinetics and Charades are of 10 clips, three crops each; those on AVA are
of persons in boxes, whose scores those of a whole frame are not. All take RGB:
PySlowFast reads Charades and Something-Something as BGR, and turns them round.
Those with weights stand here; `slowfast_names` has the grammar that makes any other.
"""

from dataclasses import replace

from models.cards.base import Card, Checkpoint
from models.cards.pyslowfast import accuracy, checkpoint
from models.cards.slowfast_names import DEEP, MULTIGRID, parse


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
    weights: Checkpoint,
    published: dict[str, float],
    **further,
) -> Card:
    """The card of a variant with weights; upstream: PySlowFast's names."""
    return replace(
        parse(name),
        aliases=tuple(f"pyslowfast/{own}" for own in upstream),
        checkpoint=weights,
        published=published,
        **further,
    )


def _ava_101(
    frames: str,
    upstream: tuple[str, ...],
    weights: Checkpoint,
    precision: float,
    version: str = "2.2",
) -> Card:
    """A SlowFast of 101 layers on AVA, without its head for boxes.

    Its non-local blocks pool pairs of steps: the slow pathway needs two.
    """
    suffix = "" if version == "2.2" else "_v" + version.replace(".", "")
    base = parse(f"slowfast_{frames}_r50_ava")
    arguments = {
        **base.arguments,
        "depth": 101,
        "fusion": 5,
        "attended": DEEP,
        "attention": {"softmax": False, "pool": (2, 2, 2)},
    }
    return replace(
        base,
        name=f"slowfast_{frames}_r101_ava{suffix}",
        arguments=arguments,
        aliases=tuple(f"pyslowfast/{own}" for own in upstream),
        min_frames=5,
        checkpoint=weights,
        published={f"ava {version} mAP": precision},
    )


CARDS = (
    _card(
        "c2d_nopool_8x8_r50_k400",
        ("C2D_NOPOOL_8x8_R50", "C2D_NOPOOL"),
        _caffe2("kinetics400/C2D_NOPOOL_8x8_R50.pkl", 97),
        accuracy(67.2, 87.8),
    ),
    _card(
        "c2d_8x8_r50_k400",
        ("C2D_8x8_R50",),
        # PySlowFast lists it as the weights from which AVA's Slow 4x16 was trained: it
        # may be a Slow network, which is told when it is loaded.
        _caffe2("ava/pretrain/C2D_8x8_R50.pkl", 97),
        {},
    ),
    _card(
        "i3d_8x8_r50_k400",
        ("I3D_8x8_R50",),
        _caffe2("kinetics400/I3D_8x8_R50.pkl", 112),
        accuracy(73.5, 90.8),
    ),
    _card(
        "i3d_nln_8x8_r50_k400",
        ("I3D_NLN_8x8_R50",),
        _caffe2("kinetics400/I3D_NLN_8x8_R50.pkl", 142),
        accuracy(74.0, 91.1),
    ),
    _card(
        "slow_4x16_r50_k400",
        ("SLOW_4x16_R50", "SLOWONLY_4x16_R50"),
        _caffe2("kinetics400/SLOWONLY_4x16_R50.pkl", 130),
        accuracy(72.7, 90.3),
    ),
    _card(
        "slow_8x8_r50_k400",
        ("SLOW_8x8_R50", "SLOWONLY_8x8_R50"),
        _caffe2("kinetics400/SLOWONLY_8x8_R50.pkl", 130),
        accuracy(74.8, 91.6),
    ),
    _card(
        "slowfast_4x16_r50_k400",
        ("SLOWFAST_4x16_R50", "SLOWFAST_4x16"),
        _caffe2("kinetics400/SLOWFAST_4x16_R50.pkl", 138),
        accuracy(75.6, 92.0),
    ),
    _card(
        "slowfast_8x8_r50_k400",
        ("SLOWFAST_8x8_R50", "SLOWFAST_8x8"),
        _caffe2("kinetics400/SLOWFAST_8x8_R50.pkl", 138),
        accuracy(77.0, 92.6),
    ),
    # The two to compare with each other in the paper of multigrid training.
    _card(
        "slowfast_8x8_r50_stepwise_k400",
        ("SLOWFAST_8x8_R50_stepwise",),
        _multigrid("Kinetics/SLOWFAST_8x8_R50_stepwise.pkl"),
        accuracy(76.8, 92.7),
    ),
    _card(
        "slowfast_8x8_r50_multigrid_k400",
        (
            "SLOWFAST_8x8_R50_stepwise_multigrid",
            "SLOWFAST_16x8_R50_multigrid",
            "SLOWFAST_16x8_R50_multigrid_K400",
        ),
        _multigrid("Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid.pkl"),
        accuracy(76.6, 92.7),
    ),
    _card(
        "slowfast_16x8_r50_charades",
        ("SLOWFAST_16x8_R50_CH", "SLOWFAST_16x8_R50_Charades", "SLOWFAST_16x8_R50"),
        _multigrid("Charades/SLOWFAST_16x8_R50.pkl"),
        {"charades mAP": 38.9},
        paper=MULTIGRID,
    ),
    _card(
        "slowfast_16x8_r50_multigrid_charades",
        ("SLOWFAST_16x8_R50_multigrid_CH", "SLOWFAST_16x8_R50_multigrid_Charades"),
        _multigrid("Charades/SLOWFAST_16x8_R50_multigrid.pkl"),
        {"charades mAP": 38.6},
    ),
    _card(
        "slowfast_16x8_r50_ssv2",
        ("SLOWFAST_16x8_R50_SSv2", "SLOWFAST_16x8_R50_SS2"),
        _multigrid("SSv2/SLOWFAST_16x8_R50.pkl"),
        accuracy(63.0, 88.5, "something_v2"),
        paper=MULTIGRID,
    ),
    _card(
        "slowfast_16x8_r50_multigrid_ssv2",
        ("SLOWFAST_16x8_R50_multigrid_SSv2", "SLOWFAST_16x8_R50_multigrid_SS2"),
        _multigrid("SSv2/SLOWFAST_16x8_R50_multigrid.pkl"),
        accuracy(63.5, 88.7, "something_v2"),
    ),
    _card(
        "slow_4x16_r50_ava",
        # Upstream's config and file are named otherwise than what is in them.
        ("SLOW_4x16_R50_AVA", "SLOW_8x8_R50_AVA", "C2D_8x8_R50_AVA"),
        replace(_caffe2("ava/C2D_8x8_R50.pkl", 127), file="ava_C2D_8x8_R50.pkl"),
        {"ava 2.2 mAP": 19.5},
    ),
    _ava_101(
        "8x8",
        ("SLOWFAST_32x2_R101_50_50_v2.1", "SLOWFAST_8x8_R101_50_50_AVA_v2.1"),
        _caffe2("ava/SLOWFAST_32x2_R101_50_50_v2.1.pkl", 237),
        28.2,
        version="2.1",
    ),
    *(
        _ava_101(
            name,
            (
                f"SLOWFAST_{name}_R101_50_50_AVA",
                f"SLOWFAST_{name}_R101_AVA",
                f"SLOWFAST_{frames}x2_R101_50_50",
            ),
            checkpoint(f"model_zoo/ava/SLOWFAST_{frames}x2_R101_50_50.pkl", 237),
            precision,
        )
        for name, frames, precision in (("8x8", 32, 29.1), ("16x8", 64, 29.4))
    ),
)

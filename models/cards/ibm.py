"""The networks of IBM's study: eight with published weights, its benchmark, any other.

A name says everything, so that a card is made of any name of the grammar, that of the
study's own names (upper case and `-` do as well, "ibm_action/" may stand before, and
the options in any order):

    ibm_<dataset>[_flow][_tam[_b5][_max][_allc]]_<backbone>[_dw_t_conv][_tp][_avg]_f<frames>

    dataset     k400, ssv2 or moments, or one of them as mini_k400 ...
    flow        5 neighbouring flows instead of each frame; the study's own program says
                so, and gives its networks three channels all the same
    tam         blending of neighbouring frames in a 2D network (without: TSN):
                of 5 instead of 3, by the maximum, of all channels with each other
    backbone    resnet_<depth>, i3d_resnet_<depth> or s3d_resnet_<depth> with 18, 34,
                50, 101 or 152; inception_v1, i3d or s3d
    dw_t_conv   s3d's convolutions in time keep the channels apart
    tp          time is halved three times
    avg         by averages instead of maxima
"""

import csv
import re
from dataclasses import replace
from pathlib import Path

from models.cards.base import NEVER, Card, Checkpoint, Feature, Flow, Resize

SOURCE = "https://github.com/IBM/action-recognition-pytorch"
STUDY = "https://arxiv.org/abs/2010.11757"
TAM = "https://arxiv.org/abs/1912.00869"

# A dataset's class list and number of classes; by the study's other names too.
DATASETS = {
    "k400": ("kinetics400", 400),
    "ssv2": ("something_v2", 174),
    "moments": ("moments", 339),
    "mini_k400": ("mini_kinetics400", 200),
    "mini_ssv2": ("mini_ssv2", 87),
    "mini_moments": ("mini_moments", 200),
}
SYNONYMS = {"kinetics400": "k400", "st2stv2": "ssv2"}

FLOWS = 5
"""Neighbouring flows in place of a frame."""

# What a backbone's convolutions do with time (`models.ibm_layers.KINDS`).
KINDS = {
    "resnet": "frames",
    "i3d_resnet": "joint",
    "s3d_resnet": "separate",
    "inception_v1": "frames",
    "i3d": "joint",
    "s3d": "separate",
}

# How a training run ends its name: the schedule, the batch size, the epochs.
_RUN = r"(-(cosine|step|multisteps|plateau)(-syncbn)?-bs\d+-e\d+\*?)?"
_GRAMMAR = re.compile(
    r"""(ibm-(action/)?)?
    (?P<dataset>(mini-)?(k400|kinetics400|ssv2|st2stv2|moments))
    (-rgb|(?P<flow>-flow))?
    (-( (?P<module>tam|tsn)
      | b(?P<frames_blended>[1-9]\d?)
      | (?P<method>sum|((?<=tam-)|(?<=b\d-)|(?<=b\d\d-))max)
      | (?P<allc>allc)
      | (?P<resnet>([is]3d-)?resnet)-(?P<depth>18|34|50|101|152)
      | (?P<inception>inception-v1|i3d|s3d)(-v2)?
      | (?P<depthwise>dw-t-conv)
      | (?P<time_stride>t[ps])
      | (?P<pooling>max|avg)
    ))+
    -f(?P<frames>[1-9]\d*)"""
    + _RUN,
    re.VERBOSE,
)


def parse(name: str) -> Card | None:
    """The card that a name of the grammar means; None for a name that is not of it."""
    card = _read(name)
    return card and _DECLARED.get(card.name, card)


def _read(name: str) -> Card | None:
    """The card of a network without weights and figures, or None."""
    found = _GRAMMAR.fullmatch(name.lower().replace("_", "-"))
    if not found or bool(found["resnet"]) == bool(found["inception"]):
        return None
    backbone = (found["resnet"] or found["inception"]).replace("-", "_")
    kind = KINDS[backbone]
    time_stride, frames = bool(found["time_stride"]), int(found["frames"])
    method = found["method"]
    if found["module"] == "tam" and not time_stride and found["pooling"] == "max":
        method = "max"  # time is not pooled: the word can only mean the blending
    blending = found["frames_blended"] or method or found["allc"]
    if (blending and not found["module"]) or (found["module"] and kind != "frames"):
        return None
    if found["depthwise"] and kind != "separate":
        return None
    # S3D's last pooling takes pairs of steps.
    least = (5 if time_stride else 2) if backbone == "s3d" else 1
    if frames < least:
        return None
    # 3D ResNets have strides and no poolings; in 2D, time alone is pooled by choice.
    chosen = backbone in ("i3d", "s3d") or (kind == "frames" and time_stride)
    blend = {
        "frames": int(found["frames_blended"] or 3),
        "method": method or "sum",
        "depthwise": not found["allc"],
    }
    arguments = {
        "kind": kind,
        "time_stride": time_stride,
        "pooling": (found["pooling"] if chosen else None) or "max",
        "depthwise": bool(found["depthwise"]),
        "blend": blend if found["module"] == "tam" else None,
    }
    if found["depth"]:
        arguments["depth"] = int(found["depth"])
    if found["flow"]:
        arguments["channels"] = 2 * FLOWS
    dataset = found["dataset"].replace("-", "_")
    for synonym, own in SYNONYMS.items():
        dataset = dataset.replace(synonym, own)
    return _card(dataset, backbone, frames, least, arguments)


def _card(
    dataset: str, backbone: str, frames: int, least: int, arguments: dict
) -> Card:
    classes, count = DATASETS[dataset]
    depth = arguments.get("depth")
    name = "_".join([f"ibm_{dataset}", *_words(backbone, arguments), f"f{frames}"])
    card = Card(
        name=name,
        network=f"models.ibm_{'resnet:ResNet' if depth else 'inception:Inception'}",
        arguments=arguments | {"classes": count},
        aliases=(),
        frames=frames,
        stride=1,
        sampling="uniform",
        fps=None,
        min_frames=least,
        resize=Resize(short=256, filter="pillow"),
        crop=224,
        mean=(0.485, 0.456, 0.406) if depth else (0.5, 0.5, 0.5),
        std=(0.229, 0.224, 0.225) if depth else (0.5, 0.5, 0.5),
        features=_features(_dim(depth), count, side=7),
        classes=classes,
        checkpoint=Checkpoint(
            urls=(),
            page=SOURCE,
            file=f"{name}.pth.tar",
            size=NEVER,
            layout="that of its train.py: state_dict, under DataParallel's module.",
            licence="Apache-2.0",
        ),
        source=SOURCE,
        paper=TAM if arguments["blend"] else STUDY,
        published={},
    )
    if "channels" not in arguments:
        return card
    return replace(
        card,
        consecutive=FLOWS,
        mean=(0.5, 0.5),
        std=(sum(card.std) / 3,) * 2,
        colour="flow",
        flow=Flow("tvl1", bound=20),
    )


def _words(backbone: str, arguments: dict) -> list[str]:
    """The network in the words of the grammar, those of the defaults left out."""
    blend = arguments["blend"] or {"frames": 3, "method": "sum", "depthwise": True}
    words = {
        "flow": "channels" in arguments,
        "tam": arguments["blend"],
        f"b{blend['frames']}": blend["frames"] != 3,
        "max": blend["method"] == "max",
        "allc": not blend["depthwise"],
        backbone: True,
        str(arguments.get("depth")): "depth" in arguments,
        "dw_t_conv": arguments["depthwise"],
        "tp": arguments["time_stride"],
        "avg": arguments["pooling"] == "avg",
    }
    return [word for word, applies in words.items() if applies]


def _dim(depth: int | None) -> int:
    if depth is None:
        return 1024
    return 512 if depth < 50 else 2048


def _features(dim: int, classes: int, side: int) -> dict[str, Feature]:
    """What `models.ibm_layers.outputs` gives; side: of the last stage, in pixels."""
    scores = "class scores before softmax"
    step = "last stage (blended in Inception with TAM) averaged over space, before fc"
    return {
        "features": Feature(dim, "features_per_step averaged over time"),
        "features_per_step": Feature(dim, step, ("time",)),
        "map": Feature(dim, "last stage", ("time", side, side)),
        "logits_per_step": Feature(classes, f"{scores}, of each step", ("time",)),
        "logits": Feature(classes, f"{scores}, averaged over the steps"),
    }


def _released(upstream: str, top1: float, megabytes: int) -> Card:
    """One of the eight with weights: 32 frames of 256 x 256 pixels, time not strided.

    top1: in percent, of 3 crops of 10 clips on Kinetics, of 2 on Something-Something.
    """
    card = _read(upstream)
    dense = card.classes == "kinetics400"
    dim, classes = (card.features[name].dim for name in ("features", "logits"))
    file = f"{upstream}.pth.tar"
    return replace(
        card,
        aliases=(f"ibm_action/{upstream}", upstream),
        stride=2 if dense else 1,
        sampling="dense" if dense else "uniform",
        crop=256,
        features=_features(dim, classes, side=8),
        checkpoint=replace(
            card.checkpoint,
            urls=(f"{SOURCE}/releases/download/weights-v0.1/{file}",),
            file=file,
            size=f"about {megabytes} MB",
            layout="state_dict",
        ),
        published={f"{card.classes} top-1": top1},
    )


def _benchmark() -> list[Card]:
    """The cards of the benchmark's table, with its accuracies: one centre crop."""
    with Path(__file__).with_name("ibm_benchmark.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    cards = [_read(row["name"]) for row in rows]
    return [
        replace(
            card,
            published={
                f"{card.classes} top-1": float(row["top1"]),
                f"{card.classes} top-5": float(row["top5"]),
            },
        )
        for card, row in zip(cards, rows, strict=True)
    ]


CARDS = (
    _released("K400-I3D-ResNet-50-f32", 76.61, 188),
    _released("K400-TAM-ResNet-50-f32", 76.18, 97),
    _released("K400-I3D-ResNet-101-f32", 77.80, 344),
    _released("K400-TAM-ResNet-101-f32", 77.61, 174),
    _released("SSV2-I3D-ResNet-50-f32", 62.84, 186),
    _released("SSV2-TAM-ResNet-50-f32", 63.83, 96),
    _released("SSV2-I3D-ResNet-101-f32", 64.29, 342),
    _released("SSV2-TAM-ResNet-101-f32", 65.32, 172),
    *_benchmark(),
)
_DECLARED = {card.name: card for card in CARDS}

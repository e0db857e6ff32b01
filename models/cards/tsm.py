"""TSN and TSM of MIT's HAN Lab: the published ones, and any other of the grammar.

A name says everything ("tsm/" may stand before it):

    <tsm|tsn>[_flow]_<backbone>[_nl]_<dataset>_<segments>seg[_dense]

    tsm, tsn    with and without channels shifted between the frames
    flow        5 neighbouring flows of each segment instead of a frame
    backbone    resnet18, resnet34, resnet50, resnet101, resnet152 or mobilenetv2
    nl          a ResNet-50 with non-local blocks
    dataset     k400, ssv1, ssv2, ucf101, hmdb51 or jester
    dense       frames are from 64 neighbouring ones, not from all of the video

Some of the published ones are dense although their names do not say it. The names of
upstream's files are understood as well: TSM_somethingv2_RGB_resnet50_avg_segment8_e50.
"""

import re
from dataclasses import replace
from functools import partial

from models.cards.base import NEVER, Card, Checkpoint, Feature, Flow, Resize

SOURCE = "https://github.com/mit-han-lab/temporal-shift-module"
HOSTS = (
    "https://hanlab18.mit.edu/projects/tsm/models",
    "https://hanlab.mit.edu/projects/tsm/models",
    "https://file.lzhu.me/projects/tsm/models",
)
TSM = "https://arxiv.org/abs/1811.08383"
TSN = "https://arxiv.org/abs/1608.00859"

# A dataset's class list and number of classes.
DATASETS = {
    "k400": ("kinetics400", 400),
    "ssv1": ("something_v1", 174),
    "ssv2": ("something_v2", 174),
    "ucf101": ("ucf101", 101),
    "hmdb51": ("hmdb51", 51),
    "jester": ("jester", 27),
}
UPSTREAM = {"kinetics": "k400", "something": "ssv1", "somethingv2": "ssv2"}

# The width of a backbone's features.
WIDTHS = {
    "resnet18": 512,
    "resnet34": 512,
    "resnet50": 2048,
    "resnet101": 2048,
    "resnet152": 2048,
    "mobilenetv2": 1280,
}

DENSE = 64
"""Frames of the video under one dense clip."""

FLOWS = 5
"""Neighbouring flows of a segment."""

_OWN = re.compile(
    r"""(tsm/)? (?P<kind>tsm|tsn) (?P<flow>_flow)? _(?P<backbone>[a-z]+\d+)
    (?P<non_local>_nl)? _(?P<dataset>[a-z]+\d*) _(?P<segments>[1-9]\d*)seg
    (?P<dense>_dense)? (?P<flow_too>_flow)? (__\w+)?""",
    re.VERBOSE,
)
_FILE = re.compile(
    r"""(tsm/)? TSM _(?P<dataset>[a-z]+\d*) _(RGB|(?P<flow>Flow)) _(?P<backbone>\w+?)
    (?P<kind>_shift8_blockres)? _avg _segment(?P<segments>[1-9]\d*) _e\d+
    (?P<dense>_dense)? (?P<non_local>_nl)? (\.pth(\.tar)?)?""",
    re.VERBOSE,
)


def parse(name: str) -> Card | None:
    """The card that a name of the grammar means; None for a name that is not of it."""
    card = _read(name)
    if card is None:
        return None
    same = _DECLARED.get(card.name) or _DECLARED.get(card.name.removesuffix("_dense"))
    return same if same and same.sampling == card.sampling else card


def _read(name: str) -> Card | None:
    """The card of a network without weights and figures, or None."""
    spelled = re.sub("[ -]+", "_", name.lower())
    found = _OWN.fullmatch(spelled) or _FILE.fullmatch(name)
    if not found or found["backbone"] not in WIDTHS:
        return None
    backbone, segments = found["backbone"], int(found["segments"])
    dataset = UPSTREAM.get(found["dataset"], found["dataset"])
    if dataset not in DATASETS or (found["non_local"] and backbone != "resnet50"):
        return None
    flow = found["flow"] or found.groupdict().get("flow_too")
    kind = "tsm" if found["kind"] in ("tsm", "_shift8_blockres") else "tsn"
    words = {
        kind: True,
        "flow": flow,
        backbone: True,
        "nl": found["non_local"],
        dataset: True,
        f"{segments}seg": True,
        "dense": found["dense"],
    }
    name = "_".join(word for word, applies in words.items() if applies)
    classes, count = DATASETS[dataset]
    arguments = {
        "backbone": backbone.replace("netv2", "net_v2"),
        "classes": count,
        "shift": kind == "tsm",
        "non_local": bool(found["non_local"]),
    }
    card = Card(
        name=name,
        network="models.tsm:TSM",
        arguments=arguments,
        aliases=(),
        frames=segments,
        stride=max(1, DENSE // segments) if found["dense"] else 1,
        sampling="dense" if found["dense"] else "uniform",
        fps=None,
        resize=Resize(short=256, filter="pillow"),
        crop=224,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        features=_features(WIDTHS[backbone], count),
        classes=classes,
        checkpoint=Checkpoint(
            urls=(),
            page=SOURCE,
            file=f"{name}.pth.tar",
            size=NEVER,
            layout="that of its main.py: state_dict, under DataParallel's module.",
            licence="MIT",
        ),
        source=SOURCE,
        paper=TSM if kind == "tsm" else TSN,
        published={},
    )
    if not flow:
        return card
    return replace(
        card,
        arguments=arguments | {"channels": 2 * FLOWS},
        consecutive=FLOWS,
        mean=(0.5, 0.5),
        std=(0.226, 0.226),  # the mean of the colours' deviations
        colour="flow",
        flow=Flow("tvl1", bound=20),
    )


def _features(dim: int, classes: int) -> dict[str, Feature]:
    """What `models.tsm.TSM` gives for a crop of 224 pixels."""
    scores = "class scores before softmax"
    return {
        "features": Feature(dim, "mean of features_per_segment over the segments"),
        "features_per_segment": Feature(
            dim, "last stage averaged over space, before new_fc", ("time",)
        ),
        "map": Feature(dim, "last stage", ("time", 7, 7)),
        "logits_per_segment": Feature(classes, f"{scores}, of a segment", ("time",)),
        "logits": Feature(classes, f"{scores}, averaged over the segments"),
    }


def _published(
    name: str, file: str, top1: float | None, megabytes: int, dense: bool = False
) -> Card:
    """A variant with weights.

    file: its stem, which upstream is the model's name.
    top1: in percent, of one crop of one uniform clip; of 10 dense clips of full size;
        on Something-Something V2, of two uniform clips of full size.
    """
    card = _read(name.removesuffix("_dense"))
    if dense:
        card = replace(card, sampling="dense", stride=DENSE // card.frames)
    # The file of the TSN serves all ways to take a clip, and stands for the first.
    first = file != _TSN or name == _TSN_FIRST
    own = (file, f"tsm/{file}") if first else ()
    return replace(
        card,
        name=name,
        aliases=(f"tsm/{name}", *own),
        checkpoint=replace(
            card.checkpoint,
            urls=tuple(f"{host}/{file}.pth" for host in HOSTS),
            file=f"{file}.pth",
            size=f"about {megabytes} MB",
            layout="state_dict, under DataParallel's module.",
        ),
        published={} if top1 is None else {f"{card.classes} top-1": top1},
    )


def _file(dataset: str, modality: str, backbone: str, end: str) -> str:
    return f"TSM_{dataset}_{modality}_{backbone}_shift8_blockres_avg_segment{end}"


_TSN = "TSM_kinetics_RGB_resnet50_avg_segment5_e50"
_TSN_FIRST = "tsn_resnet50_k400_8seg"
_K400, _K400_MOBILE, _K400_FLOW, _V1, _V1_101, _V2, _V2_101 = (
    partial(_file, *words)
    for words in (
        ("kinetics", "RGB", "resnet50"),
        ("kinetics", "RGB", "mobilenetv2"),
        ("kinetics", "Flow", "resnet50"),
        ("something", "RGB", "resnet50"),
        ("something", "RGB", "resnet101"),
        ("somethingv2", "RGB", "resnet50"),
        ("somethingv2", "RGB", "resnet101"),
    )
)

CARDS = (
    _published(_TSN_FIRST, _TSN, 68.8, 97),
    _published("tsn_resnet50_k400_8seg_dense", _TSN, 70.6, 97, dense=True),
    # The frames with which it was trained, of which no accuracy is published.
    _published("tsn_resnet50_k400_5seg", _TSN, None, 97),
    _published("tsm_resnet50_k400_8seg", _K400("8_e50"), 71.2, 97),
    _published("tsm_resnet50_k400_16seg", _K400("16_e50"), 72.6, 97),
    _published(
        "tsm_resnet50_k400_8seg_dense", _K400("8_e100_dense"), 74.1, 97, dense=True
    ),
    _published(
        "tsm_resnet50_nl_k400_8seg", _K400("8_e100_dense_nl"), 75.6, 127, dense=True
    ),
    _published(
        "tsm_mobilenetv2_k400_8seg", _K400_MOBILE("8_e100_dense"), 69.5, 11, dense=True
    ),
    # Meant for other datasets to start from.
    _published("tsm_flow_resnet50_k400_8seg", _K400_FLOW("8_e50"), 55.7, 97),
    _published("tsm_resnet50_ssv1_8seg", _V1("8_e45"), 45.6, 96),
    _published("tsm_resnet50_ssv1_16seg", _V1("16_e45"), 47.2, 96),
    _published("tsm_resnet101_ssv1_8seg", _V1_101("8_e45"), 46.9, 171),
    _published("tsm_resnet50_ssv2_8seg", _V2("8_e45"), 61.2, 96),
    _published("tsm_resnet50_ssv2_16seg", _V2("16_e45"), 63.1, 96),
    _published("tsm_resnet101_ssv2_8seg", _V2_101("8_e45"), 63.3, 171),
)
_DECLARED = {card.name: card for card in CARDS}

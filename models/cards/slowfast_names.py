"""The names of PySlowFast's ResNets, which say everything: the card of any of them.

    [pyslowfast/]<network>[_nln]_<frames>x<distance>_r<depth>[_<slow>[_<fast>]]
        [_in1k][_stepwise][_multigrid][_<dataset>]

    network     c2d, i3d, c2d_nopool, i3d_nopool, slow (or slowonly) or slowfast
    nln         non-local blocks stand in the first pathway
    frames      the slow pathway's, which are `distance` apart; the fast pathway's are
                two apart, and AVA's configs tell those: 32x2 is 8x8
    depth       50 or 101 layers
    slow, fast  s4's blocks that span time in each pathway are as many as 50 layers
                have, or 101; without a word, all do
    in1k        began with ImageNet's weights
    stepwise, multigrid
                how training went; a network of multigrid training averages whole maps
    dataset     k400 (without a word), k600, ch or charades, ssv2 or ss2, ava

Architectures are those of the configs of https://github.com/facebookresearch/SlowFast.
PyTorchVideo publishes weights of SlowFast R101 under other keys; none of these take
them. AVA's networks of 101 layers are another grammar, and stand in `slowfast.CARDS`.
"""

import re
from dataclasses import replace

from models.cards.base import Card, Feature
from models.cards.pyslowfast import card, unpublished
from models.cards.spelling import spelled

SLOWFAST = "https://arxiv.org/abs/1812.03982"
NONLOCAL = "https://arxiv.org/abs/1711.07971"
MULTIGRID = "https://arxiv.org/abs/1912.00998"

# A dataset's class list and number of classes; by other names too.
DATASETS = {
    "k400": ("kinetics400", 400),
    "k600": ("kinetics600", 600),
    "charades": ("charades", 157),
    "ssv2": ("something_v2", 174),
    "ava": ("ava", 80),
}
SYNONYMS = {"ch": "charades", "ss2": "ssv2"}

PATHWAYS = {
    "c2d": ("C2D",),
    "i3d": ("I3D",),
    "c2d_nopool": ("C2D",),
    "i3d_nopool": ("I3D",),
    "slow": ("Slow",),
    "slowfast": ("Slow", "Fast"),
}

POOLED = ("c2d", "i3d")
"""Those that pool pairs of steps."""

FAST_STRIDE = 2
"""Distance of the fast pathway's frames."""

S4 = {50: 6, 101: 23}
"""Blocks of s4, by the depth of the network that has so many."""

# The blocks of each stage behind which non-local blocks stand.
ATTENDED = (), (1, 3), (1, 3, 5), ()
DEEP = (), (), (6, 13, 20), ()  # of SlowFast R101

FULL = 256, 256
CROPS = {"k400": (224, 224), "ssv2": (256, 224)}
"""The short side and the crop of tests after multigrid training, by dataset."""

_GRAMMAR = re.compile(
    r"""(pyslowfast/)? (?P<network>c2d|i3d|slowfast|slow) ((?<=slow)only)?
    (?P<nopool>_nopool)? (?P<nln>_nln)? _(?P<frames>[1-9]\d*)x(?P<distance>[1-9]\d*)
    _r(?P<depth>50|101) (_(?P<slow>50|101))? (_(?P<fast>50|101))?
    (?P<in1k>_in1k)? (?P<stepwise>_stepwise)? (?P<multigrid>_multigrid)?
    (_(?P<dataset>k400|k600|ch(arades)?|ssv?2|ava))?""",
    re.VERBOSE,
)


def parse(name: str) -> Card | None:
    """The card that a name of the grammar means, without published weights, or None."""
    found = _GRAMMAR.fullmatch(spelled(name))
    if not found:
        return None
    network = found["network"] + (found["nopool"] or "")
    frames, distance = int(found["frames"]), int(found["distance"])
    dataset = found["dataset"] or "k400"
    if network == "slowfast" and distance == FAST_STRIDE and not frames % 4:
        frames, distance, dataset = frames // 4, 8, found["dataset"] or "ava"
    dataset = SYNONYMS.get(dataset, dataset)
    depth = int(found["depth"])
    slow = int(found["slow"] or depth)
    fast = int(found["fast"] or slow)
    if (
        network not in PATHWAYS
        or max(slow, fast) > depth
        or (network != "slowfast" and slow != fast)
        or (network == "slowfast" and (distance % FAST_STRIDE or distance < 4))
        or (network in POOLED and frames < 2)
        or (dataset == "ava" and depth == 101)
    ):
        return None
    pathways = PATHWAYS[network]
    spanning = (slow, fast)[: len(pathways)]
    multigrid = bool(found["multigrid"])
    words = {
        network: True,
        "nln": found["nln"],
        f"{frames}x{distance}": True,
        f"r{depth}": True,
        "_".join(map(str, spanning)): min(spanning) < depth,
        "in1k": found["in1k"],
        "stepwise": found["stepwise"] and not multigrid,
        "multigrid": multigrid,
        dataset: True,
    }
    name = "_".join(word for word, applies in words.items() if applies)
    arguments = _arguments(network, bool(found["nln"]), distance, depth, spanning)
    return _card(name, arguments, (frames, distance), dataset, multigrid)


def _arguments(
    network: str, nln: bool, distance: int, depth: int, spanning: tuple[int, ...]
) -> dict:
    """The arguments of `models.slowfast.ResNet` that do not follow from the dataset."""
    arguments = {"pathways": PATHWAYS[network], "depth": depth}
    if network in POOLED:
        arguments["halve_time"] = True
    if max(spanning) > 50:
        arguments["spanning"] = tuple(S4[blocks] for blocks in spanning)
    fused = network == "slowfast"
    if fused and distance != 8:
        arguments["alpha"] = distance // FAST_STRIDE
    if fused and (distance != 8 or depth == 101 or nln):
        arguments["fusion"] = 5
    if nln:
        arguments["attended"] = DEEP if fused and depth == 101 else ATTENDED
        softmax = "Slow" not in PATHWAYS[network]
        arguments["attention"] = {"softmax": softmax, "pool": (1, 2, 2)}
    return arguments


def _card(
    name: str,
    arguments: dict,
    window: tuple[int, int],
    dataset: str,
    multigrid: bool,
) -> Card:
    """A variant's card; window: frames of the slow pathway, and their distance."""
    classes, count = DATASETS[dataset]
    arguments = arguments | {"classes": count}
    # With 7 x 7 maps, as those of Something-Something, a window is the whole map.
    if multigrid and dataset != "ssv2":
        arguments["window"] = None
    if dataset == "ava":
        arguments["dilated"] = True
    fused = len(arguments["pathways"]) > 1
    if fused:
        window = window[0] * window[1] // FAST_STRIDE, FAST_STRIDE
    paper = SLOWFAST if "Slow" in arguments["pathways"] else NONLOCAL
    made = card(
        name=name,
        upstream=(),
        network="models.slowfast:ResNet",
        arguments=arguments,
        window=window,
        size=CROPS.get(dataset, FULL) if multigrid else FULL,
        features={
            "features": Feature(
                2304 if fused else 2048, "last stage averaged, as published, before fc"
            ),
            "logits": Feature(count, "class scores before softmax or sigmoid"),
        },
        checkpoint=unpublished(name),
        paper=MULTIGRID if multigrid or "stepwise" in name else paper,
        published={},
        classes=classes,
    )
    return replace(
        made,
        fps=24 if dataset == "charades" else made.fps,
        sampling="uniform" if dataset == "ssv2" else made.sampling,
        min_frames=2 if "halve_time" in arguments else 1,
    )

"""What the cards of PySlowFast's models have in common.

Its videos are read at 30 fps, and its pixels normalised by one mean and one deviation.
"""

from collections.abc import Mapping

from models.cards.base import NEVER, Card, Checkpoint, Feature, Resize

SOURCE = "https://github.com/facebookresearch/SlowFast"
FILES = "https://dl.fbaipublicfiles.com/pyslowfast"


def card(
    name: str,
    upstream: tuple[str, ...],
    network: str,
    arguments: Mapping,
    window: tuple[int, int],
    size: tuple[int, int],
    features: Mapping[str, Feature],
    checkpoint: Checkpoint,
    paper: str,
    published: Mapping[str, float],
    classes: str = "kinetics400",
) -> Card:
    """The card of a variant.

    upstream: PySlowFast's names.
    window: frames, and stride at 30 fps.
    size: the short side, and the crop of the centre, in pixels.
    """
    return Card(
        name=name,
        network=network,
        arguments=arguments,
        aliases=tuple(f"pyslowfast/{own}" for own in upstream),
        frames=window[0],
        stride=window[1],
        fps=30,
        # The ratio of the sizes before and after, for each side by itself.
        resize=Resize(height=(size[0], size[0])),
        crop=size[1],
        half_pixels="up",
        mean=(0.45, 0.45, 0.45),
        std=(0.225, 0.225, 0.225),
        features=features,
        checkpoint=checkpoint,
        source=SOURCE,
        paper=paper,
        published=published,
        classes=classes,
    )


def checkpoint(path: str, megabytes: int, page: str = "MODEL_ZOO.md") -> Checkpoint:
    """A file on PySlowFast's server.

    megabytes: of the weights; the state of the optimizer may stand beside them.
    page: the one in the repository that links to it.
    """
    return Checkpoint(
        urls=(f"{FILES}/{path}",),
        page=f"{SOURCE}/tree/main/{page}",
        file=path.split("/")[-1],
        size=f"{megabytes} MB of weights",
        layout="model_state",
        licence="Apache-2.0",
    )


def unpublished(name: str) -> Checkpoint:
    """The weights of a config that has none: what PySlowFast's training makes fits."""
    return Checkpoint(
        urls=(),
        page=SOURCE,
        file=f"{name}.pyth",
        size=NEVER,
        layout="model_state",
        licence="Apache-2.0",
    )


def accuracy(top1: float, top5: float | None = None, classes: str = "kinetics400"):
    """Published accuracies in percent, by their labels."""
    figures = {f"{classes} top-1": top1}
    return figures if top5 is None else {**figures, f"{classes} top-5": top5}

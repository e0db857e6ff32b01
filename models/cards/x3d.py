"""X3D's variants of four sizes; accuracies are of 10 clips, three crops each.

Frames have the size of those crops here; the networks were trained on smaller ones.
"""

from models.cards.base import Card, Feature
from models.cards.pyslowfast import accuracy, card, checkpoint


def _card(
    size: str,
    window: tuple[int, int],
    pixels: int,
    trained: int,
    blocks: tuple[int, ...],
    top1: float,
    megabytes: int,
) -> Card:
    """A variant; trained: the side of its crops in training, in pixels."""
    return card(
        name=f"x3d_{size}_k400",
        upstream=(f"X3D_{size.upper()}",),
        network="models.x3d:X3D",
        arguments={"blocks": blocks, "window": -(-trained // 32), "classes": 400},
        window=window,
        size=(pixels, pixels),
        features={
            "features": Feature(2048, "last hidden layer, lin_5, after ReLU"),
            "stage5": Feature(192, "last stage averaged over space", axes=("time",)),
            "logits": Feature(400, "class scores before softmax"),
        },
        checkpoint=checkpoint(f"x3d_models/x3d_{size}.pyth", megabytes),
        paper="https://arxiv.org/abs/2004.04730",
        published=accuracy(top1),
    )


SMALL, LARGE = (3, 5, 11, 7), (5, 10, 25, 15)

CARDS = (
    _card("xs", (4, 12), 182, 160, SMALL, top1=69.5, megabytes=15),
    _card("s", (13, 6), 182, 160, SMALL, top1=73.5, megabytes=15),
    _card("m", (16, 5), 256, 224, SMALL, top1=76.2, megabytes=15),
    _card("l", (16, 5), 356, 312, LARGE, top1=77.5, megabytes=25),
)

"""The 2D networks of torchvision whose ImageNet weights a card's network can take.

They are those with which the original programs begin; `models.inflation` does it.
"""

import re
from dataclasses import replace

from models.cards.base import Card, Checkpoint

PAGE = "https://docs.pytorch.org/vision/stable/models.html"


class NotInflatable(ValueError):
    """A network with no 2D one of the same shape."""


def image_network(card: Card) -> str:
    """The 2D network of torchvision whose weights the card's network can take.

    Raises `NotInflatable`.
    """
    arguments = card.arguments
    if card.colour != "flow":
        if card.network == "models.ibm_resnet:ResNet":
            return f"resnet{arguments['depth']}"
        if card.network == "models.ibm_inception:Inception":
            return "googlenet"
        if card.network == "models.tsm:TSM" and "resnet" in arguments["backbone"]:
            return arguments["backbone"]
    raise NotInflatable(
        f"{card.name} has no 2D network to inflate; IBM's networks, and TSN and TSM on"
        " ResNets, have"
    )


def with_image_weights(card: Card) -> Card:
    """The card with the file of its 2D network's weights in place of its own.

    Raises `NotInflatable`.
    """
    from torchvision.models import get_model_weights

    url = get_model_weights(image_network(card)).IMAGENET1K_V1.url
    file = url.rpartition("/")[2]
    checkpoint = Checkpoint(
        urls=(url,),
        page=PAGE,
        file=file,
        size="50 to 240 MB",
        layout="state dict",
        licence="BSD-3-Clause",
        sha256=re.search(r"-([0-9a-f]{8})\.", file)[1],
    )
    return replace(card, checkpoint=checkpoint)

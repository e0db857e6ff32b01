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
    match card.network:
        case "models.ibm_resnet:ResNet" | "models.slowfast:ResNet":
            return f"resnet{arguments['depth']}"
        case "models.ibm_inception:Inception":
            return "googlenet"
        case "models.tsm:TSM":
            return arguments["backbone"]
    raise NotInflatable(
        f"{card.name} has no 2D network to inflate; IBM's networks, TSN and TSM, and"
        " PySlowFast's ResNets have"
    )


def with_image_weights(card: Card) -> Card:
    """The card with the file of its 2D network's weights in place of its own.

    Raises `NotInflatable`.
    """
    from torchvision.models import get_model_weights

    weights = get_model_weights(image_network(card)).IMAGENET1K_V1
    file = weights.url.rpartition("/")[2]
    checkpoint = Checkpoint(
        urls=(weights.url,),
        page=PAGE,
        file=file,
        size=f"{weights.meta['_file_size']:.0f} MB",
        layout="state dict",
        licence="BSD-3-Clause",
        sha256=re.search(r"-([0-9a-f]{8})\.", file)[1],
    )
    return replace(card, checkpoint=checkpoint)

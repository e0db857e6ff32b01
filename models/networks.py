"""Networks from cards, also for other classes than the card's."""

from dataclasses import replace
from importlib import import_module

import torch
from torch import nn

from models.cards.base import Card


def build(card: Card) -> nn.Module:
    """The card's network with the weights that it begins with."""
    module, builder = card.network.split(":")
    return getattr(import_module(module), builder)(**card.arguments)


def with_classes(card: Card, count: int) -> Card:
    """The card of the same variant with `count` classes of somebody's own."""
    features = {
        name: replace(feature, dim=count) if "logits" in name else feature
        for name, feature in card.features.items()
    }
    arguments = {**card.arguments, "classes": count}
    return replace(card, arguments=arguments, features=features, classes="own")


def head_keys(card: Card) -> list[str]:
    """The keys of the weights whose shapes follow from the number of classes."""
    count = card.arguments["classes"]
    shapes, others = (_shapes(with_classes(card, n)) for n in (count, count + 1))
    return [key for key, shape in shapes.items() if shape != others[key]]


def head(network: nn.Module, card: Card) -> nn.Module:
    """The layer of a network that gives the logits."""
    (name,) = {key.rpartition(".")[0] for key in head_keys(card)}
    return network.get_submodule(name)


def _shapes(card: Card) -> dict[str, torch.Size]:
    with torch.device("meta"):  # shapes only: no memory, no initialisation
        network = build(card)
    return {key: value.shape for key, value in network.state_dict().items()}

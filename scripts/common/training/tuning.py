"""How a network of the zoo is made to learn: dropout, frozen norms, the optimiser."""

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

import models
from models.networks import head, head_keys

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def set_dropout(extractor: models.Extractor, chance: float | None) -> None:
    """Drop numbers before the head with this chance; None leaves what the network does.

    A network that has dropouts of its own gets the chance there.
    """
    if chance is None:
        return
    own = [m for m in extractor.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    for module in own:
        module.p = chance
    if not own:

        def drop(layer: nn.Module, given: tuple):
            return (F.dropout(given[0], chance, layer.training), *given[1:])

        head(extractor.network, extractor.card).register_forward_pre_hook(drop)


def set_training(extractor: models.Extractor, frozen_norms: str) -> None:
    """Put a network into the mode in which it learns.

    Args:
        extractor: with its network.
        frozen_norms: the batch norms that keep their statistics: `none`, `all`, or
            `all_but_first`, what Temporal Segment Networks call partial BN.
    """
    extractor.train()
    for norm in _frozen(extractor, frozen_norms):
        norm.eval()


def learning(
    extractor: models.Extractor, optimizer: Mapping, frozen_norms: str
) -> torch.optim.Optimizer:
    """Let the parameters learn, and return what changes them.

    Frozen norms do not learn. Each group of parameters has `scale`, by which its
    learning rate is multiplied: `head_lr` for the head, else 1.

    Args:
        extractor: with its network.
        optimizer: as in the config: `name`, `lr`, `momentum`, `nesterov`,
            `weight_decay`, `decay_norms` and `head_lr`.
        frozen_norms: as for `set_training`.
    """
    extractor.requires_grad_(True)
    for norm in _frozen(extractor, frozen_norms):
        norm.requires_grad_(False)
    heads = {f"network.{key}" for key in head_keys(extractor.card)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in extractor.named_parameters():
        if parameter.requires_grad:
            decayed = optimizer["decay_norms"] or parameter.dim() > 1
            decay = optimizer["weight_decay"] if decayed else 0.0
            scale = optimizer["head_lr"] if name in heads else 1.0
            groups.setdefault((scale, decay), []).append(parameter)
    more = {}
    if optimizer["name"] == "sgd":
        more = {key: optimizer[key] for key in ("momentum", "nesterov")}
    return OPTIMIZERS[optimizer["name"]](
        [
            {"params": parameters, "scale": scale, "weight_decay": decay}
            for (scale, decay), parameters in groups.items()
        ],
        lr=optimizer["lr"],
        **more,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group, times its scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def _frozen(extractor: models.Extractor, which: str) -> Iterator[nn.Module]:
    norms = [module for module in extractor.modules() if isinstance(module, BatchNorm)]
    return iter(norms[{"none": len(norms), "all": 0, "all_but_first": 1}[which] :])

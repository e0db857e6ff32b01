"""How an entry under `flow` of the config becomes flow, and what is told of it."""

from collections.abc import Callable

from models.cards.raft import BY_NAME as CARDS
from scripts.common.flow.kinds import DIRECTION
from scripts.common.flow.quantisation import Quantisation

ALGORITHMS = ("tvl1", "farneback", *CARDS)
# Bits and picture format of each storage.
STORAGES = {"jpg": (8, "jpg"), "png16": (16, "png")}


def complete(options: dict, weights: str | None) -> dict:
    """Return the options with the network's own number of updates where it is null.

    Args:
        options: an entry under `flow` of the config.
        weights: sha256 of the checkpoint, or what the random weights are; None where
            the algorithm has none.
    """
    own = {}
    if card := CARDS.get(options["algorithm"]):
        own["updates"] = options["parameters"].get("updates") or card.updates
    parameters = options["parameters"] | own
    return options | {"parameters": parameters, "weights": weights}


def told(options: dict) -> dict:
    """Return what made flow, as it is stored beside it.

    Args:
        options: `algorithm`, `parameters`, `weights` (None where there are none),
            `bound`, `storage`.
    """
    made = ("algorithm", "parameters", "weights")
    return {name: options[name] for name in made} | {
        "direction": DIRECTION,
        **quantisation_of(options).as_dict(),
    }


def quantisation_of(options: dict) -> Quantisation:
    """Return how the options make levels of flow."""
    return Quantisation(options["bound"], STORAGES[options["storage"]][0])


def estimator(options: dict, checkpoint: str | None) -> Callable:
    """Return the estimator of complete options (scripts/common/flow/algorithms.py).

    Args:
        options: `algorithm` and `parameters`.
        checkpoint: a network's file of weights; None for random ones, or no network.
    """
    # Importing torch takes seconds: not before there is a video to do.
    from scripts.common.flow import algorithms

    parameters = options["parameters"]
    if create := algorithms.OPENCV.get(options["algorithm"]):
        return algorithms.opencv(create, parameters)
    from models import raft

    network = raft.create(options["algorithm"], checkpoint, parameters["updates"])
    return algorithms.raft(network)

"""By what the learning rate is multiplied, step by step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Where a warm-up begins.
WARM = 0.01


def factor(schedule: Mapping, epoch: float, epochs: int) -> float:
    """Return the factor after some epochs, of `epochs`; a step is a part of an epoch.

    Args:
        schedule: `name`: `constant`, `cosine` (to 0 at the end), `step` (by `gamma`
            every `period` epochs), `multistep` (by `gamma` at each of `milestones`) or
            `plateau` (`Plateau` does it); `warmup`: epochs in which the factor grows
            evenly from a hundredth to what the others say.

    >>> factor({"name": "cosine", "warmup": 0}, 5, 10)
    0.5
    """
    name, grown = schedule["name"], 1.0
    if epoch < schedule["warmup"]:
        grown = WARM + (1 - WARM) * epoch / schedule["warmup"]
    if name == "cosine":
        return grown * (1 + math.cos(math.pi * epoch / epochs)) / 2
    if name == "step":
        return grown * schedule["gamma"] ** (epoch // schedule["period"])
    if name == "multistep":
        passed = sum(epoch >= milestone for milestone in schedule["milestones"])
        return grown * schedule["gamma"] ** passed
    return grown


@dataclass
class Plateau:
    """The factor that falls where the validation loss no longer does.

    Attributes:
        factor: by which the learning rate is multiplied.
        best: smallest loss so far.
        waited: epochs since then.
    """

    factor: float = 1.0
    best: float = math.inf
    waited: int = 0

    def see(self, loss: float, schedule: Mapping) -> None:
        """Take an epoch's loss; after more than `patience` without a better, fall."""
        if schedule["name"] != "plateau":
            return
        self.waited += 1
        if loss < self.best:
            self.best, self.waited = loss, 0
        if self.waited > schedule["patience"]:
            self.factor, self.waited = self.factor * schedule["gamma"], 0

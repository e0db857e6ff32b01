"""Where a training stands, so that a killed one goes on to the same curve."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scripts.common import files
from scripts.common.training.schedule import Plateau


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch, step: the next one to do, from 0; steps are of the epoch.
        totals: of the epoch so far: sum of losses, right answers, clips; float64 (3,).
        rows: of the curves, one for each whole epoch.
        best: the best figure so far, None before the first.
        plateau: of the learning rate.
    """

    epoch: int = 0
    step: int = 0
    totals: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    rows: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None
    plateau: Plateau = field(default_factory=Plateau)


class Saved:
    """The file from which a training goes on; only the first process writes it."""

    def __init__(self, path: Path, key: str, minutes: float):
        """Know the file.

        Args:
            path: of the file.
            key: fingerprint of all that the training depends on.
            minutes: after which it is written within an epoch too.
        """
        self._path, self._key, self._seconds = path, key, 60 * minutes
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Tell whether it was not written for long."""
        return time.monotonic() - self._written > self._seconds

    def write(self, progress: Progress, **parts: Any) -> None:
        """Write how far the training is, and the state dicts of its parts."""
        content = {"key": self._key, "progress": asdict(progress)}
        states = {name: part.state_dict() for name, part in parts.items()}
        with files.atomic(self._path) as temporary:
            torch.save(content | states, temporary)
        self._written = time.monotonic()

    def read(self, **parts: Any) -> Progress:
        """Bring the parts to where the training was, unless it was another one."""
        if not self._path.is_file():
            return Progress()
        content = torch.load(self._path, map_location="cpu", weights_only=True)
        if content["key"] != self._key:
            print("what is there is of another training: this one begins anew")
            return Progress()
        for name, part in parts.items():
            part.load_state_dict(content[name])
        progress = content["progress"]
        plateau = Plateau(**progress.pop("plateau"))
        print(f"going on in epoch {progress['epoch'] + 1}, step {progress['step'] + 1}")
        return Progress(**progress, plateau=plateau)

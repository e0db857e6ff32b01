"""What is true of a clip, how wrong a network is about it, and how good in the end."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MultilabelAveragePrecision,
)
from torchmetrics.functional.classification import binary_average_precision
from torchmetrics.utilities import dim_zero_cat

import models
from scripts.common.training.videos import TrainingError, Video


@dataclass(frozen=True)
class Target:
    """What a clip is compared with.

    Attributes:
        loss: `cross_entropy` (one class is true), `bce` (any number), or `per_frame`
            (any number, each for its own seconds).
        classes: how many there are.
    """

    loss: str
    classes: int

    def of(self, video: Video, frames: list[int], fps: float) -> Tensor:
        """Return what is true of some frames of a video.

        The class, int64 (); or whether each is true, float32 (classes,), for
        `per_frame` in each frame: (classes, T).
        """
        if self.loss == "cross_entropy":
            return torch.tensor(video.classes[0])
        if self.loss == "bce":
            found = torch.zeros(self.classes)
            found[list(video.classes)] = 1
            return found
        found = torch.zeros(self.classes, len(frames))
        seconds = (torch.tensor(frames) + 0.5) / fps
        for start, end, number in video.events:
            found[number, (start <= seconds) & (seconds < end)] = 1
        return found


def step_logits(card: models.Card) -> str:
    """Return the name of the logits that a network gives for each step in time.

    Raises:
        TrainingError: it gives none.
    """
    for name, feature in card.features.items():
        if "logits" in name and feature.axes == ("time",):
            return name
    raise TrainingError(
        f"{card.name} gives no logits for each step in time, which `loss: per_frame`"
        " needs; I3D and IBM's networks do"
    )


def scores(
    outputs: Mapping[str, Tensor], loss: str, card: models.Card, frames: int
) -> Tensor:
    """Return the logits that are compared: (N, classes), or (N, classes, frames).

    For `per_frame` those of the steps are stretched to the clip's frames.
    """
    if loss != "per_frame":
        return outputs["logits"].float()
    steps = outputs[step_logits(card)].float().transpose(1, 2)
    return F.interpolate(steps, frames, mode="linear")


def loss_of(loss: str, logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean loss of a batch, a scalar.

    `per_frame` is that of https://github.com/piergiaj/pytorch-i3d for Charades: the
    mean of two binary cross entropies, that of each frame, and that of what is said and
    true anywhere in the clip.
    """
    if loss == "cross_entropy":
        return F.cross_entropy(logits, targets)
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, targets)
    return (
        F.binary_cross_entropy_with_logits(logits, targets)
        + F.binary_cross_entropy_with_logits(logits.amax(2), targets.amax(2))
    ) / 2


class AveragePrecisions(MultilabelAveragePrecision):
    """The average precision of each class that is true of a video."""

    def compute(self) -> Tensor:
        """Return (classes with a video,)."""
        scores, targets = dim_zero_cat(self.preds), dim_zero_cat(self.target)
        pairs = zip(scores.T, targets.T, strict=True)
        return torch.stack([binary_average_precision(*p) for p in pairs if p[1].any()])


class Metrics:
    """How good a network is on a list of videos, over all devices.

    `top1`, `mean_class` (the mean of the classes' own top-1) and, of more classes than
    five, `top5` where one class is true; else `map`, the mean of the classes' average
    precisions. All in percent.
    """

    def __init__(self, loss: str, classes: int, device: torch.device):
        """Begin with no video."""
        self._loss = loss
        one = {
            "top1": lambda: MulticlassAccuracy(classes, average="micro"),
            "mean_class": lambda: MulticlassConfusionMatrix(classes),
        }
        if classes > 5:
            one["top5"] = lambda: MulticlassAccuracy(classes, 5, "micro")
        many = {"map": lambda: AveragePrecisions(classes)}
        chosen = one if loss == "cross_entropy" else many
        self._metrics: dict[str, Metric] = {
            "loss": MeanMetric().to(device),
            **{name: make().to(device) for name, make in chosen.items()},
        }

    def add(self, logits: Tensor, targets: Tensor) -> None:
        """Count a batch."""
        value = loss_of(self._loss, logits, targets)
        self._metrics["loss"].update(value, weight=len(logits))
        if self._loss == "per_frame":
            logits, targets = logits.amax(2), targets.amax(2)
        if self._loss != "cross_entropy":
            targets = targets.int()
        for name, metric in self._metrics.items():
            if name != "loss":
                metric.update(logits, targets)

    def result(self) -> dict[str, float]:
        """Return the figures by name; classes without a video do not count."""
        found = {name: metric.compute() for name, metric in self._metrics.items()}
        if "mean_class" in found:
            counts = found["mean_class"]
            found["mean_class"] = counts.diag() / counts.sum(dim=1)
        return {
            name: value.nanmean().item() * (1 if name == "loss" else 100)
            for name, value in found.items()
        }

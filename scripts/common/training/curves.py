"""What a training writes down on the way: a table, a picture, TensorBoard's logs."""

import math
import time
from pathlib import Path

from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from scripts.common import files, tables
from scripts.common.training.state import Progress

# Steps between two points of TensorBoard's curve of the loss.
EVERY = 10


class Log:
    """TensorBoard's logs, and a line for each epoch; only the first process writes."""

    def __init__(self, folder: Path, progress: Progress, steps: int, fabric: Fabric):
        """Go on where the training does: what came after it is forgotten.

        Args:
            folder: for TensorBoard's files.
            progress: where the training stands.
            steps: of an epoch.
            fabric: knows which process this is.
        """
        self._writer, self._steps, self._clips = None, steps, 0
        self._said = time.monotonic()
        if fabric.is_global_zero:
            first = progress.epoch * steps + progress.step
            self._writer = SummaryWriter(folder, purge_step=first)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._writer:
            self._writer.close()

    def step(self, number: int, totals: Tensor, rate: float) -> None:
        """Take a step of the whole training: its totals and its learning rate."""
        if not self._writer or number % EVERY:
            return
        loss, _, clips = totals.tolist()
        self._writer.add_scalar("step/loss", loss / clips, number)
        self._writer.add_scalar("step/learning_rate", rate, number)

    def epoch(self, row: dict[str, float], epochs: int, clips: int) -> None:
        """Take an epoch's row of the table, and the clips that were trained on."""
        if not self._writer:
            return
        for name, value in row.items():
            if name != "epoch":
                place = name.replace("_", "/", 1) if "_rate" not in name else name
                self._writer.add_scalar(place, value, row["epoch"] * self._steps)
        self._writer.flush()
        seconds, self._said = time.monotonic() - self._said, time.monotonic()
        figures = ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch")
        speed = f"{clips / seconds:.1f} clips/s"
        print(f"epoch {row['epoch']} of {epochs}: {figures}, {speed}", flush=True)


def averages(totals: Tensor, loss: str) -> dict[str, float]:
    """Return an epoch's mean loss and, where one class is true, top-1 in percent."""
    losses, right, clips = totals.tolist()
    found = {"train_loss": losses / clips}
    return found | (
        {"train_top1": 100 * right / clips} if loss == "cross_entropy" else {}
    )


def write_table(path: Path, rows: list[dict[str, float]]) -> None:
    """Write curves.tsv: a row for each epoch."""
    records = ([f"{value:.6g}" for value in row.values()] for row in rows)
    files.write_text(path, tables.render_records(rows[0], records))


def write_metrics(path: Path, figures: dict[str, float]) -> None:
    """Write metrics.tsv: the epoch of the network that is kept, and its figures."""
    records = ((name, f"{value:.4g}") for name, value in figures.items())
    files.write_text(path, tables.render_records(("metric", "value"), records))


def write_picture(path: Path, rows: list[dict[str, float]]) -> None:
    """Draw loss, accuracy and learning rate over the epochs, beside each other."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 2.8), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    parts = {"loss": "loss", "accuracy in percent": "", "learning rate": "rate"}
    for axes, (title, ending) in zip(figure.subplots(1, 3), parts.items(), strict=True):
        for name in rows[0]:
            if name != "epoch" and _part(name) == ending:
                values = [
                    row[name] if math.isfinite(row[name]) else None for row in rows
                ]
                axes.plot(epochs, values, label=name.replace("_", " "), linewidth=1.5)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8, frameon=False)
    with files.atomic(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _part(name: str) -> str:
    """Tell which picture a column is in: `loss`, `rate`, or none of both."""
    ending = name.rpartition("_")[2]
    return ending if ending in ("loss", "rate") else ""

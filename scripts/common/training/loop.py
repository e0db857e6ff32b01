"""The training itself: epochs of steps, each epoch judged, saved and written down.

Lightning Fabric brings the network to its devices, sums gradients over them and does
the arithmetic of mixed precision; it hides nothing of the loop, which stays here.
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import Tensor
from tqdm import tqdm

import models
from scripts.common import files
from scripts.common.interruptions import leave_if_abandoned
from scripts.common.training import curves, tuning
from scripts.common.training.batches import Loader, Plan, loaded
from scripts.common.training.losses import Metrics, loss_of, scores
from scripts.common.training.schedule import factor
from scripts.common.training.state import Progress, Saved
from scripts.common.training.videos import TrainingError

PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
# After so many minutes an epoch that is not over is saved too.
SAVE_MINUTES = 10


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        options: an entry of `trainings`, complete.
        extractor: the network with its first weights, and the card that it is fed by.
        train, val: samples of the two lists; `val` may have no video.
        key: fingerprint of all that the training depends on.
        folder: where best.pt, last.pt, logs/ and curves.tsv go.
        threads: of all processes together.
    """

    options: dict
    extractor: models.Extractor
    train: Loader
    val: Loader
    key: str
    folder: Path
    threads: int


def launched(devices: int, precision: str, gpu: bool) -> Fabric:
    """Return Fabric on some devices; it starts a process of this program for each.

    Raises:
        TrainingError: a CPU does not compute in float16.
    """
    if precision == "float16" and not gpu:
        raise TrainingError("`precision: float16` needs a GPU; a CPU has bfloat16")
    fabric = Fabric(
        accelerator="cuda" if gpu else "cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        precision=PRECISIONS[precision],
        # All devices are of one job: SLURM's tasks are not to be taken for them.
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    return fabric


def train(run: Run, fabric: Fabric) -> Progress:
    """Train to the last epoch, from where the run was interrupted; best.pt is there.

    Raises:
        TrainingError: the loss is no number any more.
    """
    options, extractor = run.options, run.extractor
    plan = Plan(
        len(run.train.videos),
        options["batch_size"],
        options["accumulate"],
        options["seed"],
    )
    optimizer = tuning.learning(
        extractor, options["optimizer"], options["frozen_norms"]
    )
    network, optimizer = fabric.setup(extractor, optimizer)
    saved = Saved(run.folder / "last.pt", run.key, SAVE_MINUTES)
    parts = {
        "network": extractor.network,
        "optimizer": optimizer,
        "precision": fabric.strategy.precision,
    }
    progress = saved.read(**parts)
    progress.totals = progress.totals.to(fabric.device)
    batches = _batches(run, plan, progress, fabric)
    with curves.Log(run.folder / "logs", progress, plan.steps, fabric) as log:
        for epoch in range(progress.epoch, options["epochs"]):
            tuning.set_training(extractor, options["frozen_norms"])
            steps = range(progress.step, plan.steps)
            for step in tqdm(
                steps,
                desc=f"epoch {epoch + 1} of {options['epochs']}",
                initial=progress.step,
                total=plan.steps,
                leave=False,
                disable=not (fabric.is_global_zero and sys.stderr.isatty()),
            ):
                rate = _rate(options, progress, epoch + step / plan.steps)
                tuning.set_rate(optimizer, rate)
                _seed(options["seed"], epoch * plan.steps + step, fabric)
                totals = _step(run, network, optimizer, batches, fabric)
                progress.totals += totals
                progress.step = step + 1
                log.step(epoch * plan.steps + step, totals, rate)
                if fabric.is_global_zero and saved.is_due:
                    saved.write(progress, **parts)
            row = {"epoch": epoch + 1, "learning_rate": rate}
            row |= curves.averages(progress.totals, options["loss"])
            row |= _judged(run, fabric)
            progress.rows.append(row)
            progress.epoch, progress.step = epoch + 1, 0
            progress.totals.zero_()
            if "val_loss" in row:
                progress.plateau.see(row["val_loss"], options["schedule"])
            better = _is_better(row, progress)
            if fabric.is_global_zero:
                if better:
                    write_model(run.folder / "best.pt", run, row)
                # After best.pt: what is done twice after a kill comes out the same.
                saved.write(progress, **parts)
                curves.write_table(run.folder / "curves.tsv", progress.rows)
                log.epoch(row, options["epochs"], len(steps) * plan.batch_size)
            leave_if_abandoned()
    return progress


def _batches(
    run: Run, plan: Plan, progress: Progress, fabric: Fabric
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield clips and targets of this device, from where the training stands."""
    epochs = range(progress.epoch, run.options["epochs"])
    places = plan.batches(epochs, progress.step, fabric.global_rank, fabric.world_size)
    threads = max(1, run.threads // fabric.world_size)
    for samples in loaded(places, run.train.drawn, threads):
        yield run.train.batch(samples, fabric.device, training=True)


def _step(run: Run, network, optimizer, batches: Iterator, fabric: Fabric) -> Tensor:
    """Do one step of the optimiser; return its totals over all devices."""
    options, card = run.options, run.train.card
    totals = torch.zeros(3, dtype=torch.float64, device=fabric.device)
    for part in range(options["accumulate"]):
        clips, targets = next(batches)
        last = part == options["accumulate"] - 1
        with fabric.no_backward_sync(network, enabled=not last):
            logits = scores(network(clips), options["loss"], card, card.frames)
            loss = loss_of(options["loss"], logits, targets)
            fabric.backward(loss / options["accumulate"])
        totals[0] += loss.detach() * len(clips)
        if options["loss"] == "cross_entropy":
            totals[1] += (logits.argmax(1) == targets).sum()
        totals[2] += len(clips)
    if options["clip_gradient"]:
        fabric.clip_gradients(network, optimizer, max_norm=options["clip_gradient"])
    optimizer.step()
    optimizer.zero_grad()
    return fabric.all_reduce(totals, reduce_op="sum")


@torch.no_grad()
def _judged(run: Run, fabric: Fabric) -> dict[str, float]:
    """Return the figures of the validation list as `val_<name>`, over all devices.

    The network is called past Fabric's wrapper, whose devices wait for each other in
    every batch: here they have different numbers of them.
    """
    options, videos, card = run.options, run.val.videos, run.val.card
    if not videos:
        return {}
    run.extractor.eval()
    for buffer in run.extractor.buffers() if fabric.world_size > 1 else ():
        torch.distributed.broadcast(buffer, src=0)
    metrics = Metrics(options["loss"], len(run.extractor.classes), fabric.device)
    size = max(1, options["batch_size"] // fabric.world_size // options["accumulate"])
    own = range(fabric.global_rank, len(videos), fabric.world_size)
    places = [list(own[n : n + size]) for n in range(0, len(own), size)]
    threads = max(1, run.threads // fabric.world_size)
    for samples in loaded(places, run.val.central, threads):
        clips, targets = run.val.batch(samples, fabric.device, training=False)
        with fabric.autocast():
            outputs = run.extractor(clips)
        metrics.add(scores(outputs, options["loss"], card, card.frames), targets)
    return {f"val_{name}": value for name, value in metrics.result().items()}


def _rate(options: dict, progress: Progress, epoch: float) -> float:
    """Return the learning rate after some epochs, which may end in a part of one."""
    scheduled = factor(options["schedule"], epoch, options["epochs"])
    return options["optimizer"]["lr"] * scheduled * progress.plateau.factor


def _seed(seed: int, step: int, fabric: Fabric) -> None:
    """Seed what dropout draws, anew in each step: there is no state to be saved."""
    torch.manual_seed(hash((seed, step, fabric.global_rank)) % 2**63)


def _is_better(row: dict[str, float], progress: Progress) -> bool:
    """Tell whether an epoch is the best so far; without a validation list, the last."""
    if not math.isfinite(row["train_loss"]):
        raise TrainingError(
            f"the loss is no number any more in epoch {row['epoch']}; try a lower"
            " `optimizer: lr`, a longer `schedule: warmup` or `clip_gradient`"
        )
    figure = row.get("val_top1", row.get("val_map"))
    if figure is None:
        return True
    if progress.best is not None and not figure > progress.best:
        return False
    progress.best = figure
    return True


def write_model(path: Path, run: Run, row: dict[str, float]) -> None:
    """Write the network as a file that `models.create` takes, and what made it."""
    content = {
        "model": run.extractor.card.name,
        "classes": list(run.extractor.classes),
        "state_dict": {
            key: value.cpu()
            for key, value in run.extractor.network.state_dict().items()
        },
        "options": run.options,
        "epoch": row["epoch"],
        "metrics": {key: value for key, value in row.items() if key != "epoch"},
    }
    with files.atomic(path) as temporary:
        torch.save(content, temporary)

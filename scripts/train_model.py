"""Train a network of the zoo on a dataset, from scratch or from what others trained.

Input:  the index; the manifests of the clips of one encoding; the ticket of the weights
        with which the network begins.
Output: <folder>/model.pt    the network after the epoch that is best by the list `val`,
                             or the last where there is none: `model`, its name in the
                             zoo, `classes`, `state_dict`, `options`, `epoch`,
                             `metrics`. Every program here takes it as a checkpoint,
        <folder>/metrics.tsv its epoch and its figures: accuracies in percent,
        <folder>/curves.tsv  loss, accuracy and learning rate of each epoch,
        <folder>/curves.png  the same as a picture,
        <folder>/logs/       the same for `tensorboard --logdir`.

Each epoch, and every ten minutes, all that the training needs to go on is written to
<folder>/last.pt. A job that was killed goes on from there, to the same curve; on a GPU,
whose sums come in any order, to the last digits.
"""

import argparse
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import models
from scripts.common import cli, files
from scripts.common.engine import devices, features
from scripts.common.ids import fingerprint
from scripts.common.interruptions import Terminated, stoppable
from scripts.common.journal import locked
from scripts.common.lists import ListError
from scripts.common.training.videos import TrainingError, select
from scripts.write_splits import read_dataset


def complete(options: Mapping, classes: Sequence[str]) -> dict:
    """Return a training's options with the model's own values where they are null.

    Args:
        options: an entry of `trainings` in the config.
        classes: names; whether clips are mirrored may depend on them.
    """
    card = models.card(options["model"])
    own = {
        "frames": options["frames"] or card.frames,
        "stride": options["stride"] or card.stride,
        "sampling": options["sampling"] or card.sampling,
        "size": options["size"] or card.crop,
        "fps": {"model": card.fps, "source": None}.get(options["fps"], options["fps"]),
    }
    if options["flip"] == "auto":
        own["flip"] = not any(
            re.search(r"(?i)\b(left|right)", name) for name in classes
        )
    return {**options, **own}


def begin(
    options: Mapping, ticket: Mapping, classes: Sequence[str]
) -> "models.Extractor":
    """Return the network with its first weights, and say which of them are random.

    Raises:
        models.CheckpointError: the file does not fit the network.
    """
    from models import checkpoints, inflation

    seed, file = options["seed"], ticket["file"]
    if options["checkpoint"] != "imagenet":
        extractor = models.create(options["model"], file, seed, classes)
        print(f"{options['model']} begins with {file or 'random weights'}")
        kept = extractor.anew
    else:
        extractor = models.create(options["model"], None, seed, classes)
        kept = inflation.inflate(extractor.network, checkpoints.read(file))
        print(f"{options['model']} begins with {file}, inflated")
    if kept:
        print(f"random: {', '.join(kept[:6])}{', …' * (len(kept) > 6)}")
    return extractor


def train(arguments: argparse.Namespace, gpu: bool) -> None:
    """Train on the CPU or on the GPUs that are visible; write all outputs."""
    # Importing torch takes seconds, and starts CUDA: not before the GPUs are chosen.
    import torch

    from scripts.common.training import curves, loop, tuning
    from scripts.common.training.augmentation import Crop, seen_at
    from scripts.common.training.batches import Loader
    from scripts.common.training.losses import Target, step_logits
    from scripts.common.training.sampling import FrameRule

    options = arguments.options
    fabric = loop.launched(arguments.devices, options["precision"], gpu)
    if not fabric.is_global_zero:
        sys.stdout = io.StringIO()  # one process speaks for all
    if not gpu:
        torch.set_num_threads(max(1, arguments.threads // arguments.devices))
    if options["batch_size"] % (options["accumulate"] * arguments.devices):
        raise TrainingError(
            f"`batch_size: {options['batch_size']}` cannot be divided among"
            f" {arguments.devices} devices, and `accumulate: {options['accumulate']}`"
        )
    dataset = read_dataset(arguments.index, arguments.clips, None)
    material = select(dataset, options["splits"], options["loss"])
    ticket = json.loads(arguments.ticket.read_text())
    asked = complete(options, material.classes)
    print(f"{len(material.train)} videos to train on, {len(material.val)} to judge by")
    extractor = begin(asked, ticket, material.classes)
    card = seen_at(extractor.card, asked["frames"], asked["size"])
    if asked["loss"] == "per_frame":
        step_logits(card)
    tuning.set_dropout(extractor, asked["dropout"])
    rule = FrameRule(
        asked["frames"],
        asked["stride"],
        asked["sampling"],
        features.PICKS.get(card.source, "middle"),
    )
    crop = Crop(asked["crop"], tuple(asked["scale"]), asked["flip"])
    target = Target(asked["loss"], len(material.classes))

    def loader(videos):
        return Loader(videos, card, rule, crop, target, asked["fps"], asked["seed"])

    run = loop.Run(
        options=asked,
        extractor=extractor,
        train=loader(material.train),
        val=loader(material.val),
        key=fingerprint(options=asked, videos=material.key, weights=ticket["weights"]),
        folder=arguments.folder,
        threads=arguments.threads,
    )
    try:
        progress = loop.train(run, fabric)
    except (KeyboardInterrupt, Terminated):
        print("stopped; run again, it goes on from where it was last saved")
        raise
    if fabric.is_global_zero:
        curves.write_table(arguments.folder / "curves.tsv", progress.rows)
        curves.write_picture(arguments.folder / "curves.png", progress.rows)
        best = torch.load(arguments.folder / "best.pt", weights_only=True)
        figures = {"epoch": best["epoch"], **best["metrics"]}
        curves.write_metrics(arguments.folder / "metrics.tsv", figures)
        with files.atomic(arguments.folder / "model.pt") as temporary:
            shutil.copyfile(arguments.folder / "best.pt", temporary)
        # Killed between these lines, a training goes on at its end, or anew.
        (arguments.folder / "last.pt").unlink()
        (arguments.folder / "best.pt").unlink()
        print(f"the network is in {arguments.folder / 'model.pt'}")


def main(argv: list[str] | None = None) -> None:
    """Train one network on one dataset."""
    parser = cli.command("train_model", __doc__)
    add = parser.add_argument
    add("--index", type=Path, required=True, help="directory of the index")
    add("--clips", type=Path, required=True, help="directory of the clips' manifests")
    add("--ticket", type=Path, required=True, help="JSON file that names the weights")
    add("--folder", type=Path, required=True, help="directory to write to")
    cli.add_options(
        parser,
        "an entry of `trainings`, complete, as in config/README.md, without `datasets`"
        " and `devices`; `splits` is a mapping with `set`, a name, and `splits`, what"
        " write_splits takes",
    )
    add("--devices", type=int, default=1, help="GPUs; without one, processes")
    add("--threads", type=int, default=os.cpu_count(), help="default: all cores")
    arguments = parser.parse_args(argv)
    folder = arguments.folder
    try:
        with stoppable():
            if "LOCAL_RANK" in os.environ:  # the first process holds all
                train(arguments, gpu=bool(devices.visible()))
                return
            with locked(folder.with_name(f"{folder.name}.lock")):
                files.remove_leftovers(folder)
                with devices.own_gpus(arguments.devices) as held:
                    train(arguments, gpu=bool(held))
    # What a person can get wrong; anything else is a bug and shows itself.
    except (
        ListError,
        TrainingError,
        devices.TooFew,
        models.CheckpointError,
    ) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

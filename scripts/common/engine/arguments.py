"""Arguments of the scripts that run a network: how they are typed, what they say."""

import argparse
import os
from pathlib import Path

from scripts.common import cli
from scripts.common.engine.features import WHOLE
from scripts.common.engine.windows import TAILS


def stack(text: str) -> int | str:
    """Return the `stack` that is typed: a number of frames, or `video`."""
    return text if text == WHOLE else cli.positive(text)


def fps(text: str) -> float | str:
    """Return the `fps` that is typed: a number, `model` or `source`."""
    return text if text in ("model", "source") else float(text)


def batch_size(text: str) -> int | None:
    """Return the batch size that is typed: a number, or None for `auto`."""
    return None if text == "auto" else cli.positive(text)


def add_model_arguments(to: argparse.ArgumentParser) -> None:
    """Add the arguments that name a model, its weights and the cores it may take."""
    to.add_argument(
        "--model", required=True, help="name in the zoo; `python -m models` lists them"
    )
    to.add_argument(
        "--checkpoint",
        default="published",
        help="`published` (default; downloaded once), `random`, or a file",
    )
    to.add_argument(
        "--cache",
        type=Path,
        default=Path("resources/checkpoints"),
        help="where downloaded weights are kept (default: %(default)s)",
    )
    to.add_argument(
        "--threads",
        type=cli.positive,
        default=os.cpu_count(),
        metavar="N",
        help="default: all cores",
    )


def add_window_arguments(to: argparse.ArgumentParser, tail: str) -> None:
    """Add the arguments that say which windows a model sees; `tail` is the default."""
    to.add_argument(
        "--stack",
        type=stack,
        metavar="N",
        help="frames in a window, or `video`: all of it (default: the model's own)",
    )
    for name, meaning in (
        ("--stride", "from one frame of a window to the next (default: the model's)"),
        ("--step", "frames from one window's start to the next's (default: a window)"),
    ):
        to.add_argument(name, type=cli.positive, metavar="N", help=meaning)
    to.add_argument(
        "--tail",
        choices=TAILS,
        default=tail,
        help="frames behind the last full window: drop them, pad a window of them, or"
        " add a last window, aligned with the end (default: %(default)s)",
    )


def add_engine_arguments(to: argparse.ArgumentParser) -> None:
    """Add the arguments that change the speed and nothing else."""
    to.add_argument(
        "--batch-size",
        type=batch_size,
        metavar="N",
        help="windows at a time (default: auto, what a GPU's memory takes; 4 on a CPU)",
    )
    to.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first: minutes that pay off over many videos",
    )


def add_flow_arguments(to: argparse.ArgumentParser) -> None:
    """Add the arguments of a shard whose model takes flow."""
    to.add_argument(
        "--flow-ticket",
        type=Path,
        help="weights of RAFT for flow, as fetch_checkpoint writes it",
    )
    to.add_argument(
        "--flow-batch-size",
        type=int,
        default=8,
        metavar="N",
        help="frames between which flow is made at a time (default: %(default)s)",
    )

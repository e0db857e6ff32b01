"""Arguments of the scripts that run a network: how they are typed, what they say."""

import argparse
from pathlib import Path

from scripts.common.engine.features import WHOLE


def stack(text: str) -> int | str:
    """Return the `stack` that is typed: a number of frames, or `video`."""
    return text if text == WHOLE else int(text)


def fps(text: str) -> float | str:
    """Return the `fps` that is typed: a number, `model` or `source`."""
    return text if text in ("model", "source") else float(text)


def batch_size(text: str) -> int | None:
    """Return the batch size that is typed: a number, or None for `auto`."""
    return None if text == "auto" else int(text)


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

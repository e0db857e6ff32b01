"""Trainings of small networks for tests: options, and programs to run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

from scripts.common.config.schema import load_schema, with_defaults
from scripts.common.versions import VERSIONS
from tests.projects import ROOT

# Two dimensions with a little blending of neighbouring frames; the same without it.
TAM, TSN = (f"ibm_mini_k400_{kind}resnet_18_f4" for kind in ("tam_", ""))


def training(model: str = TAM, **own) -> dict:
    """Return the options of a small training as the workflow gives them."""
    schema = load_schema()["properties"]["trainings"]["additionalProperties"]
    small = {
        "model": model,
        "checkpoint": "random",
        "encoding": "original",
        "size": 32,
        "batch_size": 8,
        "optimizer": {"name": "adamw", "lr": 0.001},
    }
    options = with_defaults(small | own, schema)
    for key in ("datasets", "devices"):
        del options[key]
    splits = {"set": "default", "splits": "annotations"}
    return options | {"splits": splits, "version": VERSIONS["train_model"]}


def command(
    actions: Path, folder: Path, options: dict, *more: str, weights: Path | None = None
) -> list[str]:
    """Return the command line that trains on a dataset of `index_actions`."""
    ticket = {"model": options["model"], "file": None, "weights": "random, seed 0"}
    if weights:
        ticket |= {"file": str(weights), "weights": weights.name}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ticket.json").write_text(json.dumps(ticket))
    arguments = ["--index", actions / "index", "--clips", actions / "clips/original"]
    arguments += ["--ticket", folder / "ticket.json", "--folder", folder]
    arguments += ["--options", json.dumps(options), "--threads", "1", *more]
    return list(map(str, arguments))


def start(arguments: list[str]) -> subprocess.Popen:
    """Start a training as a program of its own; its log is <folder>/log.txt."""
    folder = Path(arguments[arguments.index("--folder") + 1])
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "scripts.train_model", *arguments],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

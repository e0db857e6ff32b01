"""The checked configuration, and what the rules know of it."""

import inspect
import json
import logging
import sys
from functools import cache
from itertools import islice
from math import ceil
from pathlib import Path
from shlex import quote

# Not `workflow.basedir`: as a module this is part of a workflow that is elsewhere.
ROOT = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(ROOT))

import models
from models.cards.protocols import protocol
from scripts.common import originals, preflight, workload
from scripts.common.config import ConfigError, resolve
from scripts.common.config.needs import (
    listed_frames,
    needed_encodings,
    parameters_of,
    set_of_splits,
    split_lists,
    trained_model,
)
from scripts.common.index import read_shards
from scripts.common.sources import folder_state
from scripts.common.versions import VERSIONS

# The rich logger reads a failed job's log, which a second attempt may have deleted by
# then; its surprise is not the user's.
logging.raiseExceptions = False

# Scripts run as `python -m scripts.<rule>` from any working directory, which may have
# `models` of its own, and stop when the Snakemake that started them is gone.
shell.prefix(
    "set -euo pipefail; export REELSET_SNAKEMAKE=$PPID PYTHONSAFEPATH=1"
    f" PYTHONPATH={quote(str(ROOT))}; "
)

try:
    CONFIG = resolve(config)
except ConfigError as error:
    sys.exit(f"error in the configuration:\n{error}")

missing = [
    *preflight.missing_folders(CONFIG),
    *preflight.missing_files(CONFIG),
    *preflight.missing_weights(CONFIG),
]
# On a cluster the nodes have the programs, and not this machine.
if workflow.local_exec:
    with_conda = bool(workflow.deployment_settings.deployment_method)
    programs = preflight.needed_programs(CONFIG, with_conda)
    missing += preflight.missing_programs(programs)
if missing:
    sys.exit("\n".join(missing))

DATASETS = CONFIG["datasets"]
# Where clips go decides nothing about what they are.
CLIP_LAYOUTS = {name: entry["layout"] for name, entry in CONFIG["encodings"].items()}
ENCODINGS = {
    name: {key: value for key, value in entry.items() if key != "layout"}
    for name, entry in CONFIG["encodings"].items()
}
MODELS = CONFIG["models"]
# Models' features that are put side by side, by the name of the result.
STREAMS = CONFIG["streams"]
DUMPED = CONFIG["frames"]["encodings"]
FLOW = CONFIG["flow"]
TRAININGS = CONFIG["trainings"]
# The flow that is written to files.
DUMPED_FLOW = [name for name, entry in FLOW.items() if entry["dump"]]
LISTS = CONFIG["lists"]
EVALUATIONS = CONFIG["evaluations"]
PROBES = CONFIG["probes"]
# Only what something reads is encoded.
NEEDED = needed_encodings(CONFIG)
# Lists of archives, by folder and name.
ARCHIVE_LISTS = {
    (dataset["originals"], file.name): file
    for dataset in DATASETS.values()
    for file in originals.lists(originals.archive_entries(dataset))
}


wildcard_constraints:
    dataset="|".join(DATASETS),
    originals="|".join({dataset["originals"] for dataset in DATASETS.values()}),
    encoding="|".join(ENCODINGS),
    model="|".join(MODELS) or "none",
    streams="|".join(STREAMS) or "none",
    features="|".join([*MODELS, *STREAMS]) or "none",
    flow="|".join(FLOW) or "none",
    evaluation="|".join(EVALUATIONS) or "none",
    probe="|".join(PROBES) or "none",
    training="|".join(TRAININGS) or "none",
    format="|".join(LISTS["formats"]) or "none",
    splits="[A-Za-z0-9_-]+",
    shard=r"\d{5}",
    archive="[^/]+(/[^/]+)?",
    file="[^/]+(/[^/]+)?",


def same_for_shards(function):
    """Let a function of wildcards be called once for all shards.

    Snakemake asks it anew for each of tens of thousands of jobs, and looks up its
    signature several times each time.
    """
    known = {}

    def answer(wildcards, **others):
        key = tuple(item for item in wildcards.items() if item[0] != "shard")
        if key not in known:
            known[key] = function(wildcards, **others)
        return known[key]

    answer.__signature__ = inspect.signature(function)
    return answer

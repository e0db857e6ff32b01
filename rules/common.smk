"""What the rules share: the checked config, lists of files, and params as JSON."""

import json
import sys
from pathlib import Path
from shlex import quote

sys.path.insert(0, str(workflow.basedir))

import models
from scripts.build_index import folder_state
from scripts.common import preflight
from scripts.common.config import ConfigError, resolve
from scripts.common.index import read_shards
from scripts.common.versions import VERSIONS

# Scripts run as `python -m scripts.<rule>` from any working directory.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={quote(str(workflow.basedir))}; ")

try:
    CONFIG = resolve(
        config, {name: list(models.card(name).features) for name in models.names()}
    )
except ConfigError as error:
    raise WorkflowError(f"the configuration is wrong:\n{error}") from None

# With conda the environments bring the programs; elsewhere the job's machine counts.
if workflow.local_exec and not workflow.deployment_settings.deployment_method:
    if missing := preflight.missing_programs(preflight.needed_programs(CONFIG)):
        raise WorkflowError("\n".join(missing))

DATASETS = CONFIG["datasets"]
ENCODINGS = CONFIG["encodings"]
MODELS = CONFIG["models"]
DUMPED = CONFIG["frames"]["encodings"]
LISTS = CONFIG["lists"]
# Only what something reads is encoded.
NEEDED = sorted(
    {LISTS["encoding"], *DUMPED, *(entry["encoding"] for entry in MODELS.values())}
)


wildcard_constraints:
    dataset="|".join(DATASETS),
    encoding="|".join(ENCODINGS),
    model="|".join(MODELS) or "none",
    format="|".join(LISTS["formats"]) or "none",
    splits="[A-Za-z0-9_-]+",
    shard=r"\d{5}",
    archive="[^/]+",


def options(stage, **values):
    """Return a rule's params: all that its result depends on, as one JSON string.

    Snakemake compares params as an unnamed set; one string with sorted keys is the
    form in which it notices every change and nothing else.
    """
    return json.dumps({"version": VERSIONS[stage], **values}, sort_keys=True)


def retry_of(wildcards):
    """Return the reasons that a dataset's jobs try again, as JSON."""
    return json.dumps(DATASETS[wildcards.dataset]["retry"])


def shards_of(dataset):
    """Return the names of a dataset's shards, once its index is built."""
    index = checkpoints.build_index.get(dataset=dataset)
    return read_shards(Path(index.output.shards))


def shard_table(wildcards):
    """Return a shard table; the checkpoint writes it where it changed."""
    checkpoints.build_index.get(dataset=wildcards.dataset)
    return f"results/{wildcards.dataset}/index/shards/{wildcards.shard}.tsv"


def clips_of(dataset, encoding):
    """Return the clips' manifests of a dataset."""
    return expand(
        "results/{dataset}/clips/{encoding}/{shard}.tsv",
        dataset=dataset,
        encoding=encoding,
        shard=shards_of(dataset),
    )


def frames_of(dataset, encoding):
    """Return the frames' manifests of a dataset."""
    return expand(
        "results/{dataset}/frames/{encoding}/{shard}.tsv",
        dataset=dataset,
        encoding=encoding,
        shard=shards_of(dataset),
    )


def features_of(dataset, model):
    """Return the features' manifests of a dataset and model."""
    return expand(
        "results/{dataset}/features/{model}/{shard}.tsv",
        dataset=dataset,
        model=model,
        shard=shards_of(dataset),
    )


def lists_of(dataset):
    """Return the directories of a dataset's split lists."""
    return expand(
        "results/{dataset}/splits/{format}/{splits}",
        dataset=dataset,
        format=LISTS["formats"],
        splits=DATASETS[dataset]["splits"],
    )


def every_clip(wildcards):
    """Return the clips' manifests of all datasets."""
    return [m for d in DATASETS for encoding in NEEDED for m in clips_of(d, encoding)]


def every_frame(wildcards):
    """Return the frames' manifests of all datasets."""
    return [m for d in DATASETS for encoding in DUMPED for m in frames_of(d, encoding)]


def every_list(wildcards):
    """Return the directories of all split lists."""
    return [folder for dataset in DATASETS for folder in lists_of(dataset)]


def every_feature(wildcards):
    """Return the features' files of all datasets and models."""
    return expand(
        "results/{dataset}/features/{model}.h5", dataset=DATASETS, model=MODELS
    )


def workers(wildcards):
    """Return a job's threads: a share of the cores, so that one shard can use many."""
    cores = workflow.cores or 1
    return min(16, max(4, cores // DATASETS[wildcards.dataset]["shards"]))


def scaled(**amount):
    """Return a resource that grows with each attempt: `scaled(minutes=60)`."""
    (value,) = amount.values()
    return lambda wildcards, attempt: value * attempt

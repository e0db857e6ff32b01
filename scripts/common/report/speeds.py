"""How fast the jobs of a dataset were, and where the time of extraction went."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.common import tables
from scripts.common.engine import stopwatch
from scripts.common.report.summary import Stage


@dataclass(frozen=True)
class Speed:
    """How long the jobs of a rule took together, and what the largest one needed."""

    title: str
    jobs: int
    seconds: float
    videos: int
    memory: float


def read_speed(title: str, paths: Iterable[Path], videos: int) -> Speed | None:
    """Add up benchmark files; None where there is not one."""
    records = [
        record for path in paths if path.exists() for record in tables.records(path)
    ]
    if not records:
        return None
    memory = [record["max_rss"] for record in records]
    numbers = [float(text) for text in memory if re.fullmatch(r"[\d.]+", text)]
    return Speed(
        title,
        len(records),
        sum(float(record["s"]) for record in records),
        videos,
        max(numbers, default=0) * 2**20,
    )


def read_speeds(
    benchmarks: Path,
    dataset: str,
    shards: list[str],
    total: int,
    stages: Iterable[Stage],
) -> list[Speed]:
    """Return the speed of each stage that has benchmarks, along the chain."""
    archives = sorted((benchmarks / "unpack_archive").glob(f"{dataset}.*.tsv"))
    speeds = [
        read_speed("unpack_archive", archives, total),
        read_speed(
            "build_index", [benchmarks / "build_index" / f"{dataset}.tsv"], total
        ),
    ]
    for stage in stages:
        folder = benchmarks / stage.rule
        jobs = [folder / f"{dataset}.{stage.name}.{shard}.tsv" for shard in shards]
        speeds.append(read_speed(stage.title, jobs, stage.videos))
    return [speed for speed in speeds if speed]


@dataclass(frozen=True)
class Pace:
    """How fast a model was, or those that were fused with it, over all their jobs.

    Attributes:
        models: their names.
        jobs, videos, windows: how many.
        seconds: that the jobs took together.
        parts: seconds by what the jobs waited for, in order; together they are all.
        beside: seconds of work that went on at the same time.
    """

    models: str
    jobs: int
    videos: int
    windows: int
    seconds: float
    parts: dict[str, float]
    beside: dict[str, float]


def read_paces(features: Iterable[Path], shards: list[str]) -> list[Pace]:
    """Add up what the jobs of each model say, those that did something.

    Args:
        features: the files of the models; those of the shards are in folders beside.
        shards: names.
    """
    sums: dict[str, Counter] = {}
    for path in features:
        for shard in shards:
            times = path.with_suffix("") / f"{shard}.times.tsv"
            for record in tables.records(times) if times.exists() else ():
                total = sums.setdefault(record.pop("models", path.stem), Counter())
                total.update({name: float(text) for name, text in record.items()})
                total["jobs"] += 1
    return [_pace(models, total) for models, total in sums.items()]


def _pace(models: str, total: Counter) -> Pace:
    parts = {name: total[name] for name in stopwatch.IN_TURN}
    # The rest is what no part says, such as reading tables and waiting for the disk.
    parts["other"] = max(0.0, total["seconds"] - sum(parts.values()))
    beside = {name: total[name] for name in stopwatch.BESIDE}
    counts = (int(total[name]) for name in ("jobs", "videos", "windows"))
    return Pace(models, *counts, total["seconds"], parts, beside)

"""What the tables of a dataset say of it, counted for the report.

The tables are read as streams: of the videos only those that failed, and a few to show,
are kept in memory.
"""

import heapq
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from scripts.common import store, tables
from scripts.common.engine.parts import STEP_TIMES, TIMES
from scripts.common.index import LABEL_SEPARATOR
from scripts.common.report.selection import compared_videos
from scripts.common.tables import Row

PER_CLASS = 24  # videos of a class that may be shown, should others have failed
SPLIT_ORDER = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Failed:
    """Where and why a video failed first."""

    stage: str
    status: str
    message: str


Failures = dict[str, Failed]


@dataclass
class Stage:
    """What one stage made of the dataset, in one encoding or with one model.

    Attributes:
        rule, name: the rule, and the encoding or model.
        path: where the results are.
        videos, failed: how many have a result here, or none.
        seconds, frames, bytes: sums over the videos; bytes only of what we wrote.
        lengths: seconds of each video.
        shapes: how many videos have which width, height and frame rate.
        shown: rows of the videos that may be shown, by id.
    """

    rule: str
    name: str
    path: Path
    videos: int = 0
    failed: int = 0
    seconds: float = 0.0
    frames: int = 0
    bytes: int = 0
    lengths: array = field(default_factory=lambda: array("d"))
    shapes: Counter = field(default_factory=Counter)
    shown: dict[str, Row] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The stage as failures.tsv names it."""
        return f"{self.rule}/{self.name}"


@dataclass
class Features:
    """One model's features.

    Attributes:
        stage: counts; its bytes are those of the file of the dataset and of its shards.
        provenance: what made them.
        windows: how many videos have which number of windows.
        dims: shape of each kind of feature for one window.
        compared: mean feature of each compared video, by id.
    """

    stage: Stage
    provenance: dict
    windows: Counter = field(default_factory=Counter)
    dims: dict[str, tuple[int, ...]] = field(default_factory=dict)
    compared: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def random(self) -> bool:
        """Tell whether the weights, and with them the features, mean nothing."""
        return self.provenance["weights"].startswith("random")

    @property
    def total_windows(self) -> int:
        """Return the number of windows of all videos."""
        return sum(windows * videos for windows, videos in self.windows.items())


@dataclass
class Lists:
    """One set of split lists.

    Attributes:
        path: its folder.
        splits: videos with a result by split, in the usual order.
        labels: the same by (class, split).
        missing: videos that are listed without a result.
    """

    path: Path
    splits: dict[str, int] = field(default_factory=dict)
    labels: Counter = field(default_factory=Counter)
    missing: int = 0


@dataclass(frozen=True)
class Expected:
    """How many of something a dataset is known to have, and how many there are."""

    what: str
    expected: int
    found: int


def read_counts(path: Path) -> list[Expected]:
    """Return what the index was told to expect, from its counts.tsv."""
    return [
        Expected(record["what"], int(record["expected"]), int(record["found"]))
        for record in tables.records(path)
        if record["expected"]
    ]


@dataclass
class Videos:
    """The index: counts by (class, split), and the videos that may be shown.

    A video of several classes counts for each, and is shown for the first.
    """

    total: int = 0
    labels: Counter = field(default_factory=Counter)
    samples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def may_be_shown(self) -> dict[str, str]:
        """Return the class of each sampled video, by id, in a fixed order."""
        return {
            video_id: label
            for label in sorted(self.samples)
            for _, video_id in sorted(self.samples[label], reverse=True)
        }

    def classes(self) -> Counter:
        """Return the number of videos of each class; videos without one are not in."""
        totals = Counter()
        for (label, _), count in self.labels.items():
            if label:
                totals[label] += count
        return totals


def in_order(splits: Iterable[str]) -> list[str]:
    """Return names of splits in the usual order, unusual ones at the end."""
    usual = {name: place for place, name in enumerate(SPLIT_ORDER)}
    return sorted(splits, key=lambda name: (usual.get(name, len(usual)), name))


def read_index(path: Path, failures: Failures) -> Videos:
    """Count the videos of videos.tsv, note those that failed and sample the others."""
    videos = Videos()
    for record in tables.records(path):
        labels = record["label"].split(LABEL_SEPARATOR)
        # The first set of splits stands for all.
        split = next((record[name] for name in record if name[:5] == "split"), "")
        label = labels[0]
        videos.total += 1
        videos.labels.update((name, split) for name in labels)
        if record["status"] != "ok":
            _note(failures, "build_index", tables.from_strings(_row_of(record)))
            continue
        sample = videos.samples.setdefault(label, [])
        entry = (-_number(record["id"]), record["id"])
        if len(sample) < PER_CLASS:
            heapq.heappush(sample, entry)
        else:
            heapq.heappushpop(sample, entry)
    return videos


def _row_of(record: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in record.items() if name in tables.COLUMNS}


def _number(video_id: str) -> int:
    """Return a number by which videos are drawn: names that are alike lie apart."""
    data = video_id.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def _note(failures: Failures, stage: str, row: Row) -> None:
    """Note a failed video; manifests pass a failure down, so that the first counts."""
    message = " ".join(row.message.split())
    failures.setdefault(row.id, Failed(stage, row.status, message))


def count(
    stage: Stage, rows: Iterable[Row], failures: Failures, samples: dict[str, str]
) -> Stage:
    """Count a stage's rows, note what failed and keep the sampled videos' rows."""
    for row in rows:
        if not row.ok:
            stage.failed += 1
            _note(failures, stage.title, row)
            continue
        stage.videos += 1
        stage.frames += row.frames or 0
        stage.seconds += row.duration or 0
        stage.lengths.append(row.duration or 0)
        stage.shapes[row.width, row.height, row.fps] += 1
        if row.path.startswith(f"{stage.path}/"):  # else the source itself, not copied
            stage.bytes += row.bytes or 0
        if row.id in samples:
            stage.shown[row.id] = row
    return stage


def read_stage(
    rule: str,
    folder: Path,
    shards: list[str],
    failures: Failures,
    samples: dict[str, str],
) -> Stage:
    """Count what a folder's manifests say."""
    manifests = [folder / f"{shard}.tsv" for shard in shards]
    stage = Stage(rule, folder.name, folder)
    return count(stage, tables.read_all(manifests), failures, samples)


def read_features(
    path: Path, shards: list[str], failures: Failures, samples: dict[str, str]
) -> Features:
    """Count the features of one model and take those of the compared videos."""
    stage = Stage("extract_features", path.stem, path)
    count(stage, tables.read_all([path.with_suffix(".tsv")]), failures, samples)
    parts = [path.with_suffix("") / f"{shard}.h5" for shard in shards]
    stage.bytes = sum(part.stat().st_size for part in [path, *parts] if part.exists())
    held = store.FeatureStore(path)
    features = Features(stage, held.provenance)
    features.windows.update(held.lengths())
    features.dims = {
        n: held.shape(n) for n in held.names if n not in (TIMES, STEP_TIMES)
    }
    for video_id in compared_videos(stage.shown, samples):
        values = held.read(video_id).astype(np.float64)
        features.compared[video_id] = values.mean(axis=0).ravel()
    return features


def read_lists(folder: Path) -> Lists:
    """Return what a folder of lists says of itself."""
    records = {
        record["split"]: record for record in tables.records(folder / "counts.tsv")
    }
    splits = {name: int(records[name]["results"]) for name in in_order(records)}
    labels = Counter()
    for record in tables.records(folder / "classes.tsv"):
        label = record.pop("class")
        labels.update({(label, split): int(n) for split, n in record.items()})
    missing = sum(int(record["missing"]) for record in records.values())
    return Lists(folder, splits, labels, missing)

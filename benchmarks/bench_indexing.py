"""What indexing a large dataset costs: Kinetics annotations of so many videos.

The videos lie in ten unpacked archives, as their manifests say; the index is cut into
1,000 shards. The baseline reads the same tables with the csv module and writes their
rows into as many files, without looking at them.
"""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_planning import Usage, measure
from benchmarks.timing import spread
from scripts.common import tables
from scripts.common.tables import Row
from tests.projects import ROOT

ARCHIVES, SHARDS, CLASSES = 10, 1000, 700
TARGET_SECONDS, TARGET_MB = 60, 2000
OPTIONS = {
    "folder": None,
    "in_place": False,
    "images_fps": None,
    "shards": SHARDS,
    "labels": "folder",
    "annotations": {"format": "kinetics"},
    "subset": {"classes": None, "splits": None, "per_class": None, "seed": None},
    "expected": {},
}


def make_dataset(folder: Path, videos: int) -> None:
    """Write the manifests of archives and the annotations."""
    for archive in range(ARCHIVES):
        names = (f"{n:011d}_000005_000015" for n in range(archive, videos, ARCHIVES))
        rows = (
            Row(f"./{name}.mp4", path=f"originals/{archive}/{name}.mp4", key=name[:16])
            for name in names
        )
        tables.write(folder / f"originals/part_{archive}.tsv", rows)
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("label", "youtube_id", "time_start", "time_end", "split"))
        for n in range(videos):
            writer.writerow((f"class {n % CLASSES}", f"{n:011d}", 5, 15, "train"))


def index(folder: Path) -> Usage:
    """Build the index."""
    names = [f"part_{archive}" for archive in range(ARCHIVES)]
    command = [sys.executable, "-m", "scripts.build_index", "--index", "index"]
    command += ["--originals", "originals", "--unpacked", *names]
    command += ["--annotations", "train.csv", "--options", json.dumps(OPTIONS)]
    return measure(command, folder)


def copy(folder: Path) -> Usage:
    """Read the same tables and write their rows to as many files."""
    command = [sys.executable, "-m", "benchmarks.bench_indexing", "--copy", "."]
    return measure(command, folder)


def copy_rows(folder: Path) -> None:
    """Do the baseline's work."""
    rows = []
    for path in [*folder.glob("originals/*.tsv"), folder / "train.csv"]:
        with path.open(newline="") as file:
            rows += csv.reader(file, delimiter="," if path.suffix == ".csv" else "\t")
    (folder / "copy").mkdir(exist_ok=True)
    for shard in range(SHARDS):
        with (folder / f"copy/{shard:05d}.tsv").open("w", newline="") as file:
            csv.writer(file, delimiter="\t").writerows(rows[shard::SHARDS])


def main() -> None:
    """Print what indexing takes, and what the baseline does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=500_000, help="(500000)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (3)")
    parser.add_argument("--copy", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.copy:
        copy_rows(arguments.copy)
        return
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The programs are found from there.
        (folder / "scripts").symlink_to(ROOT / "scripts")
        (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
        (folder / "tests").symlink_to(ROOT / "tests")
        make_dataset(folder, arguments.videos)
        for _ in range(arguments.repeats):
            ours.append(index(folder))
            theirs.append(copy(folder))
    ratios = [their.cpu / our.cpu for their, our in zip(theirs, ours, strict=True)]
    print(f"{arguments.videos} videos")
    for title, costs in (("build_index", ours), ("csv module alone", theirs)):
        cpu, wall = (
            spread([getattr(c, key) for c in costs]) for key in ("cpu", "wall")
        )
        memory = max(cost.rss for cost in costs)
        print(f"{title:17} {cpu} CPU s, {wall} s, {memory:.0f} MB")
    print(f"ours / csv module alone, by CPU time: {spread(ratios)}")
    print(f"targets: {TARGET_SECONDS} s, {TARGET_MB} MB")


if __name__ == "__main__":
    main()

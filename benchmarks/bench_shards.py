"""What cutting a dataset into more shards costs: CPU time of each stage.

The same tiny videos are built in few and in many shards by the real workflow, one stage
after another, each by a Snakemake of its own. What a stage takes beyond the videos
themselves is the start of its jobs: Snakemake's part, Python and its imports, and for
features the network. The slope over the number of shards is that cost for each job; the
rest, shared by all videos, is the time for each video (with one start of Snakemake).
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.bench_planning import Usage, measure
from tests.projects import SNAKEMAKE, Project, make_video

DATASET = "tiny"
STAGES = {
    "build_index": f"results/{DATASET}/index/videos.tsv",
    "transcode_clips": "clips",
    "dump_frames": "frames",
    "compute_flow": "flow",
    "extract_features": "features",
}


def make_project(folder: Path, videos: int, shards: int) -> Project:
    """Make videos of a second and the configuration of all stages."""
    for number in range(videos):
        make_video(folder / f"videos/{number:03d}.mp4", seed=number % 5)
    project = Project(folder)
    dataset = {"source": {"folder": "videos"}, "shards": shards, "labels": "none"}
    project.configure(
        {
            "datasets": {DATASET: dataset},
            "encodings": {"default": {"short_side": 128}},
            "frames": {"encodings": ["default"]},
            "flow": {"farneback": {"algorithm": "farneback"}},
            "models": {"r2plus1d_18_k400": {"checkpoint": "random"}},
        }
    )
    return project


def build(videos: int, shards: int) -> dict[str, Usage]:
    """Build in so many shards and return what each stage took."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), videos, shards)
        return {
            stage: measure(project.command(target), project.folder)
            for stage, target in STAGES.items()
        }


def split(jobs: list[int], seconds: list[float], videos: int) -> tuple[float, float]:
    """Return the seconds of each job and, beyond these, of each video."""
    a_job, rest = np.polyfit(jobs, seconds, 1)
    return float(a_job), float(rest) / videos


def show(runs: dict[int, dict[str, Usage]], videos: int) -> None:
    """Print what each stage took for each video, and what of it is a job's start.

    runs: what the stages took, by the number of shards.
    """
    sizes = [f"{number} x {videos / number:g}" for number in runs]
    print(f"{videos} videos of 1 s; CPU s for each video, by shards x videos in each")
    print("".join(f"{text:>18}" for text in ["stage", *sizes, "a job", "a video"]))
    for stage in STAGES:
        cpu = [run[stage].cpu for run in runs.values()]
        cells = [f"{seconds / videos:.2f}" for seconds in cpu]
        # The index is one job, whatever the number of shards.
        if stage != "build_index":
            cells += [f"{part:.2f}" for part in split(list(runs), cpu, videos)]
        print("".join(f"{text:>18}" for text in [stage, *cells]))


def main() -> None:
    """Build with each number of shards and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_shards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 3, 6])
    arguments = parser.parse_args()
    # The rules run `python`.
    os.environ["PATH"] = f"{SNAKEMAKE.parent}:{os.environ['PATH']}"
    runs = {}
    for number in arguments.shards:
        runs[number] = build(arguments.videos, number)
        taken = sum(usage.wall for usage in runs[number].values())
        print(f"{number} shards: built in {taken:.0f} s", flush=True)
    show(runs, arguments.videos)


if __name__ == "__main__":
    main()

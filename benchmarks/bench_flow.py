"""Throughput of compute_flow against the plain calls of the libraries.

Ours:      `scripts.compute_flow` on a shard, from the clips to the pictures and the
           manifest on disk.
Baselines: of TV-L1 and Farneback OpenCV's call on grey frames that are decoded already,
           two videos at a time, as ours, OpenCV's own threads set to 1.
           Of RAFT torchvision's call, a pair at a time, two of torch's threads. What
           they find goes nowhere.

Importing the libraries, 3 to 10 s a job, is on nobody's clock.

Ratios are pairs/s of ours over the baseline's, round by round; by CPU time: pairs per
second of user and system time, which other programs on the machine disturb less.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import torch

from benchmarks.bench_media import empty
from benchmarks.timing import Cost, cores, in_turn, show, timed
from models import raft
from scripts.common import tables
from scripts.common.flow.algorithms import OPENCV
from scripts.common.tables import Row
from scripts.compute_flow import main as compute_flow
from scripts.compute_flow import read_pieces
from tests.projects import make_video
from tests.stages import shard_arguments

# Videos at a time of ours, as tests.stages asks for; threads of the others.
THREADS = 2
ALGORITHMS = ("farneback", "tvl1", "raft_small", "raft_large")


def make_clips(folder: Path, count: int, frames: int, size: str) -> list[Row]:
    """Generate clips at 25 fps."""
    rows = []
    for number in range(count):
        path = folder / f"{number}.mp4"
        make_video(path, seconds=frames / 25, fps=25, size=size, seed=number)
        rows.append(Row(path.name, path=str(path), frames=frames, key=path.name))
    return rows


def options(algorithm: str) -> dict:
    """Return the options of a job: OpenCV's own parameters, or RAFT's usual 12."""
    parameters = {} if algorithm in OPENCV else {"updates": 12}
    form = {"bound": 20, "layout": "tsn", "storage": "jpg", "quality": 95}
    return {"version": 1, "algorithm": algorithm, "parameters": parameters, **form}


def run_ours(algorithm: str, rows: list[Row], folder: Path) -> Cost:
    """Return what our stage takes; insist that every video came out."""
    empty(folder)
    arguments = shard_arguments(folder, rows, options(algorithm))
    taken = timed(lambda: compute_flow(arguments))
    failed = [row.message for row in tables.read(folder / "made.tsv") if not row.ok]
    if failed:
        raise RuntimeError(f"{len(failed)} videos failed: {failed[0]}")
    return taken


def plain_opencv(algorithm: str, clips: list[torch.Tensor]) -> Cost:
    """Return what OpenCV's calls take."""
    cv2.setNumThreads(1)
    grey = [
        [
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            for frame in clip.permute(0, 2, 3, 1).contiguous().numpy()
        ]
        for clip in clips
    ]

    def work(frames: list) -> None:
        create = OPENCV[algorithm]()
        for before, after in pairwise(frames):
            create.calc(before, after, None)

    with ThreadPoolExecutor(THREADS) as pool:
        return timed(lambda: list(pool.map(work, grey)))


def plain_raft(algorithm: str, clips: list[torch.Tensor]) -> Cost:
    """Return what torchvision's calls take."""
    torch.set_num_threads(THREADS)
    network = raft.create(algorithm).network

    def work() -> None:
        for clip in clips:
            for before, after in pairwise(clip.split(1)):
                pair = (raft.padded(frame) / 127.5 - 1 for frame in (before, after))
                network(*pair, num_flow_updates=12)

    with torch.inference_mode():
        return timed(work)


def contenders(
    algorithm: str, rows: list[Row], folder: Path
) -> dict[str, Callable[[], Cost]]:
    """Return ours and the baseline, as calls that are timed."""
    clips = [torch.cat(list(read_pieces(Path(row.path), 64))) for row in rows]
    plain = plain_opencv if algorithm in OPENCV else plain_raft
    return {
        "ours": partial(run_ours, algorithm, rows, folder),
        "plain calls": partial(plain, algorithm, clips),
    }


def main() -> None:
    """Run the comparison of each algorithm."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_flow",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument(
        "--videos", type=int, default=4, help="clips to generate (default: 4)"
    )
    parser.add_argument(
        "--frames", type=int, default=50, help="frames of each (default: 50)"
    )
    parser.add_argument("--size", default="320x240", help="default: 320x240")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = make_clips(
            folder / "clips", arguments.videos, arguments.frames, arguments.size
        )
        pairs = sum(row.frames - 1 for row in rows)
        print(f"{pairs} pairs of {arguments.size}, {cores()} cores")
        for algorithm in arguments.algorithms:
            made = contenders(algorithm, rows, folder / algorithm)
            show(algorithm, in_turn(made, arguments.repeats), pairs, "pairs")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

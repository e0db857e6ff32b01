"""Aggregated features, grouped and flat, against one .npy file for each video.

Videos of 4 windows with 512 numbers each are written as shards of 1,000, aggregated to
both layouts, and exported. Then videos that are drawn at random are read, from files
that are in the page cache: what is compared is the work, not the disk.
"""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from benchmarks.timing import in_turn, show, timed
from scripts.common import store
from scripts.common.engine.parts import VideoWriter, whole
from scripts.common.store import FeatureStore
from scripts.export_features import to_npy

ABOUT = {"model": "none", "weights": "none"}
WINDOWS, NUMBERS, IN_A_SHARD = 4, 512, 1000


def make_shards(folder: Path, ids: list[str]) -> list[tuple[Path, list[str]]]:
    """Write the shards; return them with their videos, as `store.merge` takes them."""
    rng, made = np.random.default_rng(0), []
    for number in range(0, len(ids), IN_A_SHARD):
        path, own = folder / f"{number}.h5", ids[number : number + IN_A_SHARD]
        with h5py.File(path, "w") as file:
            file.attrs.update(store.attributes(ABOUT))
            for video_id in own:
                features = rng.random((WINDOWS, NUMBERS), np.float32)
                VideoWriter(file, video_id, "k").add(whole({"features": features}))
        made.append((path, own))
    return made


def report(what: str, work: Callable[[], object], path: Path, videos: int) -> None:
    """Do a piece of work and print its speed and what it wrote."""
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    files = path.glob("*") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{what:18} {seconds:.1f} s, {videos / seconds:.0f} videos/s, {size:.0f} MB")


def compare(folder: Path, videos: int, reads: int, repeats: int) -> None:
    """Print how long aggregating takes, and random reads of all forms."""
    ids = [f"class {n % 100}/{n}.mp4" for n in range(videos)]
    shards = make_shards(folder, ids)
    grouped, flat, npy = folder / "grouped.h5", folder / "flat.h5", folder / "npy"
    report("grouped", lambda: store.merge(grouped, shards, ABOUT), grouped, videos)
    report("flat", lambda: store.flatten(flat, shards, ABOUT), flat, videos)
    held = FeatureStore(grouped)

    def exported() -> Iterator:
        for video_id in ids:
            yield video_id, {"features": held.read(video_id)}

    report("npy", lambda: to_npy(exported(), npy), npy, videos)
    drawn = random.Random(0).choices(ids, k=reads)
    files = {video_id: npy / f"{store.slug(video_id)}_features.npy" for video_id in ids}
    ways = {
        "npy": lambda video_id: np.load(files[video_id]),
        "grouped": FeatureStore(grouped).read,
        "flat": FeatureStore(flat).read,
    }
    for way, other in itertools.pairwise(ways.values()):
        assert np.array_equal(way(drawn[0]), other(drawn[0]))

    def read(way: Callable[[str], np.ndarray]) -> None:
        for video_id in drawn:
            way(video_id)

    for layout in ("grouped", "flat"):
        contenders = {"ours": ways[layout], "npy": ways["npy"]}
        calls = {
            name: lambda way=way: timed(lambda: read(way))
            for name, way in contenders.items()
        }
        show(f"reads, {layout}", in_turn(calls, repeats), reads, "videos")

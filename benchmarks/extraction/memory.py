"""Memory of a long video against one of 3 minutes, from decoding to the written file.

Each runs in a process of its own, which says at its end how much it has needed. The
videos are 64x64 at 25 frames a second. The network costs nothing, and gives features
as wide as those of networks that keep the positions in a picture.
"""

import multiprocessing
import resource
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from torch import nn

import models
from benchmarks.timing import cores
from models.cards.base import Resize
from models.zoo import Extractor
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.engine.feature_shards import ShardStore
from scripts.common.engine.windows import Sampling
from scripts.common.runner import Job
from scripts.common.tables import Row
from tests.projects import make_video

MINUTES = 3


CARD = replace(models.card("r2plus1d_18_k400"), resize=Resize(short=16), crop=16)


class Wide(nn.Module):
    """Gives the mean colours of each frame, over and over."""

    def __init__(self, numbers: int):
        super().__init__()
        self.numbers = numbers

    def forward(self, clips):
        means = clips.mean(dim=(3, 4)).flatten(1)
        copies = -(-self.numbers // means.shape[1])
        wide = means.repeat(1, copies)[:, : self.numbers]
        return {"features": wide, "logits": means}


def needed(video: Path, numbers: int) -> tuple[int, int, float]:
    """Extract one video; return the bytes needed at most, windows and seconds."""
    extractor = Extractor(CARD, Wide(numbers), "none")
    runs = {"wide": (extractor, Settings(Sampling(16, 1, 16, "drop"), batch_size=16))}
    manifest = video.with_suffix(".tsv")
    store = ShardStore(Job("extract_features", video, manifest, {}))
    begin = time.perf_counter()
    tasks = [(Row("video", path=str(video)), ("wide",))]
    for _, row, part in extract(tasks, runs, Machine(threads=cores())):
        done = store.add(row, part)
    store.merge([done], {"model": "wide", "weights": "none"})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return peak, next(iter(part.rows.values())), time.perf_counter() - begin


def compare(folder: Path, hours: float, numbers: int) -> None:
    """Print what both need, and the ratio."""
    short, long = folder / "short.mp4", folder / "long.mp4"
    make_video(short, seconds=60 * MINUTES, fps=25, size="64x64")
    copies = round(60 * hours / MINUTES) - 1
    command = ["ffmpeg", "-v", "error", "-stream_loop", str(copies), "-i", short]
    subprocess.run([*command, "-c", "copy", long], check=True)
    peaks = []
    for video, words in ((short, f"{MINUTES} minutes"), (long, f"{hours:g} hours")):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context) as pool:
            peak, windows, seconds = pool.submit(needed, video, numbers).result()
        size = windows * numbers * 4 / 1e6
        print(
            f"memory  {words}: {peak / 1e6:.0f} MB for {windows} windows,"
            f" {size:.0f} MB of features, in {seconds:.0f} s"
        )
        peaks.append(peak)
    print(f"memory  {hours:g} hours / {MINUTES} minutes: {peaks[1] / peaks[0]:.2f}")

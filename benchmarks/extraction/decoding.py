"""Decoding and resizing, as the engine does it, against torchcodec alone.

Ours:     engine.extraction.extract with S3D's windows and its resize, and a
          network that looks at one pixel of a window.
Limits:   torchcodec alone, all frames of as many videos at a time as there are cores;
          and the same with the plain calls that resize its frames, nothing around them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torchcodec.decoders import VideoDecoder

import models
from benchmarks.extraction.on_cpu import sampling_for
from benchmarks.timing import cores, in_turn, show, timed
from models.zoo import Extractor
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.tables import Row

CARD = models.card("s3d_k400")
# Frames that are decoded by one call.
AT_ONCE = 32


class OnePixel(nn.Module):
    """Costs nothing."""

    def forward(self, clips):
        return {"features": clips[:, :, 0, 0, 0], "logits": clips[:, :, 0, 0, 0]}


def ours(paths: list[Path]) -> None:
    """Decode, resize and put into windows."""
    sampling = replace(sampling_for(CARD.name), fps=None, tail="pad")
    runs = {"one": (Extractor(CARD, OnePixel(), "none"), Settings(sampling))}
    tasks = [(Row(f"{n}", path=str(path)), ("one",)) for n, path in enumerate(paths)]
    for _ in extract(tasks, runs, Machine(threads=cores())):
        pass


def plain(paths: list[Path], use: Callable[[torch.Tensor], object]) -> None:
    """Decode with torchcodec, several videos at a time, and use the frames."""

    def read(path: Path) -> None:
        decoder = VideoDecoder(path, seek_mode="exact", num_ffmpeg_threads=1)
        for begin in range(0, len(decoder), AT_ONCE):
            end = min(begin + AT_ONCE, len(decoder))
            use(decoder.get_frames_in_range(begin, end).data)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(read, paths))


def compare(paths: list[Path], repeats: int) -> None:
    """Run all on the videos, each twice, and print the comparison."""
    paths = 2 * paths
    frames = sum(len(VideoDecoder(path)) for path in paths)
    contenders = {
        "ours": lambda: ours(paths),
        "torchcodec": lambda: plain(paths, lambda frames: None),
        "with resizing": lambda: plain(paths, lambda f: models.prepare(f, CARD)),
    }
    for work in contenders.values():
        work()
    calls = {name: lambda w=work: timed(w) for name, work in contenders.items()}
    show("decoding", in_turn(calls, repeats), frames, "frames")

"""Decoding and resizing, as the engine does it, against torchcodec alone.

Ours:     engine.extraction.extract with S3D's windows and its resize, and a
          network that looks at one pixel of a window.
Limits:   torchcodec alone, all frames of as many videos at a time as there are cores,
          with nothing around it: frames as they are decoded; frames that torchcodec
          has resized and cropped itself, to rounded levels and by another filter; and
          frames that PyTorch's plain calls resize and crop.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchcodec.decoders import VideoDecoder
from torchcodec.transforms import CenterCrop, Resize

import models
from benchmarks.extraction.on_cpu import sampling_for
from benchmarks.timing import cores, in_turn, show, timed
from models.transforms import centre_crop
from models.zoo import Extractor
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.tables import Row

CARD = models.card("s3d_k400")
# Frames that are decoded by one call.
AT_ONCE = 32


class OnePixel(Extractor):
    """Costs nothing, as it does not normalise either."""

    def forward(self, clips):
        return {"features": clips[:, :, 0, 0, 0]}


def ours(paths: list[Path]) -> None:
    """Decode, resize and put into windows."""
    sampling = replace(sampling_for(CARD.name), fps=None, tail="pad")
    runs = {"one": (OnePixel(CARD, nn.Identity(), "none"), Settings(sampling))}
    tasks = [(Row(f"{n}", path=str(path)), ("one",)) for n, path in enumerate(paths)]
    for _ in extract(tasks, runs, Machine(threads=cores())):
        pass


def plain(
    paths: list[Path],
    use: Callable[[torch.Tensor], object] = lambda frames: None,
    itself: bool = False,
) -> None:
    """Decode with torchcodec, several videos at a time, and use the frames.

    itself: whether torchcodec resizes and crops them.
    """

    def read(path: Path) -> None:
        decoder = VideoDecoder(path, seek_mode="exact", num_ffmpeg_threads=1)
        frames, height, width = len(decoder), *size_of(decoder)
        if itself:
            steps = [Resize((height, width)), CenterCrop((CARD.crop, CARD.crop))]
            decoder = VideoDecoder(
                path, seek_mode="exact", num_ffmpeg_threads=1, transforms=steps
            )
        for begin in range(0, frames, AT_ONCE):
            end = min(begin + AT_ONCE, frames)
            use(decoder.get_frames_in_range(begin, end).data)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(read, paths))


def size_of(decoder: VideoDecoder) -> tuple[int, int]:
    """Return the height and width of a video after S3D's resize."""
    sides = decoder.metadata.height, decoder.metadata.width
    return tuple(side * CARD.resize.short // min(sides) for side in sides)


def resized(frames: torch.Tensor) -> torch.Tensor:
    """Return frames as S3D takes them, float (n, 3, 224, 224)."""
    scale = CARD.resize.short / min(frames.shape[-2:])
    floats = frames.float() / 255
    floats = F.interpolate(
        floats, scale_factor=scale, mode="bilinear", recompute_scale_factor=False
    )
    return centre_crop(floats, CARD.crop).contiguous()


def compare(paths: list[Path], repeats: int) -> None:
    """Run all on the videos, each twice, and print the comparison."""
    paths = 2 * paths
    frames = sum(len(VideoDecoder(path)) for path in paths)
    contenders = {
        "ours": lambda: ours(paths),
        "torchcodec": lambda: plain(paths),
        "resizing itself": lambda: plain(paths, itself=True),
        "and plain calls": lambda: plain(paths, resized),
    }
    for work in contenders.values():
        work()
    calls = {name: lambda w=work: timed(w) for name, work in contenders.items()}
    show("decoding", in_turn(calls, repeats), frames, "frames")

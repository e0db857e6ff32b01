"""Clips of a picture that moves at a known speed, and their flow."""

import subprocess
from pathlib import Path

import numpy as np
import torch

from scripts.common import tables
from scripts.common.config import resolve
from scripts.common.tables import Row
from scripts.compute_flow import main
from tests.stages import shard_arguments

MINE = {"datasets": {"mine": {"source": {"folder": "videos"}}}}


def entry(**changes) -> dict:
    """An entry under `flow` with its defaults."""
    return resolve(MINE | {"flow": {"mine": changes}})["flow"]["mine"]


def options(**changes) -> dict:
    """What the workflow passes to the script for an entry."""
    made = entry(**changes)
    parameters = next(made[key] for key in ("tvl1", "farneback", "raft") if key in made)
    keys = ("algorithm", "bound", "layout", "storage", "quality")
    return {"parameters": parameters, "version": 1} | {key: made[key] for key in keys}


def texture(frames: int, shift: tuple[float, float], size=(96, 128)) -> torch.Tensor:
    """A smooth pattern that moves by (x, y) pixels a frame: uint8 (n, 3, H, W)."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    waves = [(random.uniform(-0.3, 0.3, 2), random.uniform(0, 6)) for _ in range(24)]
    clip = []
    for number in range(frames):
        at_x, at_y = x - number * shift[0], y - number * shift[1]
        value = sum(np.sin(a * at_x + b * at_y + phase) for (a, b), phase in waves)
        clip.append(np.clip(128 + 16 * value, 0, 255))
    grey = torch.from_numpy(np.rint(np.stack(clip)).astype(np.uint8))
    return grey[:, None].repeat(1, 3, 1, 1)


def write_clip(path: Path, frames: torch.Tensor) -> Row:
    """Encode frames without visible loss and return the clip's row."""
    count, _, height, width = frames.shape
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-video_size", f"{width}x{height}", "-framerate", "25", "-i", "-"]
    command += ["-c:v", "libx264", "-crf", "4", "-pix_fmt", "yuv420p", str(path)]
    data = frames.permute(0, 2, 3, 1).contiguous().numpy().tobytes()
    subprocess.run(command, input=data, check=True)
    about = {"fps": 25.0, "width": width, "height": height, "duration": count / 25}
    return Row(path.name, path=str(path), frames=count, key=path.name, **about)


def computed(folder: Path, rows: list[Row], *more: str, **changes) -> list[Row]:
    folder.mkdir(exist_ok=True)
    main(shard_arguments(folder, rows, options(**changes), *more))
    return tables.read(folder / "made.tsv")

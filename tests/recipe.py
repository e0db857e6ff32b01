"""Weights and clips that need no download: the figures behind `tests/data/parity`.

The golden outputs there are what each upstream program gave for weights and clips
made by this arithmetic. A tensor follows from its upstream key and its shape alone,
so whoever fills the upstream network and ours by the same keys may compare outputs:
what differs is the network, the mapping of keys, or the forward pass.
"""

import json
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np

PARITY = Path(__file__).parent / "data" / "parity"
MEDIA = Path(__file__).parents[2] / "shared" / "media"  # not part of the repository


def generator(tag: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(crc32(tag.encode())))


def weight(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """One entry of a state dict. Variances keep the signal's size over many layers."""
    random = generator(f"weight:{key}")
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        values = random.uniform(0.5, 1.5, shape)
    elif key.endswith("running_mean"):
        values = random.normal(0, 0.1, shape)
    elif len(shape) > 1 and any(word in key for word in ("pos_", "_token")):
        values = random.normal(0, 0.2, shape)
    elif len(shape) > 1:
        values = random.normal(0, math.sqrt(1.5 / math.prod(shape[1:])), shape)
    elif key.endswith("bias"):
        values = random.normal(0, 0.05, shape)
    else:
        values = random.uniform(0.7, 1.3, shape)
    return values.astype(np.float32)


def clip(tag: str, shape: tuple[int, int, int, int]) -> np.ndarray:
    """A wave that moves through every channel, with noise: (C, T, H, W) in [0, 1]."""
    random = generator(f"clip:{tag}")
    channels, frames, height, width = shape
    y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    pixels = np.empty(shape, np.float32)
    for channel in range(channels):
        across, down = random.uniform(1, 6), random.uniform(1, 6)
        speed, phase = random.uniform(0.05, 0.4), random.uniform(0, 6)
        wave = 2 * np.pi * (across * x + down * y) + phase
        for frame in range(frames):
            pixels[channel, frame] = 0.5 + 0.4 * np.sin(wave + speed * frame)
    return (pixels + random.normal(0, 0.05, shape).astype(np.float32)).clip(0, 1)


@dataclass(frozen=True)
class Golden:
    """What an upstream program gave for one clip: `<family>/<variant>`, and a case."""

    variant: str
    case: str = ""  # "" is the model's own length, "t32" another one

    def __str__(self) -> str:
        return f"{self.variant}-{self.case}" if self.case else self.variant

    @property
    def about(self) -> dict:
        return _about(self.variant)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return _weights(self.variant)

    def clip(self) -> np.ndarray:
        case = self.about["more_cases"][self.case] if self.case else self.about["input"]
        return clip(case["tag"], tuple(case["shape"]))

    def output(self, feature: str) -> np.ndarray:
        name = f"{self.case}__{feature}" if self.case else feature
        with np.load(PARITY / f"{self.variant}.npz") as outputs:
            return outputs[name]


def goldens() -> list[Golden]:
    """Every case of every model that stands in `tests/data/parity`."""
    variants = sorted(
        f"{path.parent.name}/{path.stem}"
        for path in PARITY.glob("*/*.json")
        if not path.parent.name.startswith("e2e_")
    )
    return [
        Golden(variant, case)
        for variant in variants
        for case in ("", *_about(variant)["more_cases"])
    ]


@cache
def _about(variant: str) -> dict:
    return json.loads((PARITY / f"{variant}.json").read_text())


@lru_cache(maxsize=2)  # some are 300 MB
def _weights(variant: str) -> dict[str, np.ndarray]:
    shapes = _about(variant)["state_dict"]
    return {key: weight(key, tuple(shape)) for key, shape in shapes.items()}


def relative_l2(ours, theirs) -> float:
    """The distance of two arrays, in units of the second one's length."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))

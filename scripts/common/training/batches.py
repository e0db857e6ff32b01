"""Which videos are in which batch, and their clips, loaded ahead of the network.

What is random about a clip follows from the seed, the epoch and the video's number
alone: neither threads nor the number of devices nor an interruption change it, and
nothing of it has to be saved.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

import models
from scripts.common import members
from scripts.common.engine.decoding import Frames
from scripts.common.tables import Failure
from scripts.common.training.augmentation import Crop, clip_of
from scripts.common.training.losses import Target
from scripts.common.training.sampling import FrameRule
from scripts.common.training.videos import TrainingError, Video

# Batches that are decoded ahead of the one in the network.
AHEAD = 2

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Plan:
    """The batches of a training.

    Attributes:
        videos: how many there are.
        batch_size: clips for one step of the optimiser, on all devices together.
        parts: into which each device divides its share, one after another.
        seed: of the order.
    """

    videos: int
    batch_size: int
    parts: int
    seed: int

    @property
    def steps(self) -> int:
        """Steps of an epoch, all with whole batches; few videos repeat in one."""
        return max(1, self.videos // self.batch_size)

    def batches(
        self, epochs: range, first_step: int, rank: int, devices: int
    ) -> Iterator[list[tuple[int, int]]]:
        """Yield the (epoch, video) of each part of each batch of one device.

        Args:
            epochs: to go through.
            first_step: of the first of them.
            rank: of this device among `devices`.
        """
        for epoch in epochs:
            rng = np.random.default_rng([self.seed, epoch])
            order = np.resize(
                rng.permutation(self.videos), self.steps * self.batch_size
            )
            whole = order.reshape(self.steps, self.batch_size)
            for step in range(first_step if epoch == epochs[0] else 0, self.steps):
                for part in np.split(whole[step, rank::devices], self.parts):
                    yield [(epoch, int(number)) for number in part]


@dataclass(frozen=True)
class Sample:
    """A video's clip as it comes from the decoder.

    Attributes:
        frames: uint8 (T, 3, H, W); for training, the region that is seen.
        mirrored: whether the clip is to be.
        target: what is true of it.
    """

    frames: Tensor
    mirrored: bool
    target: Tensor


@dataclass(frozen=True)
class Loader:
    """Makes samples of videos.

    Attributes:
        videos: the list.
        card: that of the network, for the clips' length and size.
        rule, crop: for the frames and the regions.
        target: what is true of a clip.
        fps: at which videos are read; None is their own.
        seed: of all chance.
    """

    videos: list[Video]
    card: models.Card
    rule: FrameRule
    crop: Crop
    target: Target
    fps: float | None
    seed: int

    def drawn(self, place: tuple[int, int]) -> Sample:
        """Return the training sample of a video in an epoch."""
        epoch, number = place
        # Another stream than that of the order, which has two numbers.
        rng = np.random.default_rng([self.seed, epoch, number])
        video = self.videos[number]
        with _readable(video):
            reader = Frames(Path(video.path), self.fps)
            numbers = self.rule.drawn(reader.count, rng)
            frames = _read(reader, numbers)
        region = self.crop.drawn(*frames.shape[-2:], self.card, rng)
        target = self.target.of(video, numbers, reader.fps)
        return Sample(region.cut(frames).contiguous(), region.mirrored, target)

    def central(self, number: int) -> Sample:
        """Return the sample by which a video is judged."""
        video = self.videos[number]
        with _readable(video):
            reader = Frames(Path(video.path), self.fps)
            numbers = self.rule.central(reader.count)
            frames = _read(reader, numbers)
        return Sample(frames, False, self.target.of(video, numbers, reader.fps))

    def batch(
        self, samples: list[Sample], device: torch.device, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Return clips, float32 (N, C, T, crop, crop) in [0, 1], and targets.

        In training they are regions, else whole frames, prepared as for features.
        """
        clips = []
        for sample in samples:
            frames = sample.frames
            if device.type == "cuda":
                frames = frames.pin_memory()
            frames = frames.to(device, non_blocking=True)
            clips.append(
                clip_of(frames, sample.mirrored, self.card)
                if training
                else models.prepare(frames, self.card)
            )
        targets = torch.stack([sample.target for sample in samples])
        return torch.stack(clips), targets.to(device, non_blocking=True)


def loaded(
    batches: Iterable[list[T]], load: Callable[[T], U], threads: int
) -> Iterator[list[U]]:
    """Yield what `load` makes of each item of each batch, in order, some batches ahead.

    Threads, and not the processes of torch's DataLoader: decoding leaves the
    interpreter alone, and frames need not be copied from one process to another.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        try:
            for batch in batches:
                waiting.append([pool.submit(load, item) for item in batch])
                if len(waiting) > AHEAD:
                    yield [future.result() for future in waiting.popleft()]
            while waiting:
                yield [future.result() for future in waiting.popleft()]
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _readable(video: Video) -> Iterator[None]:
    """Say which video it is that cannot be read: the manifest has it as whole."""
    try:
        yield
    except Failure as failure:
        raise TrainingError(
            f"the clip of '{video.id}' cannot be read any more ({failure}); delete"
            f" {members.holder(Path(video.path))} and the manifest beside it, and it is"
            " made again"
        ) from failure


def _read(reader: Frames, numbers: list[int]) -> Tensor:
    """Return frames by ascending numbers, some of which may repeat."""
    once = sorted(set(numbers))
    frames = reader.read(once)
    return (
        frames[np.searchsorted(once, numbers)] if len(once) < len(numbers) else frames
    )

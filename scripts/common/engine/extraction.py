"""The extraction engine: decode workers, batches that cross videos, any networks.

videos -> decode workers: frames, uint8, each once -> resize and crop, each frame once:
in the workers, or on the GPU -> windows -> batches of whatever videos -> network
-> back while the next batch is computed -> arrays of each video, part by part
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

import models
from scripts.common.engine import clips, networks
from scripts.common.engine.clips import Clip
from scripts.common.engine.decoding import Piece, Reader, read_pieces
from scripts.common.engine.networks import Network
from scripts.common.engine.outputs import VideoOutputs, computed
from scripts.common.engine.parts import Part
from scripts.common.engine.preparation import Prepared, Taker, prepare
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.engine.windows import Sampling
from scripts.common.engine.workers import Task, decoded
from scripts.common.tables import Failure, Row


@dataclass(frozen=True)
class Settings:
    """How the features of one model are computed.

    Attributes:
        sampling: the windows.
        features: names of the outputs to keep.
        precision: `float32`, `bfloat16` or `float16`, the network's arithmetic.
        dtype: numpy type of the kept arrays.
        batch_size: windows at a time; None: as many as the device's memory takes.
        compiled: let torch.compile make the network faster.
        crops: how many of each window (see `models.views`); 1 is the model's own.
    """

    sampling: Sampling
    features: tuple[str, ...] = ("features",)
    precision: str = "float32"
    dtype: str = "float32"
    batch_size: int | None = None
    compiled: bool = False
    crops: int = 1


@dataclass(frozen=True)
class Machine:
    """What it is computed with.

    Attributes:
        device: torch device.
        threads: decode workers, and threads of the network on a CPU.
    """

    device: str = "cpu"
    threads: int = 1


def extract(
    tasks: Sequence[Task],
    runs: Mapping[str, tuple[models.Extractor, Settings]],
    machine: Machine,
    stopwatch: Stopwatch | None = None,
    read: Reader = read_pieces,
) -> Iterator[tuple[str, Row, Part | Failure]]:
    """Yield, by model and video, its arrays part by part, or why there are none.

    A video is decoded once for all models that take the same frames per second. Parts
    of several videos may take turns; a failure ends a video whose first parts are out.

    Args:
        tasks: videos; `path` is what is read, `start` shifts the timestamps, which
            are seconds of the original video.
        runs: the networks, which are moved to the device, and how to run each.
        machine: device and threads.
        stopwatch: told where the time goes.
        read: gives a video's frames, by default those of a clip.

    Raises:
        windows.Unsuited: a network cannot take what it would get.
    """
    for extractor, settings in runs.values():
        clips.check(extractor, settings.sampling, settings.crops)
    networks.prepare_device(machine.device, machine.threads)
    engine = _Engine(runs, machine.device, stopwatch or Stopwatch())
    yield from engine.run(tasks, machine.threads, read)


class _Video:
    """One video on its way through one network."""

    def __init__(self, row: Row, cut: Iterator[Clip], outputs: VideoOutputs):
        self.row = row
        self._outputs, self._under_way = outputs, 0
        self._cut, self._next = cut, next(cut)
        self._held: dict[int, Tensor] = {}

    def add(self, numbers: list[int], frames: Tensor) -> Iterator[tuple[Clip, list]]:
        """Take frames (n, H, W, C); yield the clips that are whole with theirs."""
        self._held.update(zip(numbers, frames, strict=True))
        while self._next and max(self._next.numbers) in self._held:
            clip, self._next = self._next, next(self._cut, None)
            self._under_way += 1
            yield clip, [self._held[number] for number in clip.numbers]
            first = self._next.start if self._next else math.inf
            for number in [number for number in self._held if number < first]:
                del self._held[number]

    @property
    def is_read(self) -> bool:
        """Tell whether no more frames are needed."""
        return self._next is None

    def take(self, clip: Clip, outputs: networks.Outputs) -> Part | None:
        """Take what the network gave for a clip; return what is to be written now."""
        self._under_way -= 1
        return self._outputs.add(clip, outputs, self.is_read and not self._under_way)


class _Engine:
    """What is between decoded frames and finished arrays."""

    def __init__(self, runs, device: str, stopwatch: Stopwatch):
        self._settings = {name: settings for name, (_, settings) in runs.items()}
        self._takers = {
            name: Taker(extractor.card, settings.crops)
            for name, (extractor, settings) in runs.items()
        }
        self._networks = {
            name: Network(
                extractor,
                computed(settings.features, extractor.card, settings.sampling),
                device,
                settings.precision,
                1 if clips.is_in_pieces(settings.sampling) else settings.batch_size,
                settings.compiled,
            )
            for name, (extractor, settings) in runs.items()
        }
        self._device, self._stopwatch = device, stopwatch
        self._videos: dict[tuple[str, str], _Video] = {}
        # By video, the models that need more of its frames.
        self._reading: dict[str, set[str]] = {}

    def run(self, tasks: Sequence[Task], threads: int, read: Reader) -> Iterator:
        """Yield what `extract` yields."""
        with closing(self._prepared(tasks, threads, read)) as items:
            for (row, names), item in items:
                reading = self._reading.setdefault(row.id, set(names))
                if isinstance(item, Failure):
                    for name in names:
                        if name in reading:
                            self._videos.pop((name, row.id), None)
                            yield name, row, item
                    del self._reading[row.id]
                    continue
                yield from self._advance(row, item)
                if not reading:
                    del self._reading[row.id]
        for name in self._networks:
            yield from self._finished(name, self._networks[name].finish())

    def _prepared(
        self, tasks: Sequence[Task], threads: int, read: Reader
    ) -> Iterator[tuple[Task, Prepared | Failure]]:
        """Yield prepared pieces: a CPU's workers prepare them, a GPU does it itself."""
        samplings = {name: each.sampling for name, each in self._settings.items()}
        on_device = partial(prepare, takers=self._takers, device=self._device)
        on_gpu = self._device.startswith("cuda")
        use = _pinned if on_gpu else on_device
        with closing(decoded(tasks, samplings, read, use, threads)) as items:
            for task, item in self._stopwatch.waiting("wait for frames", items):
                yield task, on_device(item) if isinstance(item, Piece) else item

    def _begin(self, name: str, row: Row, piece: Prepared) -> _Video:
        settings, extractor = self._settings[name], self._networks[name].extractor
        cut = clips.cut(
            piece.count,
            piece.fps,
            settings.sampling,
            extractor,
            settings.batch_size,
            settings.crops,
        )
        outputs = VideoOutputs(
            settings.features,
            extractor,
            settings.sampling,
            piece.count,
            piece.fps,
            row.start or 0,
            settings.crops,
        )
        return _Video(row, cut, outputs)

    def _advance(self, row: Row, piece: Prepared) -> Iterator:
        """Give a video's next frames to the networks; yield what is finished."""
        for part, seconds in piece.seconds.items():
            self._stopwatch.add(part, seconds)
        reading = self._reading[row.id]
        for name, frames in piece.frames.items():
            # A video that needs no more frames may be finished before the others' last.
            if name not in reading:
                continue
            if (name, row.id) not in self._videos:
                self._videos[name, row.id] = self._begin(name, row, piece)
            video, taker = self._videos[name, row.id], self._takers[name]
            for clip, whole in video.add(piece.numbers, frames):
                if video.is_read:
                    reading.discard(name)
                cut = [taker.crop(frame, clip.crop) for frame in whole]
                results = self._networks[name].add((video, clip), cut)
                yield from self._finished(name, results)

    def _finished(self, name: str, results: Iterator) -> Iterator:
        """Yield the parts that are ready by what a network gives back."""
        dtype = self._settings[name].dtype
        for (video, clip), outputs in self._stopwatch.waiting("network", results):
            self._stopwatch.windows += 1
            kept = {key: out.astype(dtype) for key, out in outputs.items()}
            part = video.take(clip, kept)
            # What is left of a video that has failed in the meantime is of no use.
            if part and self._videos.get((name, video.row.id)) is video:
                if part.is_last:
                    del self._videos[name, video.row.id]
                yield name, video.row, part


def _pinned(piece: Piece) -> Piece:
    """Return a piece that a GPU can copy while it computes."""
    if piece.frames.is_cuda:
        return piece
    return replace(piece, frames=piece.frames.pin_memory())

"""The extraction engine: decode workers, batches that cross videos, any networks.

videos -> decode workers: frames, uint8, each once -> bounded queue -> device:
resize and crop, each frame once -> windows -> batches of whatever videos -> network
-> back while the next batch is computed -> arrays of each video, part by part
"""

import contextlib
import math
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from torch import Tensor

import models
from models import views
from scripts.common.engine import clips, networks
from scripts.common.engine.clips import Clip
from scripts.common.engine.decoding import Piece, Reader, read_pieces
from scripts.common.engine.networks import Network
from scripts.common.engine.outputs import VideoOutputs, computed
from scripts.common.engine.parts import Part
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.engine.windows import Sampling
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


# A video, and the names of the models whose features it lacks.
Task = tuple[Row, tuple[str, ...]]


def extract(
    tasks: Iterable[Task],
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
    engine = _Engine(runs, machine, stopwatch or Stopwatch())
    samplings = {name: settings.sampling for name, (_, settings) in runs.items()}
    with closing(_decoded(tasks, samplings, machine, read)) as items:
        yield from engine.run(items)


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

    def __init__(self, runs, machine: Machine, stopwatch: Stopwatch):
        self._settings = {name: settings for name, (_, settings) in runs.items()}
        self._networks = {
            name: Network(
                extractor,
                computed(settings.features, extractor.card, settings.sampling),
                machine.device,
                settings.precision,
                1 if clips.is_in_pieces(settings.sampling) else settings.batch_size,
                settings.compiled,
            )
            for name, (extractor, settings) in runs.items()
        }
        self._device, self._stopwatch = machine.device, stopwatch
        self._videos: dict[tuple[str, str], _Video] = {}
        # By video, the models that need more of its frames.
        self._reading: dict[str, set[str]] = {}

    def run(self, items) -> Iterator[tuple[str, Row, Part | Failure]]:
        """Yield results of what `_decoded` yields."""
        items = self._stopwatch.waiting("wait for frames", items)
        for (row, names), item in items:
            reading = self._reading.setdefault(row.id, set(names))
            if isinstance(item, Failure):
                for name in names:
                    if name in reading:
                        self._videos.pop((name, row.id), None)
                        yield name, row, item
                del self._reading[row.id]
                continue
            for name in item.names:
                if name in reading and (name, row.id) not in self._videos:
                    self._videos[name, row.id] = self._begin(name, row, item)
            yield from self._advance(row, item)
            if not reading:
                del self._reading[row.id]
        for name in self._networks:
            yield from self._finished(name, self._networks[name].finish())

    def _begin(self, name: str, row: Row, piece: Piece) -> _Video:
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

    def _advance(self, row: Row, piece: Piece) -> Iterator:
        """Give a video's next frames to the networks; yield what is finished."""
        self._stopwatch.add("decode", piece.seconds)
        reading = self._reading[row.id]
        # A video that needs no more frames may be finished before the others' last.
        names = [name for name in piece.names if name in reading]
        cards = {name: self._networks[name].extractor.card for name in names}
        crops = {name: self._settings[name].crops for name in names}
        looks = {name: _look(cards[name], crops[name]) for name in names}
        with self._stopwatch.measured("transfer and resize"):
            frames = piece.frames.to(self._device, non_blocking=True)
            prepared = {
                look: _prepared(frames, cards[name], crops[name])
                for look, name in {look: name for name, look in looks.items()}.items()
            }
        for name in names:
            video = self._videos[name, row.id]
            for clip, tensors in video.add(piece.numbers, prepared[looks[name]]):
                if video.is_read:
                    reading.discard(name)
                if crops[name] > 1:
                    size = cards[name].crop
                    tensors = [_cut(t, size, crops[name], clip.crop) for t in tensors]
                results = self._networks[name].add((video, clip), tensors)
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


def _look(card: models.Card, crops: int) -> tuple:
    """Return what decides how frames are prepared; models of one look share them."""
    return card.resize, card.crop, card.half_pixels, card.colour, crops == 1


def _prepared(frames: Tensor, card: models.Card, crops: int) -> Tensor:
    """Return frames (n, H, W, C): a batch of them has its channels last.

    Where there are several crops, each is cut when it is needed.
    """
    clip = models.prepare(frames, card, cropped=crops == 1)
    return clip.permute(1, 2, 3, 0).contiguous()


def _cut(frame: Tensor, size: int, crops: int, number: int) -> Tensor:
    """Return one of several crops of a frame (H, W, C)."""
    cut = views.crop(frame.permute(2, 0, 1), size, crops, number)
    return cut.permute(1, 2, 0)


def _decoded(
    tasks: Iterable[Task],
    samplings: Mapping[str, Sampling],
    machine: Machine,
    read: Reader,
) -> Iterator[tuple[Task, Piece | Failure]]:
    """Yield the frames of several videos at a time; those of one are in order."""
    waiting, taking = iter(tasks), threading.Lock()
    # The bound keeps memory constant however far decoding could run ahead.
    ready: queue.Queue = queue.Queue(maxsize=machine.threads + 2)
    stopped = threading.Event()
    pinned = machine.device.startswith("cuda")

    def put(item) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def decode() -> None:
        while not stopped.is_set():
            with taking:
                task = next(waiting, None)
            if task is None:
                break
            row, names = task
            wanted = {name: samplings[name] for name in names}
            try:
                for piece in read(row, wanted):
                    if pinned and not piece.frames.is_cuda:
                        piece = replace(piece, frames=piece.frames.pin_memory())
                    if not put((task, piece)):
                        return
            except Failure as failure:
                put((task, failure))

    with ThreadPoolExecutor(machine.threads) as pool:
        workers = [pool.submit(decode) for _ in range(machine.threads)]
        try:
            while not (all(worker.done() for worker in workers) and ready.empty()):
                with contextlib.suppress(queue.Empty):
                    yield ready.get(timeout=0.1)
        finally:
            stopped.set()
    for worker in workers:
        worker.result()

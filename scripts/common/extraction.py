"""The extraction engine: decode workers, batches that cross videos, one network.

rows -> decode workers -> bounded queue of windows -> batch -> device:
resize, crop, normalise, network -> arrays of each video as soon as it is whole
"""

import contextlib
import ctypes
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import models
from scripts.common.decoding import Window, read_windows
from scripts.common.tables import Failure, Row
from scripts.common.windows import Sampling


@dataclass(frozen=True)
class Settings:
    """How features are computed.

    Attributes:
        sampling: the windows.
        features: names of the outputs to keep.
        precision: `float32`, `bfloat16` or `float16`, the network's arithmetic.
        dtype: numpy type of the kept arrays.
        batch_size: windows at a time.
        threads: decode workers, and threads of the network on a CPU.
        device: torch device.
    """

    sampling: Sampling
    features: tuple[str, ...] = ("features",)
    precision: str = "float32"
    dtype: str = "float32"
    batch_size: int = 4
    threads: int = 1
    device: str = "cpu"


# A video's arrays by feature name, each (windows, …), and `timestamps` (windows, 2).
Arrays = dict[str, np.ndarray]


def default_device() -> str:
    """Return `cuda` where torch sees a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def extract(
    rows: Iterable[Row], extractor: models.Extractor, settings: Settings
) -> Iterator[tuple[Row, Arrays | Failure]]:
    """Yield each row with its arrays, or with the reason why it has none.

    Args:
        rows: videos; `path` is what is decoded, `start` shifts the timestamps, which
            are seconds of the original video.
        extractor: the network; it is moved to the device.
        settings: windows, batches, precision.
    """
    if settings.device == "cpu":
        torch.set_num_threads(settings.threads)
        _keep_freed_memory()
    # By default convolutions on a GPU round float32 to 10 bits of mantissa.
    torch.backends.cudnn.allow_tf32 = False
    # Convolutions over (T, H, W) are up to twice as fast with channels last.
    network = extractor.to(settings.device, memory_format=torch.channels_last_3d)
    # Without the windows' frames: a long video has many of them.
    unfinished: dict[str, list[Done]] = {}
    with closing(_decoded(rows, settings)) as items, torch.inference_mode():
        for batch, failed in _batches(items, settings.batch_size):
            windows = [window for _, window in batch]
            outputs = _forward(windows, network, settings)
            for (row, window), output in zip(batch, outputs, strict=True):
                video = unfinished.setdefault(row.id, [])
                video.append(((window.start, window.end), output))
                if window.last:
                    yield row, _joined(unfinished.pop(row.id), row.start or 0, settings)
            if failed:
                row, failure = failed
                unfinished.pop(row.id, None)
                yield row, failure


def _keep_freed_memory() -> None:
    """Have glibc reuse large buffers: mapping them anew costs half of the time."""
    with contextlib.suppress(AttributeError):  # another C library
        allocator = ctypes.CDLL(None)
        allocator.mallopt(-4, 0)  # M_MMAP_MAX: no buffer gets a mapping of its own
        allocator.mallopt(-1, -1)  # M_TRIM_THRESHOLD: nothing is given back


def _decoded(
    rows: Iterable[Row], settings: Settings
) -> Iterator[tuple[Row, Window | Failure]]:
    """Yield the windows of several videos at a time; those of one are in order."""
    waiting, taking = iter(rows), threading.Lock()
    # The bound keeps memory constant however far decoding could run ahead.
    ready: queue.Queue = queue.Queue(maxsize=2 * settings.batch_size)
    stopped = threading.Event()

    def put(item) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def decode() -> None:
        while not stopped.is_set():
            with taking:
                row = next(waiting, None)
            if row is None:
                break
            try:
                for window in read_windows(Path(row.path), settings.sampling):
                    if not put((row, window)):
                        return
            except Failure as failure:
                put((row, failure))

    with ThreadPoolExecutor(settings.threads) as pool:
        workers = [pool.submit(decode) for _ in range(settings.threads)]
        try:
            while not (all(worker.done() for worker in workers) and ready.empty()):
                with contextlib.suppress(queue.Empty):
                    yield ready.get(timeout=0.1)
        finally:
            stopped.set()
    for worker in workers:
        worker.result()


Batch = list[tuple[Row, Window]]


def _batches(
    items: Iterable[tuple[Row, Window | Failure]], size: int
) -> Iterator[tuple[Batch, tuple[Row, Failure] | None]]:
    """Group windows of whatever videos; a failure ends a batch and comes with it."""
    batch: Batch = []
    for row, item in items:
        if isinstance(item, Failure):
            yield [pair for pair in batch if pair[0].id != row.id], (row, item)
            batch = []
            continue
        batch.append((row, item))
        if len(batch) == size:
            yield batch, None
            batch = []
    if batch:
        yield batch, None


# What the network gave for one window, by feature name.
Outputs = dict[str, np.ndarray]
# A window's begin and end in seconds of the file, and its outputs.
Done = tuple[tuple[float, float], Outputs]


def _forward(
    windows: list[Window], network: models.Extractor, settings: Settings
) -> list[Outputs]:
    """Return the outputs of each window."""
    if not windows:
        return []
    clips = torch.stack(
        [
            models.prepare(window.frames.to(settings.device), network.card)
            for window in windows
        ]
    ).contiguous(memory_format=torch.channels_last_3d)
    half = settings.precision != "float32"
    with torch.autocast(
        settings.device, getattr(torch, settings.precision), enabled=half
    ):
        outputs = network(clips)
    arrays = {name: outputs[name].float().cpu().numpy() for name in settings.features}
    return [
        {name: array[n] for name, array in arrays.items()} for n in range(len(windows))
    ]


def _joined(video: list[Done], offset: float, settings: Settings) -> Arrays:
    """Return a video's arrays; `offset` is where its segment begins, in seconds."""
    arrays = {
        name: np.stack([outputs[name] for _, outputs in video]).astype(settings.dtype)
        for name in settings.features
    }
    times = [seconds for seconds, _ in video]
    return arrays | {"timestamps": np.array(times, dtype=np.float64) + offset}

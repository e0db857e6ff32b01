"""A network on its device: batches of clips in, arrays out, memory never exceeded."""

import contextlib
import ctypes
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

import models

# Windows at a time where no one says it: on a CPU, and at most on a GPU.
ON_CPU, AT_MOST = 4, 64
# Of a GPU's free memory; the rest is for what the measurement does not see.
USABLE = 0.8

# A clip's frames, each float (H, W, C), prepared for the network.
Frames = Sequence[Tensor]
# What the network gave for one clip, by feature name.
Outputs = dict[str, np.ndarray]


@dataclass
class Batch:
    """Outputs on their way from the device, and whose they are."""

    clips: list[object]
    outputs: dict[str, Tensor]
    copied: torch.cuda.Event | None

    def arrays(self) -> Iterator[tuple[object, Outputs]]:
        """Yield each clip with its outputs, once they are here."""
        if self.copied:
            self.copied.synchronize()
        for n, clip in enumerate(self.clips):
            yield clip, {name: out[n].numpy() for name, out in self.outputs.items()}


class Network:
    """Runs clips of whatever videos through an extractor, several at a time.

    Attributes:
        batch_size: clips at a time; halved when the device's memory is full.
    """

    def __init__(
        self,
        extractor: models.Extractor,
        names: Sequence[str],
        device: str,
        precision: str = "float32",
        batch_size: int | None = None,
        compiled: bool = False,
    ):
        """Move the extractor to the device.

        Args:
            extractor: the network with its normalisation.
            names: of the outputs to keep.
            device: torch device.
            precision: `float32`, `bfloat16` or `float16`, the network's arithmetic.
            batch_size: clips at a time; None: as many as the device's memory takes.
            compiled: by torch.compile; for that, all batches get the same size.
        """
        self.extractor = extractor.to(device)
        _channels_last(self.extractor)
        if device == "cpu" and precision == "float32" and not compiled:
            _linear_by_onednn(self.extractor)
        self.batch_size = batch_size
        self._names, self._device, self._compiled = names, device, compiled
        self._call = self.extractor
        self._precision = getattr(torch, precision)
        self._waiting: list[tuple[object, Frames]] = []
        # One batch is copied back while the next one is computed.
        self._copying: deque[Batch] = deque()

    def add(self, clip: object, frames: Frames) -> Iterator[tuple[object, Outputs]]:
        """Take a clip; yield clips that are done, with their outputs."""
        if self.batch_size is None:
            self.batch_size = self._measured(frames)
        if self._compiled and self._call is self.extractor:
            # After the measurement, whose batches have other sizes.
            self._call = torch.compile(self.extractor)
        if self._waiting and len(self._waiting[0][1]) != len(frames):
            yield from self._run()
        self._waiting.append((clip, frames))
        if len(self._waiting) >= self.batch_size:
            yield from self._run()

    def finish(self) -> Iterator[tuple[object, Outputs]]:
        """Yield all clips that are left, with their outputs."""
        if self._waiting:
            yield from self._run()
        while self._copying:
            yield from self._copying.popleft().arrays()

    def _run(self) -> Iterator[tuple[object, Outputs]]:
        """Run what waits; yield what is back."""
        waiting, self._waiting = self._waiting, []
        while waiting:
            batch = waiting[: self.batch_size]
            try:
                self._copying.append(self._forward(batch))
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self.batch_size = len(batch) // 2
                print(f"memory is full: {self.batch_size} windows at a time from here")
            else:
                waiting = waiting[len(batch) :]
            while len(self._copying) > self._device.startswith("cuda"):
                yield from self._copying.popleft().arrays()

    def _forward(self, batch: list[tuple[object, Frames]]) -> Batch:
        stacked = [frame for _, frames in batch for frame in frames]
        padding = self.batch_size - len(batch) if self._compiled else 0
        stacked += padding * list(batch[-1][1])
        # (N, T, H, W, C) in memory is (N, C, T, H, W) with channels last.
        clips = torch.stack(stacked).unflatten(0, (len(batch) + padding, -1))
        half = self._precision != torch.float32
        kind = torch.device(self._device).type
        with (
            torch.inference_mode(),
            torch.autocast(kind, self._precision, enabled=half),
        ):
            given = self._call(clips.permute(0, 4, 1, 2, 3))
        outputs = {name: given[name][: len(batch)].float() for name in self._names}
        copied = None
        if kind == "cuda":
            outputs = {
                name: torch.empty(out.shape, pin_memory=True).copy_(out, True)
                for name, out in outputs.items()
            }
            copied = torch.cuda.Event()
            copied.record(torch.cuda.current_stream(self._device))
        return Batch([clip for clip, _ in batch], outputs, copied)

    def _measured(self, frames: Frames) -> int:
        """Return how many clips like this one the device's memory takes."""
        if not self._device.startswith("cuda"):
            return ON_CPU
        peaks = []
        for self.batch_size in (1, 2):
            torch.cuda.reset_peak_memory_stats(self._device)
            before = torch.cuda.memory_allocated(self._device)
            try:
                self._forward([(None, frames)] * self.batch_size)
            except torch.OutOfMemoryError:
                return 1
            peaks.append(torch.cuda.max_memory_allocated(self._device) - before)
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(self._device)
        return clips_that_fit(int(USABLE * free), *peaks)


def clips_that_fit(free: int, one: int, two: int) -> int:
    """Return how many clips fit into free bytes, 1 to AT_MOST.

    one, two: bytes that batches of one and of two take.
    """
    each = max(two - one, one // 2, 1)
    return max(1, min(AT_MOST, (free - one) // each + 1))


def default_device() -> str:
    """Return `cuda` where torch sees a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def prepare_device(device: str, threads: int) -> None:
    """Set what holds for the whole process."""
    # By default convolutions on a GPU round float32 to 10 bits of mantissa.
    torch.backends.cudnn.allow_tf32 = False
    if device == "cpu":
        torch.set_num_threads(threads)
        # Once asked for, this thread's number stays, whatever others set for theirs.
        torch.get_num_threads()
        # Mapping large buffers anew costs half of the time: have glibc reuse them.
        with contextlib.suppress(AttributeError):  # another C library
            allocator = ctypes.CDLL(None)
            allocator.mallopt(-4, 0)  # M_MMAP_MAX: no buffer gets a mapping of its own
            allocator.mallopt(-1, -1)  # M_TRIM_THRESHOLD: nothing is given back


def _channels_last(module: torch.nn.Module) -> None:
    """Lay out weights for channels-last clips: up to twice as fast."""
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() in layouts:
            layout = layouts[tensor.dim()]
            tensor.data = tensor.data.contiguous(memory_format=layout)


def _linear_by_onednn(module: torch.nn.Module) -> None:
    """Have oneDNN compute linear layers: on AMD's CPUs twice as fast as MKL.

    It is what torch.compile calls for them on a CPU; gradients are not for it.
    """
    if not torch.backends.mkldnn.is_available():
        return
    for layer in module.modules():
        if type(layer) is torch.nn.Linear:
            layer.forward = partial(_linear, layer.weight, layer.bias)


def _linear(weight: Tensor, bias: Tensor | None, clips: Tensor) -> Tensor:
    """Return what a linear layer gives."""
    call = torch.ops.mkldnn._linear_pointwise
    return call(clips, weight, bias, "none", [], "")

"""What networks give for clips, put together to the arrays of a video."""

from collections.abc import Sequence

import numpy as np

import models
from scripts.common.engine.clips import Clip, is_in_pieces, step_times
from scripts.common.engine.networks import Outputs
from scripts.common.engine.parts import STEP_TIMES, TIMES, Part
from scripts.common.engine.windows import Sampling, window_count

# Outputs of a video that wait to be given away; those of a short one all wait.
PART_BYTES = 8 * 2**20


def computed(
    names: Sequence[str], card: models.Card, sampling: Sampling
) -> tuple[str, ...]:
    """Return the outputs to ask a network for: in pieces, the steps to average."""
    if not is_in_pieces(sampling):
        return tuple(names)
    return tuple(dict.fromkeys(_steps_of(name, card) for name in names))


def _steps_of(name: str, card: models.Card) -> str:
    """Return the feature in time of which another is the mean; one in time itself."""
    features = card.features
    if "time" in features[name].axes:
        return name
    return next(
        other
        for other, feature in features.items()
        if feature.axes == ("time",) and feature.dim == features[name].dim
    )


class VideoOutputs:
    """The outputs of one video on their way to its arrays."""

    def __init__(
        self,
        names: Sequence[str],
        extractor: models.Extractor,
        sampling: Sampling,
        frames: int,
        fps: float,
        offset: float,
        crops: int = 1,
    ):
        """Know the video.

        names: of the features to keep.
        frames, fps: how many it has, at the rate at which it is read.
        offset: where its segment begins in the original video, in seconds.
        crops: rows that each window has, one for every crop.
        """
        features = extractor.card.features
        self._names, self._extractor = names, extractor
        self._in_time = [name for name in names if "time" in features[name].axes]
        self._sampling, self._frames = sampling, frames
        self._fps, self._offset, self._crops = fps, offset, crops
        self._waiting: list[tuple[Clip, Outputs]] = []
        self._bytes = 0
        self._sums: dict[str, np.ndarray] = {}

    def add(self, clip: Clip, outputs: Outputs, is_last: bool) -> Part | None:
        """Take the outputs of the next clip; return what is to be written now."""
        self._waiting.append((clip, outputs))
        self._bytes += sum(array.nbytes for array in outputs.values())
        if not is_last and self._bytes < PART_BYTES:
            return None
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if is_in_pieces(self._sampling):
            return self._of_pieces(waiting, is_last)
        return self._of_windows(waiting, is_last)

    def _of_windows(self, waiting: list[tuple[Clip, Outputs]], is_last: bool) -> Part:
        """Return a row of all arrays for each window."""
        times = [clip.times for clip, _ in waiting]
        arrays = {
            name: np.stack([out[name] for _, out in waiting]) for name in self._names
        }
        arrays[TIMES] = np.array(times, np.float64) + self._offset
        if self._in_time:
            count = arrays[self._in_time[0]].shape[1]
            steps = [self._step_times(pair, count) for pair in times]
            arrays[STEP_TIMES] = np.stack(steps)
        windows = self._crops * window_count(self._frames, self._sampling)
        return Part(arrays, dict.fromkeys(arrays, windows), is_last)

    def _of_pieces(self, waiting: list[tuple[Clip, Outputs]], is_last: bool) -> Part:
        """Return features in time, and at the end the means over all steps."""
        frames = self._frames - self._sampling.first
        steps, arrays = self._extractor.network.steps(frames), {}
        for name in self._names:
            source = _steps_of(name, self._extractor.card)
            array = np.concatenate([out[source][clip.keep] for clip, out in waiting])
            if name in self._in_time:
                arrays[name] = array
                continue
            # Step by step, so that the sum does not tell where the parts were cut.
            before = self._sums.get(name, np.zeros((1, *array.shape[1:])))
            total = np.concatenate([before, array]).sum(axis=0, keepdims=True)
            self._sums[name] = total
            if is_last:
                arrays[name] = (total / steps).astype(array.dtype)
        if is_last:
            times = waiting[-1][0].times
            arrays[TIMES] = np.array([times], np.float64) + self._offset
            if self._in_time:
                arrays[STEP_TIMES] = self._step_times(times, steps)
        in_time = dict.fromkeys([*self._in_time, STEP_TIMES], steps)
        rows = {name: in_time.get(name, 1) for name in (*self._names, *arrays)}
        return Part(arrays, rows, is_last)

    def _step_times(self, times: tuple[float, float], steps: int) -> np.ndarray:
        """Return where the steps of a window or a video begin and end (steps, 2)."""
        stride = 1 if is_in_pieces(self._sampling) else self._sampling.stride
        seconds = stride / self._fps
        return step_times(times, steps, self._extractor, seconds) + self._offset

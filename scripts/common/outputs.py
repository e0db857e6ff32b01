"""What networks give for clips, put together to the arrays of a video."""

from collections.abc import Sequence

import numpy as np

import models
from scripts.common.clips import Clip, is_in_pieces, step_times
from scripts.common.networks import Outputs
from scripts.common.windows import Sampling

# A video's arrays by feature name, each (windows, …), with `timestamps` (windows, 2)
# and, where a feature has steps in time, `step_timestamps` (windows, steps, 2). What
# goes over whole videos has one window; its features in time are (steps, …).
Arrays = dict[str, np.ndarray]


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


def joined(
    done: list[tuple[Clip, Outputs]],
    names: Sequence[str],
    extractor: models.Extractor,
    sampling: Sampling,
    fps: float,
    offset: float,
) -> Arrays:
    """Return a video's arrays.

    done: its clips in order, with their outputs.
    names: of the features to keep.
    fps: frames per second at which it was read.
    offset: where its segment begins in the original video, in seconds.
    """
    in_pieces, times = is_in_pieces(sampling), [clip.times for clip, _ in done]
    if in_pieces:
        arrays, times = _of_pieces(done, names, extractor.card), times[:1]
    else:
        arrays = {name: np.stack([out[name] for _, out in done]) for name in names}
    timestamps = {"timestamps": np.array(times, dtype=np.float64)}
    in_time = [n for n in names if "time" in extractor.card.features[n].axes]
    if in_time:
        seconds = (1 if in_pieces else sampling.stride) / fps
        count = arrays[in_time[0]].shape[0 if in_pieces else 1]
        steps = [step_times(pair, count, extractor, seconds) for pair in times]
        timestamps["step_timestamps"] = steps[0] if in_pieces else np.stack(steps)
    return arrays | {name: array + offset for name, array in timestamps.items()}


def _of_pieces(
    done: list[tuple[Clip, Outputs]], names: Sequence[str], card: models.Card
) -> Arrays:
    """Return features in time (steps, …), and the means over all steps (1, dim)."""
    arrays = {}
    for name in names:
        steps = _steps_of(name, card)
        array = np.concatenate([outputs[steps][clip.keep] for clip, outputs in done])
        if steps != name:
            mean = array.mean(axis=0, dtype=np.float64, keepdims=True)
            array = mean.astype(array.dtype)
        arrays[name] = array
    return arrays

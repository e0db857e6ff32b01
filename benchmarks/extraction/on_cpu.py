"""Windows a second on a CPU in float32, against one window at a time.

Ours:     engine.extraction.extract, as extract_features uses it: decode
          workers beside the network, batches that cross videos, channels last.
Baseline: what older extractors do: decode a window, prepare it, call the network on it
          alone in PyTorch's plain layout, and so on. It has the same weights (random),
          the same decoder, windows and threads, which wait as PyTorch's do by default.
Limits:   decoding alone, all frames of the windows once, and the network alone, on
          clips that are there already, in batches and channels last. Nothing that does
          both can be faster than either.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch

import models
from benchmarks.timing import Cost, cores, in_turn, show, timed
from scripts.common.engine.decoding import Frames, read_pieces, read_windows
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.engine.features import complete, sampling_of
from scripts.common.engine.networks import Network, prepare_device
from scripts.common.engine.parts import joined
from scripts.common.engine.windows import Sampling, window_starts
from scripts.common.tables import Failure, Row
from tests.projects import make_video

MODELS = (
    "s3d_k400",
    "r2plus1d_18_k400",
    "slowfast_8x8_r50_k400",
    "mvitv2_s_16x4_k400",
)


def make_videos(folder: Path) -> list[Path]:
    """Generate two clips as the default encoding makes them, 10.4 s each."""
    paths = [folder / f"{seed}.mp4" for seed in range(2)]
    for seed, path in enumerate(paths):
        make_video(path, seconds=10.4, fps=25, size="340x256", seed=seed)
    return paths


def sampling_for(model: str) -> Sampling:
    """Return the model's own windows, one after the other."""
    own = {"stack": None, "stride": None, "step": None, "tail": "drop"}
    return sampling_of(complete({"model": model, **own}, "random"))


def ours(paths: list[Path], network: models.Extractor, settings: Settings):
    """Return the features of all windows (N, D), in the order of the videos."""
    tasks = [(Row(str(path), path=str(path)), ("model",)) for path in paths]
    runs = {"model": (network, settings)}
    results = joined(extract(tasks, runs, Machine(threads=cores())))
    arrays = {row.id: result for _, row, result in results}
    for result in arrays.values():
        if isinstance(result, Failure):
            raise result
    return np.concatenate([arrays[str(path)]["features"] for path in paths])


def one_at_a_time(paths: list[Path], network: models.Extractor, settings: Settings):
    """Return the same, without batches, workers or channels last."""
    torch.set_num_threads(cores())
    features = []
    with torch.inference_mode():
        for path in paths:
            for window in read_windows(path, settings.sampling):
                clip = models.prepare(window.frames, network.card).contiguous()
                features.append(network(clip[None])["features"])
    return torch.cat(features).numpy()


def decode_alone(paths: list[Path], network: models.Extractor, settings: Settings):
    """Decode the frames of all windows, several videos at a time."""

    def decode(path: Path) -> None:
        for _ in read_pieces(Row("", path=str(path)), {"model": settings.sampling}):
            pass

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(decode, paths))


def network_alone(paths: list[Path], network: models.Extractor, settings: Settings):
    """Run as many clips of noise, in batches and channels last."""
    prepare_device("cpu", cores())
    runner = Network(network, ["features"], "cpu", batch_size=settings.batch_size)
    sampling, card = settings.sampling, network.card
    frames = torch.rand(card.frames, card.crop, card.crop, 3)
    for path in paths:
        video = Frames(path, sampling.fps)
        for start in window_starts(video.count, sampling):
            list(runner.add(start, frames))
    list(runner.finish())


CONTENDERS = {
    "ours": ours,
    "one at a time": one_at_a_time,
    "decoding alone": decode_alone,
    "network alone": network_alone,
}
# What makes libgomp's threads spin as they do where nobody says how they are to wait;
# the engine has them sleep.
AS_THEY_COME = {"one at a time": {"GOMP_SPINCOUNT": "300000"}}
# In a contender's process; ours changes the layout of its network's weights.
create = cache(models.create)


def run(
    name: str, paths: list[Path], model: str, settings: Settings
) -> tuple[Cost, np.ndarray]:
    """Return what a contender took, and its features."""
    network, features = create(model), []
    work = partial(CONTENDERS[name], paths, network, settings)
    cost = timed(lambda: features.append(work()))
    return cost, features[0]


def alike(features: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Return the smallest cosine and the largest relative L2 difference of rows."""
    lengths = np.linalg.norm(expected, axis=1)
    cosines = (features * expected).sum(axis=1)
    cosines = cosines / lengths / np.linalg.norm(features, axis=1)
    distances = np.linalg.norm(features - expected, axis=1)
    return float(cosines.min()), float((distances / lengths).max())


def compare(model: str, paths: list[Path], batch_size: int, repeats: int) -> None:
    """Run all with one model; print ratios, and how alike the features are."""
    settings = Settings(sampling_for(model), batch_size=batch_size)
    with ExitStack() as stack:
        calls = {}
        # Each has a process of its own: what one sets, the other does not inherit.
        for name in CONTENDERS:
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(1, context))
            with mock.patch.dict(os.environ, AS_THEY_COME.get(name, {})):
                pool.submit(os.getpid).result()  # starts the process
            calls[name] = lambda name=name, pool=pool: pool.submit(
                run, name, paths, model, settings
            ).result()
        # The first call of each is not timed: it is what the difference is taken of.
        features, expected, *_ = (call()[1] for call in calls.values())
        contenders = {name: lambda call=call: call()[0] for name, call in calls.items()}
        show(model, in_turn(contenders, repeats), len(features), "windows")
    cosine, difference = alike(features, expected)
    print(f"{model:22} cosine {cosine:.7f}, relative difference {difference:.1e}")

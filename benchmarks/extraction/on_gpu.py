"""Windows a second on a GPU, against one window at a time in float32.

Ours:     engine.extraction.extract in float32, bfloat16, and bfloat16 compiled.
Baseline: decode a window on the CPU, move it, prepare it, call the network on it alone
          in float32 and PyTorch's plain layout, wait, and so on.
Limits:   the network alone in bfloat16, on clips that are on the GPU already.

With --peak, the share of the GPU's arithmetic is printed that multiply-accumulates of
the network take, without norms and activations.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

import models
from benchmarks.extraction.on_cpu import alike, sampling_for
from benchmarks.timing import Cost, cores, in_turn, show, timed
from scripts.common.engine.decoding import Frames, read_pieces, read_windows
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.engine.networks import Network, prepare_device
from scripts.common.engine.parts import joined
from scripts.common.engine.windows import window_count
from scripts.common.tables import Failure, Row

DEVICE = "cuda"


def ours(model: str, settings: Settings, decoder: str) -> Callable[[list[Path]], dict]:
    """Return what extracts videos, by a network that is there already."""
    runs = {"model": (models.create(model), settings)}
    machine = Machine(DEVICE, cores())
    read = partial(read_pieces, device=decoder)

    def run(paths: list[Path]) -> dict:
        tasks = [
            (Row(f"{n}", path=str(path)), ("model",)) for n, path in enumerate(paths)
        ]
        made = {}
        for _, row, result in joined(extract(tasks, runs, machine, read=read)):
            if isinstance(result, Failure):
                raise result
            made[row.id] = result["features"]
        return made

    return run


def one_at_a_time(model: str, settings: Settings) -> Callable[[list[Path]], dict]:
    """Return what extracts videos as older extractors do."""
    network = models.create(model).to(DEVICE)

    def run(paths: list[Path]) -> dict:
        made = {}
        with torch.inference_mode():
            for n, path in enumerate(paths):
                features = []
                for window in read_windows(path, settings.sampling):
                    frames = window.frames.to(DEVICE)
                    clip = models.prepare(frames, network.card).contiguous()
                    features.append(network(clip[None])["features"].cpu())
                made[f"{n}"] = torch.cat(features).numpy()
        return made

    return run


def network_alone(model: str, settings: Settings, windows: int) -> Callable:
    """Return what runs as many clips of noise that are on the GPU already."""
    prepare_device(DEVICE, cores())
    network = Network(models.create(model), ["features"], DEVICE, settings.precision)
    card = network.extractor.card
    frames = torch.rand(card.frames, card.crop, card.crop, len(card.mean))
    frames = frames.to(DEVICE)

    def run(paths: list[Path]) -> None:
        for number in range(windows):
            list(network.add(number, frames))
        list(network.finish())

    return run


def compare(
    model: str, paths: list[Path], decoder: str, peak: float | None, repeats: int
) -> None:
    """Print windows/s of all, ratios, how alike the features are, and the share."""
    if not torch.cuda.is_available():
        raise SystemExit("error: torch sees no GPU")
    exact = Settings(sampling_for(model))
    half = replace(exact, precision="bfloat16")
    counts = [Frames(path, exact.sampling.fps).count for path in paths]
    windows = sum(window_count(count, exact.sampling) for count in counts)
    ways = {
        "ours": ours(model, half, decoder),
        "ours, float32": ours(model, exact, decoder),
        "ours, compiled": ours(model, replace(half, compiled=True), decoder),
        "network alone": network_alone(model, half, windows),
        "one at a time": one_at_a_time(model, exact),
    }
    # The first call of each is not timed: memory is measured, kernels are chosen.
    made = {name: run(paths) for name, run in ways.items()}

    def cost(run: Callable) -> Cost:
        def work() -> None:
            run(paths)
            torch.cuda.synchronize()

        return timed(work)

    calls = {name: lambda run=run: cost(run) for name, run in ways.items()}
    costs = in_turn(calls, repeats)
    print(f"{torch.cuda.get_device_name()}, decoding on the {decoder}")
    show(model, costs, windows, "windows")
    for name in ("ours", "ours, float32"):
        pairs = [alike(made[name][n], made["one at a time"][n]) for n in made[name]]
        cosine, difference = min(p[0] for p in pairs), max(p[1] for p in pairs)
        print(f"{model:22} {name}: cosine {cosine:.6f}, difference {difference:.1e}")
    if peak:
        flops = 2 * sum(models.count_macs(model).values()) * windows
        best = min(cost.wall for cost in costs["ours"])
        share = flops / best / (peak * 1e12)
        print(f"{model:22} {share:.0%} of {peak:g} TFLOP/s")

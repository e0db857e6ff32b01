"""Charts of evaluations, probes and predictions, in the style of the report's."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from scripts.common.report.pictures import ACCENT, STYLE, drawable

# More names than this are no longer legible beside a picture.
MOST_NAMES = 60
# As many colours can be told apart.
MOST_COLOURS = 20
# From nothing to all, light to dark.
SHARE = LinearSegmentedColormap.from_list(
    "share", ["#f6f8f8", "#b5d5d7", ACCENT, "#123f47"]
)


def confusion(counts: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Return a map of which class was taken for which, in parts of each true class.

    Args:
        counts: (classes, classes + 1); the last column is for all other classes, and is
            left out where nothing is in it.
        classes: names.
        title: of the chart.
    """
    names = [*classes, "another one"]
    if not counts[:, -1].any():
        counts, names = counts[:, :-1], names[:-1]
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    legible = len(names) <= MOST_NAMES
    side = 3.5 + 0.22 * len(names) if legible else 10
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(side + 1, side), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        shown = axes.imshow(counts / totals, cmap=SHARE, vmin=0, vmax=1)
        if legible:
            axes.set_xticks(range(len(names)), map(drawable, names), rotation=90)
            axes.set_yticks(range(len(classes)), map(drawable, classes))
        axes.set_xlabel("taken for")
        axes.set_ylabel("class")
        axes.set_title(drawable(title, most=80), fontsize=11)
        axes.tick_params(length=0, labelsize=8)
        bar = figure.colorbar(shown, ax=axes, shrink=0.5, ticks=(0, 0.5, 1))
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
    return figure


def projection(
    places: np.ndarray, labels: Sequence[str], method: str, title: str
) -> Figure:
    """Return videos as points; those of the largest classes have colours.

    Args:
        places: (videos, 2).
        labels: class of each video.
        method: that made the places.
        title: of the chart.
    """
    names = np.array(labels, dtype=object)
    sizes = Counter(labels)
    shown = sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_COLOURS])
    strong_and_pale = matplotlib.colormaps["tab20"].colors
    colours = [*strong_and_pale[::2], *strong_and_pale[1::2]]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        others = places[~np.isin(names, shown)]
        # Few points are drawn large, many so that they do not hide each other.
        style = {"s": float(np.clip(6000 / len(places), 14, 80)), "linewidths": 0}
        if len(others):
            axes.scatter(*others.T, color="#c9d0d4", label="other classes", **style)
        for name, colour in zip(shown, colours, strict=False):
            own = places[names == name]
            axes.scatter(*own.T, color=colour, label=drawable(name), **style)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(method)
        axes.set_title(drawable(title, most=80), fontsize=11)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def over_time(
    video: Path,
    times: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    title: str,
) -> Figure:
    """Return the probabilities of classes over a video, under a strip of its frames.

    Args:
        video: the file.
        times: (windows, 2), begin and end of each window in seconds.
        values: (windows, classes), 0..1.
        names: of the classes, from top to bottom.
        title: of the chart.
    """
    begin, end = times[0, 0], times[:, 1].max()
    with matplotlib.rc_context(STYLE):
        height = 2.1 + 0.35 * len(names)
        figure = Figure(figsize=(11, height), dpi=150, layout="constrained")
        strip, axes = figure.subplots(
            2, 1, sharex=True, height_ratios=(1, 0.35 * len(names))
        )
        for left, right, frame in stills(video, begin, end, aspect=8):
            strip.imshow(frame, extent=(left, right, 0, 1), aspect="auto")
        strip.set_yticks([])
        strip.set_title(drawable(title, most=90), fontsize=11)
        # Drawn one after the other: of windows that overlap, the later one is seen.
        for (start, stop), column in zip(times, values, strict=True):
            shown = axes.imshow(
                column[:, None],
                extent=(start, stop, len(names), 0),
                aspect="auto",
                cmap=SHARE,
                vmin=0,
                vmax=1,
            )
        axes.set_xlim(begin, end)
        axes.set_ylim(len(names), 0)
        axes.set_yticks(np.arange(len(names)) + 0.5, [drawable(n, 30) for n in names])
        axes.set_xlabel("seconds")
        for each in (strip, axes):
            each.tick_params(length=0)
            each.spines[:].set_visible(False)
        bar = figure.colorbar(shown, ax=[strip, axes], ticks=(0, 0.5, 1), shrink=0.6)
        bar.set_label("probability")
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
    return figure


def stills(
    video: Path, begin: float, end: float, aspect: float
) -> Iterator[tuple[float, float, np.ndarray]]:
    """Yield frames evenly over a part of a video: begin, end, and (H, W, 3) uint8.

    aspect: width of all side by side through their height; they are as many as fit.
    """
    from scripts.common.engine.decoding import Frames

    frames = Frames(video)
    _, _, height, width = frames.read([0]).shape
    count = max(1, round(aspect * height / width))
    borders = np.linspace(begin, end, count + 1)
    middles = ((borders[:-1] + borders[1:]) / 2 * frames.fps).astype(int)
    numbers = np.minimum(middles, frames.count - 1).tolist()
    found = frames.read(sorted(set(numbers)))
    by_number = dict(zip(sorted(set(numbers)), found, strict=True))
    for left, right, number in zip(borders, borders[1:], numbers, strict=False):
        yield left, right, by_number[number].permute(1, 2, 0).numpy()

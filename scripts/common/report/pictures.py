"""Pictures of the report as data URIs: histograms, similarities and strips of frames.

They are light on a white ground, so that they look the same on a dark page.
"""

import base64
import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from PIL import Image

from scripts.common import containers, media, processes
from scripts.common.flow.wheel import wheel
from scripts.common.tables import Failure, Row

INK, QUIET, ACCENT = "#26323a", "#7b8790", "#2f7f86"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.parse_math": False,  # class names are not formulas
    "text.color": INK,
    "axes.edgecolor": "#c9d0d4",
    "axes.labelcolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
}
# A still fits into this box; a strip is so many stills.
STILL = (216, 144)
STILLS = 5
# A histogram has room for so many bars at least.
FEWEST_BARS = 7


def histogram(
    values: Sequence[float], counts: Sequence[int] | None, label: str, whole: bool
) -> str:
    """Return bars of how many videos have which value.

    Args:
        values: one for each video, or the distinct ones.
        counts: videos of each distinct value; None is one each.
        label: what the values are.
        whole: the values are whole numbers.
    """
    values = np.asarray(values, dtype=float)
    counts = np.ones(len(values)) if counts is None else np.asarray(counts)
    edges, longer = bins(values, counts, whole)
    if longer:
        last = int(edges[-1]) if whole else round(edges[-1], 1)
        label += f" (last bar: with {longer:,} beyond {last:,})"
    centres = np.minimum(values, (edges[-2] + edges[-1]) / 2)
    heights, _ = np.histogram(centres, edges, weights=counts)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        axes = figure.add_subplot()
        gap = 0.12 * np.diff(edges)
        axes.bar(edges[:-1] + gap / 2, heights, np.diff(edges) - gap, align="edge")
        for bar in axes.patches:
            bar.set_facecolor(ACCENT)
        if len(heights) < FEWEST_BARS:  # one bar is not to fill the picture
            spare = (FEWEST_BARS - len(heights)) / 2 * (edges[1] - edges[0])
            axes.set_xlim(max(0, edges[0] - spare), edges[-1] + spare)
        axes.set_xlabel(label)
        axes.set_ylabel("videos")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ticks = {"integer": True, "min_n_ticks": 1} if whole else {}
        axes.xaxis.set_major_locator(MaxNLocator(7, **ticks))
        axes.tick_params(length=0)
        axes.grid(axis="y", color="#e8ecee")
        axes.set_axisbelow(True)
        return _png(figure)


def bins(values: np.ndarray, counts: np.ndarray, whole: bool) -> tuple[np.ndarray, int]:
    """Return the edges of the bars, and how many videos lie beyond the last edge.

    A few very long videos would press all others into one bar: beyond twice the 99th
    percentile nothing gets a bar of its own.
    """
    order = np.argsort(values)
    reached = np.cumsum(counts[order]) / counts.sum()
    most = values[order][np.searchsorted(reached, 0.99)]
    low, high = values.min(), values.max()
    top = most if high > 2 * most else high
    if whole:
        width = max(1, -(-int(top - low + 1) // 30))
        edges = np.arange(low, top + width + 1, width) - 0.5
    elif top > low:
        edges = np.linspace(low, top, 31)
    else:
        edges = np.array([low - 0.5, low + 0.5])
    return edges, int(counts[values > edges[-1]].sum())


def similarity(vectors: np.ndarray, labels: Sequence[str]) -> str:
    """Return a map of how alike videos are; equal labels must stand together.

    Args:
        vectors: (videos, numbers), as `directions` gives them.
        labels: class of each video, or empty strings.
    """
    starts = [n for n, name in enumerate(labels) if n == 0 or name != labels[n - 1]]
    stops = [*starts[1:], len(labels)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.7), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(vectors @ vectors.T, cmap="BrBG", vmin=-1, vmax=1)
        middles = [
            (start + stop - 1) / 2 for start, stop in zip(starts, stops, strict=True)
        ]
        axes.set_yticks(middles, [drawable(labels[start]) for start in starts])
        axes.set_xticks([])
        for start in starts[1:]:
            axes.axhline(start - 0.5, color="white", linewidth=1.2)
            axes.axvline(start - 0.5, color="white", linewidth=1.2)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.7, ticks=(-1, 0, 1))
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
        return _png(figure)


def directions(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1 from the mean of all; their products are cosines.

    What all videos share would otherwise make all of them alike.
    """
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(lengths > 0, lengths, 1)


def drawable(text: str, most: int = 18) -> str:
    """Return a text that the font has all letters of, on one line and not too long."""
    known = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    line = " ".join(text.split())
    short = line if len(line) <= most else line[: most - 1] + "…"
    return "".join(letter if ord(letter) in known else "?" for letter in short)


def frame_numbers(frames: int, most: int = STILLS) -> list[int]:
    """Return frames evenly over a video, counted from 0.

    >>> frame_numbers(100)
    [10, 30, 50, 70, 90]
    """
    return sorted({(2 * n + 1) * frames // (2 * most) for n in range(most)})


def strip_of_frames(row: Row) -> str | None:
    """Return a strip of dumped frames, or None where they cannot be read."""
    try:
        with containers.of_row(row) as shard:
            found = shard.pictures(row.id, frame_numbers(row.frames))
    except containers.UNREADABLE:
        return None
    return strip(map(io.BytesIO, found))


def strip_of_flow(row: Row) -> str | None:
    """Return a strip of flow as colours, or None where it cannot be read.

    The fastest hundredth of the pixels has the full strength, and nothing below a pixel
    of motion has.
    """
    try:
        with containers.of_row(row) as shard:
            flows = containers.flows(shard, row.id, frame_numbers(row.frames))
    except containers.UNREADABLE:
        return None
    limit = max(1, np.percentile(np.hypot(flows[:, 0], flows[:, 1]), 99))
    colours = (Image.fromarray(wheel(flow, limit)) for flow in flows)
    return _side_by_side([_small(picture) for picture in colours])


def strip_of_clip(row: Row) -> str | None:
    """Return a strip of frames from a clip, or None where it cannot be read."""
    with tempfile.TemporaryDirectory() as name:
        command, stills = stills_command(row, Path(name))
        try:
            processes.run(command)
        except (Failure, OSError):
            return None
        return strip(still for still in stills if still.exists())


def stills_command(row: Row, folder: Path) -> tuple[list[str], list[Path]]:
    """Return the ffmpeg command that writes stills of a clip, and their paths.

    Each still is an input of its own that ffmpeg seeks in, so that a video of two hours
    is not decoded for five frames.
    """
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
    numbers = frame_numbers(row.frames)
    source, how = media.opened(Path(row.path))
    for number in numbers:
        for option, value in how.items():
            command += [f"-{option}", value]
        # Half a frame early: the frame itself must not be passed by.
        command += ["-ss", f"{max(0, number - 0.5) / row.fps:.4f}"]
        command += ["-threads", "1", "-i", source]
    stills = [folder / f"{number}.png" for number in numbers]
    width, height = STILL
    scale = f"scale=w={width}:h={height}:force_original_aspect_ratio=decrease"
    for place, still in enumerate(stills):
        command += ["-map", f"{place}:V:0", "-frames:v", "1", "-vf", scale]
        command += ["-f", "image2", "-update", "1", media.as_input(still)]
    return command, stills


def strip(stills: Iterable[Path | io.BytesIO]) -> str | None:
    """Return pictures side by side as a JPEG, or None where one cannot be read."""
    try:
        pictures = [_still(path) for path in stills]
    except (OSError, Image.DecompressionBombError):
        return None
    return _side_by_side(pictures) if pictures else None


def _side_by_side(pictures: list[Image.Image]) -> str:
    gap = 3
    width = sum(picture.width + gap for picture in pictures) - gap
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (width, height), QUIET)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=80, optimize=True)
    return _data_uri(buffer.getvalue(), "image/jpeg")


def _still(source: Path | io.BytesIO) -> Image.Image:
    with Image.open(source) as picture:
        picture.draft("RGB", STILL)  # a large JPEG is decoded small
        return _small(picture.convert("RGB"))


def _small(picture: Image.Image) -> Image.Image:
    picture.thumbnail(STILL)
    return picture


def embedded(path: Path) -> str:
    """Return a PNG file as a data URI."""
    return _data_uri(path.read_bytes(), "image/png")


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    # Constrained layout alone cuts off labels beside a square map.
    form = {"format": "png", "bbox_inches": "tight", "pad_inches": 0.12}
    figure.savefig(buffer, dpi=200, metadata={"Software": None}, **form)
    return _data_uri(buffer.getvalue(), "image/png")


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"

"""The report as a page: what was counted, put into words, charts and pictures."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from scripts.common import containers, tables
from scripts.common.judging.judged import Judged
from scripts.common.report import pictures, selection, summary
from scripts.common.report.speeds import Pace, Speed
from scripts.common.report.summary import (
    Expected,
    Failures,
    Features,
    Lists,
    Stage,
    Videos,
)
from scripts.common.tables import Row

TEMPLATES = Path(__file__).parents[2] / "templates"
MOST_CLASSES = 40  # in the chart of classes
MOST_SPLITS = 5
MOST_FAILED = 200
SHEET = 12  # videos on the contact sheet
FLOW_SHEET = 4  # videos of each flow
NO_LIST = "in no list"


@dataclass(frozen=True)
class Summary:
    """All that the page is made of.

    `samples` are classes by id of sampled videos, `about` is that of the config.
    """

    dataset: str
    videos: Videos
    samples: dict[str, str]
    about: dict[str, str]
    expected: list[Expected]
    originals: list[Stage]
    clips: list[Stage]
    frames: list[Stage]
    flow: list[Stage]
    lists: list[Lists]
    features: list[Features]
    judged: list[Judged]
    failures: Failures
    speeds: list[Speed]
    paces: list[Pace]


@dataclass(frozen=True)
class Bar:
    """One class in the chart: its videos in all, and by split."""

    label: str
    total: int
    parts: tuple[int, ...]


def class_bars(
    totals: Counter, by_split: Counter, most: int = MOST_CLASSES
) -> tuple[list[str], list[Bar]]:
    """Return names of splits, and a bar for each of the largest classes.

    Args:
        totals: videos by class.
        by_split: videos by (class, split); those that no split names are counted too.
        most: number of bars.
    """
    sizes = Counter()
    for (_, split), count in by_split.items():
        sizes[split] += count if split else 0
    splits = [name for name, count in sizes.most_common(MOST_SPLITS) if count]
    splits = summary.in_order(splits)
    largest = sorted(totals, key=lambda label: (-totals[label], label))[:most]
    bars = []
    for label in largest:
        parts = [by_split[label, split] for split in splits]
        bars.append(Bar(label, totals[label], (*parts, totals[label] - sum(parts))))
    return [*splits, NO_LIST], bars


def neighbours(vectors: np.ndarray, labels: list[str]) -> tuple[int, int, float] | None:
    """Return how many videos are nearest to one of their class, of how many, by chance.

    Videos that are alone in their class are not counted; None where there is nothing to
    tell apart.
    """
    sizes = Counter(labels)
    counted = [n for n, label in enumerate(labels) if label and sizes[label] > 1]
    if len(sizes) < 2 or not counted:
        return None
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    nearest = alike.argmax(axis=1)
    same = sum(labels[nearest[n]] == labels[n] for n in counted)
    chance = sum(sizes[labels[n]] - 1 for n in counted) / (len(labels) - 1)
    return same, len(counted), chance


@dataclass(frozen=True)
class Comparison:
    """How alike the compared videos' features are; no picture for fewer than three."""

    picture: str | None
    videos: int
    broken: int
    neighbours: tuple[int, int, float] | None


def compare(features: Features, samples: dict[str, str]) -> Comparison:
    """Compare the sampled videos' features; `broken` are those with NaN or infinity."""
    sound = {k: v for k, v in features.compared.items() if np.isfinite(v).all()}
    broken = len(features.compared) - len(sound)
    if len(sound) < 3:
        return Comparison(None, len(sound), broken, None)
    labels = [samples[video_id] for video_id in sound]
    vectors = pictures.directions(np.stack(list(sound.values())))
    picture = pictures.similarity(vectors, labels)
    return Comparison(picture, len(sound), broken, neighbours(vectors, labels))


def windows_picture(features: Features) -> str | None:
    """Return a histogram of windows per video."""
    if not features.windows:
        return None
    values, counts = zip(*sorted(features.windows.items()), strict=True)
    return pictures.histogram(values, counts, "windows of a video", whole=True)


def contact_sheet(made: Summary) -> list[tuple[Row, str, str | None]]:
    """Return a few videos, of all classes, each with its class and a strip of frames.

    Dumped frames are shown where there are some, else frames of the clips.
    """
    for stages, strip in (
        (made.frames, pictures.strip_of_frames),
        (made.clips, pictures.strip_of_clip),
    ):
        for stage in stages:
            by_class = selection.grouped(stage.shown, made.samples)
            if chosen := selection.spread(by_class, SHEET):
                rows = [stage.shown[video_id] for video_id in chosen]
                return [(row, made.samples[row.id], strip(row)) for row in rows]
    return []


def flow_sheet(
    stage: Stage, samples: dict[str, str]
) -> list[tuple[Row, str, str | None]]:
    """Return a few videos, each with its class and a strip of its flow as colours."""
    by_class = selection.grouped(stage.shown, samples)
    rows = [stage.shown[name] for name in selection.spread(by_class, FLOW_SHEET)]
    return [(row, samples[row.id], pictures.strip_of_flow(row)) for row in rows]


def random_flow(stage: Stage) -> bool:
    """Tell whether a flow is that of a network with random weights."""
    for row in stage.shown.values():
        try:
            with containers.of_row(row) as shard:
                weights = shard.about(row.id)["flow"]["weights"]
        except containers.UNREADABLE:
            continue
        return weights is not None and weights.startswith("random")
    return False


def render_page(made: Summary) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda count: f"{count:,}",
        "compact": compact,
        "plural": plural,
        "size": human_size,
        "time": human_time,
        "visible": visible,
        "picture": pictures.embedded,
    }
    totals = made.videos.classes()
    best = max(made.clips, key=lambda stage: stage.videos, default=None)
    if made.lists:
        by_split, source = made.lists[0].labels, made.lists[0].path.name
    else:
        by_split, source = made.videos.labels, None
    splits, bars = class_bars(totals, by_split)
    stages = [
        *made.originals,
        *made.clips,
        *made.frames,
        *made.flow,
        *(model.stage for model in made.features),
    ]
    failed = sorted(made.failures.items())
    return environment.get_template("report.html").render(
        made=made,
        best=best,
        bytes=sum(stage.bytes for stage in stages),
        classes=totals,
        splits=splits,
        bars=bars,
        source=source,
        reasons=Counter(failed.status for failed in made.failures.values()),
        explanations=tables.REASONS,
        failed=failed[:MOST_FAILED],
        sheet=contact_sheet(made),
        flows=[
            (stage, flow_sheet(stage, made.samples), random_flow(stage))
            for stage in made.flow
        ],
        lengths=best
        and best.videos
        and pictures.histogram(best.lengths, None, "seconds", whole=False),
        models=[
            (model, windows_picture(model), compare(model, made.samples))
            for model in made.features
        ],
    )


def plural(count: int, word: str) -> str:
    """Return a number with its noun.

    >>> plural(1, "class"), plural(1200, "video")
    ('1 class', '1,200 videos')
    """
    ending = "" if count == 1 else "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{ending}"


def compact(count: int) -> str:
    """Return a number that fits on a tile.

    >>> compact(987_654), compact(12_345_678)
    ('987,654', '12.3 M')
    """
    return f"{count:,}" if count < 1_000_000 else f"{count / 1_000_000:,.1f} M"


def human_size(size: float) -> str:
    """Return a number of bytes with a unit.

    >>> human_size(999), human_size(1_234_567)
    ('999 B', '1.2 MB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def human_time(seconds: float) -> str:
    """Return a length of time in the unit that suits it.

    >>> human_time(4.26), human_time(95), human_time(36_000)
    ('4.3 s', '1.6 min', '10.0 h')
    """
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            value = seconds / length
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return f"{seconds:.1f} s"


def visible(text: str) -> str:
    """Return a text in which line ends, lone surrogates and their like can be seen.

    >>> visible("a" + chr(10) + "b")
    'a\\\\nb'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )

"""A list of videos with scores and labels, and what the scores are worth."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from scripts.common import files, tables
from scripts.common.index import LABEL_SEPARATOR
from scripts.common.judging import charts, metrics
from scripts.common.tables import Row

NOTHING = MappingProxyType({})

# How many of the first classes are looked at.
FIRST = 5


@dataclass(frozen=True)
class Scored:
    """The scores of a list of videos.

    Attributes:
        ids: of the videos.
        scores: float32 (videos, model's classes).
        labels: names of each video's classes.
        names: the model's classes.
        classes: the dataset's classes.
        numbers: the model's number of each of the dataset's classes.
    """

    ids: list[str]
    scores: np.ndarray
    labels: list[tuple[str, ...]]
    names: tuple[str, ...]
    classes: list[str]
    numbers: np.ndarray

    @property
    def labelled(self) -> bool:
        """Tell whether there is anything to compare with."""
        return any(self.labels)

    @property
    def multi_label(self) -> bool:
        """Tell whether a video has several labels."""
        return any(len(labels) > 1 for labels in self.labels)

    def truth(self) -> np.ndarray:
        """Return which of the dataset's classes each video has, bool (videos, …)."""
        place = {name: number for number, name in enumerate(self.classes)}
        found = np.zeros((len(self.ids), len(self.classes)), dtype=bool)
        for row, labels in zip(found, self.labels, strict=True):
            row[[place[label] for label in labels]] = True
        return found

    def places(self) -> np.ndarray:
        """Return the best place of a video's classes, 0 is first; -1 without label."""
        best = np.full(len(self.ids), -1)
        truth = self.truth()
        for number, column in zip(self.numbers, truth.T, strict=True):
            rows = np.flatnonzero(column)
            found = metrics.ranks(self.scores[rows], np.full(len(rows), number))
            known = best[rows]
            best[rows] = np.where(known < 0, found, np.minimum(known, found))
        return best


def figures(scored: Scored) -> Iterator[tuple[str, float]]:
    """Yield the name and the value in 0..1 of each metric of labelled videos."""
    truth, places = scored.truth(), scored.places()
    if scored.multi_label:
        own = metrics.average_precisions(scored.scores[:, scored.numbers], truth)
        yield "mean average precision", float(np.nanmean(own))
        return
    with_label = places >= 0
    found = metrics.accuracy(places[with_label], truth[with_label].argmax(axis=1))
    yield "top-1 accuracy", found.top1
    yield "top-5 accuracy", found.top5
    yield "mean class accuracy", found.mean_class


def by_class(scored: Scored) -> Iterator[tuple]:
    """Yield the rows of classes.tsv, without its header: those of classes with videos.

    class, videos, and either average precision, or top-1, top-5, the class that it is
    taken for most often where it is not found, and how often.
    """
    truth, places = scored.truth(), scored.places()
    if scored.multi_label:
        own = metrics.average_precisions(scored.scores[:, scored.numbers], truth)
        for name, videos, value in zip(scored.classes, truth.sum(0), own, strict=True):
            if videos:
                yield name, videos, percent(value)
        return
    first = scored.scores.argmax(axis=1)
    for name, own, column in zip(scored.classes, scored.numbers, truth.T, strict=True):
        rows = np.flatnonzero(column)
        if not len(rows):
            continue
        wrong = np.bincount(first[rows], minlength=len(scored.names))
        wrong[own] = 0
        taken_for = scored.names[wrong.argmax()] if wrong.any() else ""
        hits = (percent((places[rows] < k).mean()) for k in (1, FIRST))
        yield name, len(rows), *hits, taken_for, wrong.max()


def confused(scored: Scored) -> np.ndarray:
    """Return which class was taken for which, as `metrics.confusion` counts it."""
    one = np.flatnonzero([len(labels) == 1 for labels in scored.labels])
    own = np.full(len(scored.names), len(scored.classes))
    own[scored.numbers] = np.arange(len(scored.classes))
    predicted = own[scored.scores[one].argmax(axis=1)]
    truth = scored.truth()[one].argmax(axis=1)
    return metrics.confusion(truth, predicted, len(scored.classes))


def first_classes(scores: np.ndarray, most: int = FIRST) -> np.ndarray:
    """Return the numbers of the highest scores, best first, (videos, most)."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :most]


def percent(part: float) -> str:
    """Return a part of 1 in percent, with two digits.

    >>> percent(0.72083)
    '72.08'
    """
    return f"{100 * part:.2f}"


def render_videos(scored: Scored) -> str:
    """Return the text of videos.csv."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    pairs = [(f"class {n}", f"score {n}") for n in range(1, FIRST + 1)]
    table.writerow(["id", "label", "place", *(name for pair in pairs for name in pair)])
    places = scored.places() if scored.labelled else [-1] * len(scored.ids)
    for video, labels, place, scores, best in zip(
        scored.ids,
        scored.labels,
        places,
        scored.scores,
        first_classes(scored.scores),
        strict=True,
    ):
        shown = ((scored.names[n], f"{scores[n]:.6g}") for n in best)
        label = LABEL_SEPARATOR.join(labels)
        own = place + 1 if place >= 0 else ""
        table.writerow([video, label, own, *(cell for pair in shown for cell in pair)])
    return buffer.getvalue()


def render_submission(scored: Scored) -> str:
    """Return the text of submission.csv; a video's suffix is no part of its name."""
    best = first_classes(scored.scores[:, scored.numbers])
    lines = zip(scored.ids, best, strict=True)
    return "".join(
        ";".join([video.removesuffix(Path(video).suffix), *map(str, numbers)]) + "\n"
        for video, numbers in lines
    )


def render_metrics(scored: Scored, missing: int, more: Mapping = NOTHING) -> str:
    """Return the text of metrics.tsv; `more` are further figures, by name."""
    videos = sum(map(bool, scored.labels))
    rows = [(name, percent(value)) for name, value in figures(scored)]
    rows += [("videos", videos), ("videos without scores", missing), *more.items()]
    return tables.render_records(("metric", "value"), rows)


def write_evaluation(
    scored: Scored, lost: list[Row], folder: Path, title: str, more: Mapping = NOTHING
) -> None:
    """Write what the scores tell: all that `evaluate_model` makes but the scores.

    lost: rows of videos that should have scores, and have none.
    folder: an empty one.
    title: of the picture.
    more: further figures for metrics.tsv, by name.
    """
    files.write_text(
        folder / "model_classes.txt", "".join(f"{name}\n" for name in scored.names)
    )
    files.write_text(folder / "videos.csv", render_videos(scored))
    records = ((row.id, row.status, row.message) for row in lost)
    text = tables.render_records(("id", "status", "message"), records)
    files.write_text(folder / "missing.tsv", text)
    if not scored.labelled:
        files.write_text(folder / "submission.csv", render_submission(scored))
        return
    files.write_text(folder / "metrics.tsv", render_metrics(scored, len(lost), more))
    header = ["class", "videos"]
    if scored.multi_label:
        header += ["average precision"]
    else:
        header += ["top-1", "top-5", "most often taken for", "times"]
    text = tables.render_records(header, by_class(scored))
    files.write_text(folder / "classes.tsv", text)
    if not scored.multi_label:
        charts.confusion(confused(scored), scored.classes, title).savefig(
            folder / "confusion.png"
        )

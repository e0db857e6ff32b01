"""A part of a dataset: some classes, some lists, so many videos of each."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from scripts.common.annotations import Annotated, match_classes


def select(
    chosen: Iterable[Annotated], subset: Mapping, classes: list[str]
) -> Iterator[Annotated]:
    """Yield the videos of a subset.

    Args:
        chosen: all videos.
        subset: of the config: `splits` (in any set), `per_class` and `seed`.
        classes: the classes that stay; other labels are taken off, and a video that
            had labels and keeps none is left out.
    """
    keep, splits = set(classes), subset["splits"]
    kept = [
        part
        for video in chosen
        if splits is None or any(s in splits for s in video.splits.values())
        if (part := _in_classes(video, keep)) is not None
    ]
    if subset["per_class"] is None:
        yield from kept
        return
    kept.sort(key=lambda video: video.id)
    if subset["seed"] is not None:
        random.Random(subset["seed"]).shuffle(kept)
    # Each list gets its share, or a test list would be what training left over.
    taken: Counter[tuple] = Counter()
    for video in kept:
        group = (video.labels[:1], *sorted(video.splits.items()))
        taken[group] += 1
        if taken[group] <= subset["per_class"]:
            yield video


def _in_classes(video: Annotated, classes: set[str]) -> Annotated | None:
    """Return the video without labels of other classes; None where none is left."""
    if classes.issuperset(video.labels) and not video.events:
        return video
    labels = tuple(label for label in video.labels if label in classes)
    if video.labels and not labels:
        return None
    events = tuple(e for e in video.events if not e.label or e.label in classes)
    return replace(video, labels=labels, events=events)


def subset_classes(wanted: list[str] | None, known: list[str]) -> list[str]:
    """Return the classes that a subset keeps, in the dataset's order.

    Args:
        wanted: names; None keeps all.
        known: the dataset's classes.

    Raises:
        AnnotationError: a name is not a class of the dataset.
    """
    if wanted is None:
        return known
    matched = set(match_classes(wanted, known))
    return [name for name in known if name in matched]

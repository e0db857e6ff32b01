"""Which videos the report shows: few, of all classes, always the same ones."""

from collections.abc import Iterable
from itertools import zip_longest

COMPARED_CLASSES, COMPARED_VIDEOS = 8, 48


def compared_videos(shown: Iterable[str], samples: dict[str, str]) -> list[str]:
    """Return the videos whose features are compared, those of a class together."""
    by_class = grouped(shown, samples)
    few = {name: by_class[name] for name in evenly(sorted(by_class), COMPARED_CLASSES)}
    return spread(few, COMPARED_VIDEOS)


def grouped(shown: Iterable[str], samples: dict[str, str]) -> dict[str, list[str]]:
    """Return the shown ids by class, in the order of the samples."""
    shown, by_class = set(shown), {}
    for video_id, label in samples.items():
        if video_id in shown:
            by_class.setdefault(label, []).append(video_id)
    return by_class


def evenly(names: list, most: int) -> list:
    """Return at most so many of a list, evenly over it.

    >>> evenly([1, 2, 3, 4, 5, 6], 3)
    [1, 3, 5]
    """
    few = min(most, len(names))
    return [names[place * len(names) // few] for place in range(few)]


def spread(by_class: dict[str, list[str]], most: int) -> list[str]:
    """Return at most so many videos, as equal in number of each class as can be.

    >>> spread({"a": ["a1", "a2", "a3"], "b": ["b1"]}, 3)
    ['a1', 'a2', 'b1']
    """
    names = evenly(sorted(by_class), most)
    turns = zip_longest(*(by_class[name] for name in names))
    chosen = [video_id for turn in turns for video_id in turn if video_id is not None]
    chosen = set(chosen[:most])
    return [v for name in names for v in sorted(by_class[name]) if v in chosen]

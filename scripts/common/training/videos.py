"""Which videos a network learns from, and what it is to say of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.common import index
from scripts.common.ids import fingerprint
from scripts.common.lists import Dataset, members_of


class TrainingError(ValueError):
    """Nothing can be learnt from this; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Video:
    """A clip's file with what is true of it.

    Attributes:
        id: the video.
        path: of the clip.
        classes: numbers of its classes.
        events: begin and end in seconds of the clip, and the class.
    """

    id: str
    path: str
    classes: tuple[int, ...]
    events: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Material:
    """What a network learns from.

    Attributes:
        classes: names, in the order of their numbers.
        train, val: the lists; `val` may be empty.
        key: fingerprint of all videos and of what is true of them.
    """

    classes: list[str]
    train: list[Video]
    val: list[Video]
    key: str


def select(dataset: Dataset, splits: Mapping, loss: str) -> Material:
    """Return the videos of the lists `train` and `val` that have a clip and a class.

    Args:
        dataset: the index, with the manifests of clips.
        splits: `set`, the name of a set of splits, and `splits`, what it is.
        loss: `cross_entropy` takes videos of one class, `per_frame` those with events.

    Raises:
        TrainingError: there are no such videos, or some with several classes.
        ListError: the lists do not fit the dataset.
    """
    members = members_of(splits["splits"], splits["set"], dataset.entries)
    if "train" not in members:
        raise TrainingError(
            f"the set of splits '{splits['set']}' has no list `train` (it has"
            f" {', '.join(members)}); name another one under `splits`"
        )
    number = {name: place for place, name in enumerate(dataset.classes)}
    found: dict[str, list[Video]] = {"train": [], "val": []}
    keys = []
    for split, chosen in found.items():
        lost = Counter()
        for video_id in members.get(split, []):
            row, entry = dataset.clips.row(video_id), dataset.entries[video_id]
            video = _video(row.id, row.path, entry, number)
            if not row.ok:
                lost[row.status] += 1
            elif not (video.events if loss == "per_frame" else video.classes):
                lost["without a class"] += 1
            elif loss == "cross_entropy" and len(video.classes) > 1:
                raise TrainingError(
                    f"'{video_id}' has {len(video.classes)} classes; where several can"
                    " be true at a time, say `loss: bce`"
                )
            else:
                chosen.append(video)
                keys.append((split, row.key, video.classes, video.events))
        for reason, count in sorted(lost.items()):
            print(f"{split}: {count} videos are left out: {reason}")
    if not found["train"] or len(dataset.classes) < 2:
        raise TrainingError(
            f"there is nothing to tell apart: {len(dataset.classes)} classes and"
            f" {len(found['train'])} videos with one in the list `train`"
        )
    key = fingerprint(classes=dataset.classes, videos=keys)
    return Material(dataset.classes, found["train"], found["val"], key)


def _video(
    video_id: str, path: str, entry: index.Entry, number: Mapping[str, int]
) -> Video:
    events = tuple(
        (event.start or 0.0, float("inf") if event.end is None else event.end, n)
        for event in entry.events
        if (n := number.get(event.label)) is not None
    )
    classes = {number[label] for label in entry.labels}
    return Video(video_id, path, tuple(sorted(classes)), events)

"""ActivityNet 1.3, and the sentences of ActivityNet Captions."""

from dataclasses import replace
from pathlib import Path

from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    DEFAULT_SET,
    Annotated,
    AnnotationError,
    Annotations,
    Event,
    Files,
)

ACTIVITIES = "activity_net.v1-3.min.json"
# The set of splits that each file of sentences says; see `read_activitynet`.
CAPTIONS = {
    "train": ("captions", "captions_2"),
    "val_1": ("captions",),
    "val_2": ("captions_2",),
}


def read_activitynet(files: Files) -> Annotations:
    """Return ActivityNet: its activities, its captions, or both, by the files.

    A video's id and name is `v_` and its YouTube id. Its events are the activities,
    then the sentences of train, val_1 and val_2; times are as the files have them. Its
    labels are the distinct activities; videos of the test list have none.

    The sets of splits are `default` (train, val, test) for the activities, and for the
    captions `captions` (train, val_1) and `captions_2` (train, val_2): val_1 and val_2
    describe the same videos, so one set cannot hold both.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    captions = [f"{split}.json" for split in CAPTIONS if f"{split}.json" in files]
    videos: dict[str, Annotated] = {}
    if ACTIVITIES in files or not captions:
        videos = read_activities(files.one(ACTIVITIES))
    for name in captions:
        add_captions(files.one(name), videos)
    return Annotations(list(videos.values()))


def read_activities(path: Path) -> dict[str, Annotated]:
    """Return the videos of activity_net.v1-3.min.json by their ids.

    Raises:
        AnnotationError: it has another syntax.
    """
    videos = {}
    for key, _, split, items in reading.database(path):
        events = [
            Event(*times, reading.tidy(str(reading.entry(item, "label", place))))
            for item, place, times in items
        ]
        videos[f"v_{key}"] = replace(
            _video(f"v_{key}"),
            labels=tuple(dict.fromkeys(event.label for event in events)),
            splits={DEFAULT_SET: split},
            events=tuple(events),
        )
    return videos


def add_captions(path: Path, videos: dict[str, Annotated]) -> None:
    """Add the sentences of one file of ActivityNet Captions to their videos.

    It maps `v_<YouTube id>` to `{"duration", "timestamps", "sentences"}`. Videos that
    are not there yet are added.

    Raises:
        AnnotationError: it has another syntax.
    """
    for key, value in reading.mapping(reading.read_json(path), str(path)).items():
        place = f"{path}, '{key}'"
        times = reading.sequence(reading.entry(value, "timestamps", place), place)
        sentences = reading.sequence(reading.entry(value, "sentences", place), place)
        if len(times) != len(sentences):
            raise AnnotationError(
                f"{place}: {len(times)} timestamps and {len(sentences)} sentences; get"
                " the official file"
            )
        events = tuple(
            Event(*reading.interval(time, place), text=reading.tidy(str(sentence)))
            for time, sentence in zip(times, sentences, strict=True)
        )
        video = videos.get(key) or _video(key)
        sets = dict.fromkeys(CAPTIONS[path.stem], path.stem)
        videos[key] = replace(
            video, splits={**video.splits, **sets}, events=video.events + events
        )


def _video(video_id: str) -> Annotated:
    url = f"https://www.youtube.com/watch?v={video_id.removeprefix('v_')}"
    return Annotated(video_id, video_id, url)

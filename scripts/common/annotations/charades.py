"""Charades, and the sentences of Charades-STA."""

import re
from collections.abc import Iterator
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
from scripts.common.annotations.classes import unique_classes

PARTS = {"Charades_v1_train.csv": "train", "Charades_v1_test.csv": "test"}
SENTENCES = {"charades_sta_train.txt": "train", "charades_sta_test.txt": "test"}


def read_charades(files: Files) -> Annotations:
    """Return Charades; with the files of Charades-STA, its sentences and set `sta`.

    A video's id and name is its code, `AO8RW`. Its events are its actions, then its
    sentences; its labels are the distinct actions. Times are as the files have them:
    many actions end after the video does.

    A class is called by its text. Its code is kept as its number: `c012` is class 12,
    line 13 of classes.txt.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    classes = read_codes(files.one("Charades_v1_classes.txt"))
    there = [name for name in PARTS if name in files]
    videos: dict[str, Annotated] = {}
    for file in there or list(PARTS)[:1]:
        path = files.one(file)
        for line, (video_id, actions) in reading.columns(path, ("id", "actions")):
            place = f"{path}, line {line}"
            if video_id in videos:
                raise AnnotationError(f"{place}: '{video_id}' stands twice; remove one")
            events = tuple(action_events(actions, classes, place))
            videos[video_id] = Annotated(
                video_id,
                video_id,
                labels=tuple(dict.fromkeys(event.label for event in events)),
                splits={DEFAULT_SET: PARTS[file]},
                events=events,
            )
    for file in SENTENCES:
        # The official files were also passed on with a capital letter.
        for name in {file, file.capitalize()}.intersection(files.names):
            add_sentences(files.one(name), SENTENCES[file], videos)
    return Annotations(list(videos.values()), classes)


def read_codes(path: Path) -> tuple[str, ...]:
    """Return the classes from lines `c000 Holding some clothes`.

    Raises:
        AnnotationError: the codes are not c000, c001, c002…
    """
    names = []
    for line, text in reading.lines(path):
        code, _, name = text.partition(" ")
        if code != f"c{len(names):03d}" or not name.strip():
            raise AnnotationError(
                f"{path}, line {line}: '{text}' is not 'c{len(names):03d} name'; get"
                " the official file"
            )
        names.append(reading.tidy(name))
    return unique_classes(names, str(path))


def action_events(
    actions: str, classes: tuple[str, ...], place: str
) -> Iterator[Event]:
    """Yield the events of `c092 11.90 21.20;c147 0.00 12.60`.

    Raises:
        AnnotationError: the text is something else, or a code is no class.
    """
    for action in filter(None, map(str.strip, actions.split(";"))):
        match = re.fullmatch(r"c(\d+) +(\S+) +(\S+)", action)
        if not match:
            raise AnnotationError(
                f"{place}: the action '{action}' is not 'c000 start end'"
            )
        number = int(match[1])
        if number >= len(classes):
            raise AnnotationError(
                f"{place}: no class has the code 'c{match[1]}'; Charades_v1_classes.txt"
                f" ends with c{len(classes) - 1:03d}"
            )
        start, end = (reading.seconds(match[n], f"{place}: action") for n in (2, 3))
        yield Event(start, end, classes[number])


def add_sentences(path: Path, split: str, videos: dict[str, Annotated]) -> None:
    """Add the sentences of Charades-STA to their videos.

    A line is `AO8RW 0.0 6.9##a person is putting a book on a shelf.`.

    Raises:
        AnnotationError: a line is something else, or names no video, or one that has
            sentences of the other list.
    """
    for line, text in reading.lines(path):
        place = f"{path}, line {line}"
        head, _, sentence = text.partition("##")
        fields = head.split()
        if len(fields) != 3 or not sentence.strip():
            raise AnnotationError(f"{place}: '{text}' is not 'id start end##sentence'")
        video = videos.get(fields[0])
        if video is None:
            raise AnnotationError(
                f"{place}: Charades has no video '{fields[0]}'; are both its CSV files"
                " there? see `annotations: files` in the config"
            )
        if video.splits.get("sta", split) != split:
            raise AnnotationError(f"{place}: '{fields[0]}' is in both lists")
        start, end = (reading.seconds(time, place) for time in fields[1:])
        videos[fields[0]] = replace(
            video,
            splits={**video.splits, "sta": split},
            events=(*video.events, Event(start, end, text=reading.tidy(sentence))),
        )

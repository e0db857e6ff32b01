"""Moments in Time: moments_categories.txt, trainingSet.csv, validationSet.csv."""

from pathlib import Path

from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    DEFAULT_SET,
    Annotated,
    AnnotationError,
    Annotations,
    Files,
)
from scripts.common.annotations.classes import refuse_unknown, unique_classes

PARTS = {
    "trainingSet.csv": "train",
    "validationSet.csv": "val",
    "testingSet.csv": "test",
}


def read_moments(files: Files) -> Annotations:
    """Return Moments in Time; the test list may be absent.

    A video's id and name is its path in the lists, `dancing/yt-5of6ffo6-Bw_205.mp4`.
    Classes are in the order of their numbers.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    classes = read_categories(files.one("moments_categories.txt"))
    official = frozenset(classes)
    there = [name for name in PARTS if name in files]
    videos: dict[str, Annotated] = {}
    for file in there or list(PARTS)[:1]:
        path = files.one(file)
        for line, fields in reading.rows(path):
            place = f"{path}, line {line}"
            name, label, *_ = [field.strip() for field in (*fields, "")]
            if not name:
                raise AnnotationError(f"{place}: it names no video")
            if name in videos:
                raise AnnotationError(f"{place}: '{name}' stands twice; remove one")
            if label or PARTS[file] != "test":
                refuse_unknown(label, official, place)
            videos[name] = Annotated(
                name,
                name,
                labels=(label,) if label else (),
                splits={DEFAULT_SET: PARTS[file]},
            )
    return Annotations(list(videos.values()), classes)


def read_categories(path: Path) -> tuple[str, ...]:
    """Return the classes from lines `name,number`, by their numbers.

    Raises:
        AnnotationError: the numbers are not 0, 1, 2…
    """
    by_number = {}
    for line, text in reading.lines(path):
        name, _, number = text.rpartition(",")
        if not name or not number.strip().isdecimal() or int(number) in by_number:
            raise AnnotationError(
                f"{path}, line {line}: '{text}' is not 'name,number' with a number of"
                " its own; get the official file"
            )
        by_number[int(number)] = name.strip()
    if set(by_number) != set(range(len(by_number))):
        raise AnnotationError(
            f"{path}: the numbers of the classes are not 0 to {len(by_number) - 1}; get"
            " the official file"
        )
    return unique_classes([by_number[n] for n in sorted(by_number)], str(path))

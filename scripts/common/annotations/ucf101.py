"""UCF101: classInd.txt, trainlist01.txt to 03, testlist01.txt to 03."""

from pathlib import Path

from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    Annotated,
    AnnotationError,
    Annotations,
    Files,
)
from scripts.common.annotations.classes import refuse_unknown, unique_classes

SPLITS = (1, 2, 3)
PARTS = ("train", "test")


def read_ucf101(files: Files) -> Annotations:
    """Return UCF101 with the sets `split1`, `split2` and `split3`, those there are.

    A video's id and name is its path in the lists, `Archery/v_Archery_g01_c01.avi`.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    classes = read_numbered_classes(files.one("classInd.txt"))
    splits: dict[str, dict[str, str]] = {}
    there = [
        number
        for number in SPLITS
        if any(f"{part}list0{number}.txt" in files for part in PARTS)
    ]
    for number in there or SPLITS[:1]:
        for part in PARTS:
            path = files.one(f"{part}list0{number}.txt")
            for line, name in read_list(path, classes):
                taken = splits.setdefault(name, {})
                if f"split{number}" in taken:
                    raise AnnotationError(
                        f"{path}, line {line}: '{name}' is in split {number} already,"
                        f" in its {taken[f'split{number}']} list; remove one of them"
                    )
                taken[f"split{number}"] = part
    videos = [
        Annotated(name, name, labels=(name.split("/")[0],), splits=of)
        for name, of in splits.items()
    ]
    return Annotations(videos, classes)


def read_numbered_classes(path: Path) -> tuple[str, ...]:
    """Return the names of classInd.txt, whose lines are `1 ApplyEyeMakeup`.

    Raises:
        AnnotationError: the numbers are not 1, 2, 3…
    """
    names = []
    for line, text in reading.lines(path):
        number, _, name = text.partition(" ")
        if number != str(len(names) + 1) or not name.strip():
            raise AnnotationError(
                f"{path}, line {line}: '{text}' is not '{len(names) + 1} ClassName';"
                " get the official file"
            )
        names.append(name.strip())
    return unique_classes(names, str(path))


def read_list(path: Path, classes: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the line number and path of each video of a train or test list.

    A line is `Archery/v_Archery_g01_c01.avi`, in train lists with the class number.

    Raises:
        AnnotationError: a line is something else, or its number is another class.
    """
    numbers = {name: str(place) for place, name in enumerate(classes, start=1)}
    found = []
    for line, text in reading.lines(path):
        name, _, number = text.partition(" ")
        label, _, file = name.partition("/")
        place = f"{path}, line {line}"
        if not file:
            raise AnnotationError(f"{place}: '{text}' is not 'Class/video.avi'")
        refuse_unknown(label, classes, place)
        if number and number.strip() != numbers[label]:
            raise AnnotationError(
                f"{place}: '{label}' is class {numbers[label]}, not {number.strip()};"
                " the lists and classInd.txt must be of one release"
            )
        found.append((line, name))
    return found

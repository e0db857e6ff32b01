"""Something-Something: version 2 in JSON, version 1 in CSV."""

from collections.abc import Iterator
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

# The list by the word in the file's name.
PARTS = {"train": "train", "validation": "val", "test": "test"}
# What files are called, in each version.
VERSION_1 = "something-something-v1-{}.csv"
VERSION_2 = ("something-something-v2-{}.json", "{}.json")


def read_something(files: Files) -> Annotations:
    """Return Something-Something, version 1 or 2 by the names of the files.

    A video's id is its number. Its name is `<number>.webm` in version 2, `<number>` in
    version 1, which comes as folders of pictures. Videos of the test list have no
    label. Classes are in the order of their numbers in version 2, of the file in 1.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    if VERSION_1.format("labels") in files:
        return _read(files, VERSION_1, csv_classes, csv_videos, "{}")
    names = [name for name in VERSION_2 if name.format("labels") in files]
    name = (names or VERSION_2)[0]
    return _read(files, name, json_classes, json_videos, "{}.webm")


def _read(files: Files, file_name: str, classes_of, videos_of, name: str):
    classes = classes_of(files.one(file_name.format("labels")))
    numbers = frozenset(classes)
    there = [word for word in PARTS if file_name.format(word) in files]
    videos: dict[str, Annotated] = {}
    for word in there or ["train"]:
        for video_id, label, place in videos_of(files.one(file_name.format(word))):
            if not video_id.isdecimal():
                raise AnnotationError(f"{place}: '{video_id}' is no number of a video")
            if video_id in videos:
                raise AnnotationError(f"{place}: video {video_id} stands twice")
            if label:
                refuse_unknown(label, numbers, place)
            elif word != "test":
                raise AnnotationError(f"{place}: video {video_id} has no label")
            videos[video_id] = Annotated(
                video_id,
                name.format(video_id),
                labels=(label,) if label else (),
                splits={DEFAULT_SET: PARTS[word]},
            )
    return Annotations(list(videos.values()), classes)


def csv_classes(path: Path) -> tuple[str, ...]:
    """Return the classes of version 1, one a line, in the order of the file."""
    return unique_classes([text for _, text in reading.lines(path)], str(path))


def csv_videos(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield number, label (or nothing) and place of lines `number;label`."""
    for line, text in reading.lines(path):
        number, _, label = text.partition(";")
        yield number.strip(), label.strip(), f"{path}, line {line}"


def json_classes(path: Path) -> tuple[str, ...]:
    """Return the classes of version 2 from `{"name": "0", …}`, by their numbers.

    Raises:
        AnnotationError: the numbers are not 0, 1, 2…
    """
    numbers = reading.mapping(reading.read_json(path), str(path))
    by_number = {str(number): name for name, number in numbers.items()}
    if set(by_number) != {str(number) for number in range(len(numbers))}:
        raise AnnotationError(
            f"{path}: the numbers of the classes are not 0 to {len(numbers) - 1}; get"
            " the official file"
        )
    ordered = [by_number[str(number)] for number in range(len(numbers))]
    return unique_classes(ordered, str(path))


def json_videos(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield number, label (or nothing) and place of version 2's list of objects.

    The label is the template without brackets, `Holding [something]` for `Holding
    something`.
    """
    entries = reading.sequence(reading.read_json(path), str(path))
    for number, value in enumerate(entries, start=1):
        place = f"{path}, entry {number}"
        video_id = str(reading.entry(value, "id", place))
        template = str(value.get("template") or "")
        label = template.replace("[", "").replace("]", "")
        yield video_id, label, f"{place} (video {video_id})"

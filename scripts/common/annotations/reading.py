"""How the files of annotations are read: text lines, CSV and JSON, all strictly.

UTF-8 with or without a byte order mark, any line ends, blank lines and trailing blanks
are all fine; anything else that does not belong is an error with its place.
"""

import contextlib
import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from scripts.common.annotations.base import AnnotationError

# Our lists, by what ActivityNet and YouCook2 call them.
SUBSETS = {"training": "train", "validation": "val", "testing": "test"}


@contextlib.contextmanager
def text_of(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """Open a text file; what is no UTF-8 becomes an error that names the file.

    Raises:
        AnnotationError: also from within the block.
    """
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            yield file
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"{path} is not UTF-8 (it has the byte {error.object[error.start]:#x});"
            " save it as UTF-8"
        ) from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    with text_of(path) as file:
        for number, line in enumerate(file, start=1):
            if text := line.strip():
                yield number, text


def rows(path: Path, delimiter: str | None = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the fields of each row of a CSV file.

    Args:
        path: the file.
        delimiter: between fields; None tells tab from comma by the first line.

    Raises:
        AnnotationError: quotes that do not match.
    """
    with text_of(path, newline="") as file:
        if delimiter is None:
            delimiter = "\t" if "\t" in file.readline() else ","
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for fields in reader:
                if "".join(fields).strip():
                    yield reader.line_num, fields
        except csv.Error as error:
            raise AnnotationError(
                f"{path}, line {reader.line_num}: {error}; mend the quotes"
            ) from None


def header_of(path: Path, table: Iterator[tuple[int, list[str]]]) -> list[str]:
    """Take the header off a CSV file's rows.

    Raises:
        AnnotationError: there is none.
    """
    _, header = next(table, (0, None))
    if header is None:
        raise AnnotationError(f"{path} is empty; it needs a header and rows")
    return [name.strip() for name in header]


def check_fields(path: Path, line: int, fields: list[str], header: list[str]) -> None:
    """Refuse a row that is longer or shorter than the header.

    Raises:
        AnnotationError: the message names the line.
    """
    if len(fields) != len(header):
        raise AnnotationError(
            f"{path}, line {line} has {len(fields)} fields, the header has"
            f" {len(header)}; a value with a separator in it needs quotes"
        )


def columns(
    path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line number and the values of some columns of a CSV file.

    Args:
        path: the file; its first line is the header.
        names: columns that must be there; two at least.
        optional: columns whose values are empty where they are not there.

    Raises:
        AnnotationError: a column is missing, or a row has too many or few fields.
    """
    table = rows(path)
    header = header_of(path, table)
    for name in names:
        if name not in header:
            raise AnnotationError(
                f"{path} has no column '{name}' (it has: {', '.join(header)}); get the"
                " official file"
            )
    places = {name: place for place, name in enumerate(header)}
    pick = itemgetter(*[places.get(name, len(header)) for name in (*names, *optional)])
    for line, fields in table:
        check_fields(path, line, fields, header)
        fields.append("")
        yield line, pick(fields)


def read_json(path: Path):
    """Return what a JSON file holds.

    Raises:
        AnnotationError: it is no JSON, or a key stands twice in one mapping.
    """
    with text_of(path) as file:
        return parse_json(file.read(), str(path))


def parse_json(text: str, place: str):
    """Return what JSON text holds.

    Args:
        text: the JSON.
        place: where it stands, for errors.

    Raises:
        AnnotationError: it is no JSON, a key stands twice in one mapping, or a text is
            no Unicode.
    """

    def unique(pairs: list[tuple]) -> dict:
        mapping = dict(pairs)
        if len(mapping) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            twice = next(key for key, count in counts.items() if count > 1)
            raise AnnotationError(f"{place}: '{twice}' stands twice; remove one of it")
        return mapping

    try:
        value = json.loads(text, object_pairs_hook=unique)
        # Escapes can name halves of characters, which no file can hold.
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise AnnotationError(
            f"{place}: '{half}' is half a character; write the whole one"
        ) from None
    except json.JSONDecodeError as error:
        row = f"line {error.lineno}, " if "\n" in text else ""
        hint = "; JSON Lines are named .jsonl" if "Extra data" in error.msg else ""
        raise AnnotationError(
            f"{place}: {row}column {error.colno}: {error.msg}; it may be cut off{hint}"
        ) from None


def mapping(value, place: str) -> Mapping:
    """Return a value that must be a JSON object.

    Raises:
        AnnotationError: it is something else.
    """
    if not isinstance(value, dict):
        raise AnnotationError(
            f"{place} is {_kind(value)}, where an object belongs; get the official file"
        )
    return value


def sequence(value, place: str) -> list:
    """Return a value that must be a JSON list.

    Raises:
        AnnotationError: it is something else.
    """
    if not isinstance(value, list):
        raise AnnotationError(
            f"{place} is {_kind(value)}, where a list belongs; get the official file"
        )
    return value


def entry(container: Mapping, key: str, place: str):
    """Return a value of a JSON object.

    Raises:
        AnnotationError: the key is not there.
    """
    if key not in mapping(container, place):
        raise AnnotationError(f"{place} has no '{key}'; get the official file")
    return container[key]


def seconds(value, place: str) -> float:
    """Return a time in seconds, 0 or more, from text or a number.

    Raises:
        AnnotationError: it is none.
    """
    try:
        time = float(value)
    except (TypeError, ValueError):
        time = math.nan
    if not math.isfinite(time) or time < 0 or isinstance(value, bool):
        raise AnnotationError(f"{place}: '{value}' is not a number of seconds")
    return time


def interval(value, place: str) -> tuple[float, float]:
    """Return start and end in seconds from a list of two, as the file has them.

    Raises:
        AnnotationError: they are not two times.
    """
    times = sequence(value, place)
    if len(times) != 2:
        raise AnnotationError(f"{place} has {len(times)} times, where start and end go")
    return seconds(times[0], place), seconds(times[1], place)


def tidy(text: str) -> str:
    """Return text with single blanks between its words."""
    return " ".join(text.split())


def _kind(value) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return kinds.get(type(value), "a number")


def database(
    path: Path,
) -> Iterator[tuple[str, Mapping, str, list[tuple[Mapping, str, tuple[float, float]]]]]:
    """Yield the videos of a JSON file in ActivityNet's layout.

    It is `{"database": {<YouTube id>: {"subset", "annotations": [{"segment", …}]}}}`.

    Args:
        path: the file.

    Yields:
        The id, what stands under it, its list, and each annotation with its place for
        messages and its begin and end in seconds.

    Raises:
        AnnotationError: it has another syntax.
    """
    videos = entry(read_json(path), "database", str(path))
    for key, value in mapping(videos, f"{path}: database").items():
        place = f"{path}, '{key}'"
        subset = entry(value, "subset", place)
        if subset not in SUBSETS:
            raise AnnotationError(
                f"{place}: the subset '{subset}' is none of {', '.join(SUBSETS)}"
            )
        items = [
            (item, place, interval(entry(item, "segment", place), place))
            for item in sequence(value.get("annotations", []), place)
        ]
        yield key, value, SUBSETS[subset], items

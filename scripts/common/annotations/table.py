"""Annotations of any making: one table in CSV, TSV, JSON, JSON Lines or Parquet."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.addresses import is_url
from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    DEFAULT_SET,
    Annotated,
    AnnotationError,
    Annotations,
    Event,
)


def read_table(
    path: Path,
    columns: Mapping[str, str | list[str]],
    label_separator: str | None = None,
) -> Annotations:
    """Return the videos of a table, a row each, read while they are iterated over.

    The suffix tells the format: .csv or .tsv with a header, .json (a list of objects,
    or a mapping of ids to objects, whose paths are the ids where they have none),
    .jsonl or .ndjson, .parquet. Values are text, numbers or null; in all formats but
    the first, labels and captions may also be lists.

    A video without an id is called by its path, a segment by path, start and end. A
    path that is an address is the video's `url` too.

    Args:
        path: the table.
        columns: names of the columns for path, id, label, split, start, end, caption
            and url, by these words; the words themselves where one is not given. There
            must be `path`, and any column that is called otherwise than by its word.
            A list of columns for `split` is a list of sets, called as the columns.
        label_separator: between the labels of a video; None for one label.

    Raises:
        AnnotationError: also while the videos are iterated over; the message names
            file, row and key of the config.
    """
    suffix = path.suffix.lower()
    if suffix not in _RECORDS:
        raise AnnotationError(
            f"{path}: a table is named {', '.join(_RECORDS)}; rename it, or give the"
            " `annotations: format` of a dataset's own files"
        )
    layout = Layout.of(columns)
    return Annotations(_videos(_RECORDS[suffix](path, layout), layout, label_separator))


@dataclass(frozen=True)
class Layout:
    """What the columns of a table are called.

    Attributes:
        path, id, label, start, end, caption, url: names of columns.
        sets: the column of each set of splits.
        required: the config's key of each column that must be there.
    """

    path: str
    id: str
    label: str
    start: str
    end: str
    caption: str
    url: str
    sets: Mapping[str, str]
    required: Mapping[str, str]

    @classmethod
    def of(cls, columns: Mapping[str, str | list[str]]) -> "Layout":
        """Return the layout that the config's `columns` say."""
        keys = ("path", "id", "label", "start", "end", "caption", "url")
        names = {key: str(columns.get(key, key)) for key in keys}
        split = columns.get("split", "split")
        sets = {DEFAULT_SET: split} if isinstance(split, str) else {s: s for s in split}
        given = {name: key for key, name in names.items() if name != key}
        given |= {name: "split" for name in sets.values() if name != "split"}
        return cls(**names, sets=sets, required={names["path"]: "path", **given})

    @property
    def names(self) -> set[str]:
        """All columns that are read."""
        mine = {self.path, self.id, self.label, self.start, self.end, self.caption}
        return {*mine, self.url, *self.sets.values()}

    def check(self, there: Iterable[str], path: Path) -> None:
        """Refuse a table that lacks a column which must be there.

        Raises:
            AnnotationError: the message names it and its key.
        """
        there = list(there)
        for name, key in self.required.items():
            if name not in there:
                raise AnnotationError(
                    f"{path} has no column '{name}' (it has: {', '.join(there)}); name"
                    f" it in the config under `columns: {key}`"
                )


# A row of a table: where it stands, and its values by column.
Record = tuple[str, Mapping[str, Any]]


def _videos(
    records: Iterable[Record], layout: Layout, label_separator: str | None
) -> Iterator[Annotated]:
    places: dict[str, str] = {}
    for place, record in records:
        video = _video(record, layout, label_separator, place)
        first = places.setdefault(video.id, place)
        if first is not place:
            raise AnnotationError(
                f"two videos are named '{video.id}' ({first}; {place}); give each a"
                " name of its own, see `columns: id`"
            )
        yield video


def _video(
    record: Mapping[str, Any], layout: Layout, label_separator: str | None, place: str
) -> Annotated:
    name = _text(record, layout.path, place).removeprefix("./")
    if not name:
        raise AnnotationError(
            f"{place}: '{layout.path}' is empty (there is: {', '.join(record)}); a"
            " video needs a path, see `columns: path`"
        )
    start = _seconds(record, layout.start, place)
    end = _seconds(record, layout.end, place)
    if end is not None and end <= (start or 0):
        raise AnnotationError(
            f"{place}: '{layout.end}' is {end:g}, not after '{layout.start}'"
        )
    labels = _texts(record, layout.label, place)
    if label_separator:
        labels = [part for label in labels for part in label.split(label_separator)]
    return Annotated(
        id=_text(record, layout.id, place) or _segment_id(name, start, end),
        name=name,
        url=_text(record, layout.url, place) or (name if is_url(name) else ""),
        start=start,
        end=end,
        labels=tuple(dict.fromkeys(filter(None, map(reading.tidy, labels)))),
        splits={
            name: split
            for name, column in layout.sets.items()
            if (split := _text(record, column, place))
        },
        events=tuple(
            Event(text=reading.tidy(caption))
            for caption in _texts(record, layout.caption, place)
        ),
    )


def _segment_id(name: str, start: float | None, end: float | None) -> str:
    """Return the id of a video, or of its segment, as Kinetics names segments."""
    if start is None and end is None:
        return name
    return f"{name}_{start or 0:g}_{'end' if end is None else format(end, 'g')}"


def _seconds(record: Mapping[str, Any], column: str, place: str) -> float | None:
    text = _text(record, column, place)
    return reading.seconds(text, f"{place}: {column}") if text else None


def _text(record: Mapping[str, Any], column: str, place: str) -> str:
    """Return the one value of a cell as text, or nothing."""
    values = _texts(record, column, place)
    if len(values) > 1:
        raise AnnotationError(
            f"{place}: '{column}' has {len(values)} values, where one belongs"
        )
    return values[0] if values else ""


def _texts(record: Mapping[str, Any], column: str, place: str) -> list[str]:
    """Return the values of a cell as texts; those that are empty are left out."""
    value = record.get(column)
    if value is None:
        return []
    if isinstance(value, str):
        return [text] if (text := value.strip()) else []
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool) or not isinstance(item, str | int | float | None):
            raise AnnotationError(
                f"{place}: '{column}' is neither text nor a number, but {item!r}"
            )
        if item is None or (isinstance(item, float) and math.isnan(item)):
            continue
        # Programs that know no missing integers write whole numbers as 3.0.
        whole = isinstance(item, float) and item.is_integer()
        if text := str(int(item) if whole else item).strip():
            found.append(text)
    return found


def _csv_records(path: Path, layout: Layout) -> Iterator[Record]:
    table = reading.rows(path, delimiter=None)
    header = reading.header_of(path, table)
    layout.check(header, path)
    for line, fields in table:
        reading.check_fields(path, line, fields, header)
        yield f"{path}, line {line}", dict(zip(header, fields, strict=True))


def _json_records(path: Path, layout: Layout) -> Iterator[Record]:
    content = reading.read_json(path)
    if isinstance(content, dict):
        records = {
            f"{path}, '{key}'": {
                layout.path: key,
                layout.id: key,
                **reading.mapping(value, f"{path}, '{key}'"),
            }
            for key, value in content.items()
        }
    else:
        records = {
            f"{path}, entry {number}": reading.mapping(value, f"{path}, entry {number}")
            for number, value in enumerate(reading.sequence(content, str(path)), 1)
        }
    layout.check(dict.fromkeys(key for r in records.values() for key in r), path)
    yield from records.items()


def _json_lines_records(path: Path, layout: Layout) -> Iterator[Record]:
    there: dict[str, None] = {}
    for line, text in reading.lines(path):
        place = f"{path}, line {line}"
        record = reading.mapping(reading.parse_json(text, place), place)
        there |= dict.fromkeys(record)
        yield place, record
    layout.check(there, path)


def _parquet_records(path: Path, layout: Layout) -> Iterator[Record]:
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise AnnotationError(f"{path} is no Parquet file: {error}") from None
    with file:
        there = file.schema_arrow.names
        layout.check(there, path)
        row = 0
        for batch in file.iter_batches(
            columns=sorted(layout.names.intersection(there))
        ):
            for record in batch.to_pylist():
                row += 1
                yield f"{path}, row {row}", record


_RECORDS = {
    ".csv": _csv_records,
    ".tsv": _csv_records,
    ".json": _json_records,
    ".jsonl": _json_lines_records,
    ".ndjson": _json_lines_records,
    ".parquet": _parquet_records,
}

"""Annotations of any making: one table in CSV, TSV, JSON, JSON Lines or Parquet."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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

# What a table can have a column for, but for the splits.
_WORDS = (
    "path",
    "id",
    "label",
    "start",
    "end",
    "caption",
    "url",
    "event_start",
    "event_end",
)


def read_table(
    path: Path,
    columns: Mapping[str, str | list[str]],
    label_separator: str | None = None,
) -> Annotations:
    """Return the videos of a table, read while they are iterated over.

    A row is a video, or, with a column for event_start or event_end, something that
    happens in one: all rows of a video are then its events, with their labels and
    captions.

    The suffix tells the format: .csv or .tsv with a header, .json (a list of objects,
    or a mapping of ids to objects, whose paths are the ids where they have none),
    .jsonl or .ndjson, .parquet. Values are text, numbers or null; in all formats but
    the first, labels and captions may also be lists.

    A video without an id is called by its path, a segment by path, start and end. A
    path that is an address is the video's `url` too.

    Args:
        path: the table.
        columns: names of the columns for path, id, label, split, start, end, caption,
            url, event_start and event_end, by these words; the words themselves where
            one is not given. There must be `path`, and any column that is called
            otherwise than by its word. A list of columns for `split` is a list of
            sets, called as the columns. A column of events is none of segments.
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
        path, id, label, start, end, caption, url, event_start, event_end: names of
            columns; empty where there is none.
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
    event_start: str
    event_end: str
    sets: Mapping[str, str]
    required: Mapping[str, str]

    @classmethod
    def of(cls, columns: Mapping[str, str | list[str]]) -> "Layout":
        """Return the layout that the config's `columns` say."""
        names = {key: str(columns.get(key, key)) for key in _WORDS}
        for key in ("start", "end"):
            if names[key] in (names["event_start"], names["event_end"]):
                names[key] = ""
        split = columns.get("split", "split")
        sets = {DEFAULT_SET: split} if isinstance(split, str) else {s: s for s in split}
        given = {name: key for key, name in names.items() if name not in (key, "")}
        given |= {name: "split" for name in sets.values() if name != "split"}
        return cls(**names, sets=sets, required={names["path"]: "path", **given})

    @property
    def names(self) -> set[str]:
        """All columns that are read."""
        return {*(getattr(self, word) for word in _WORDS), *self.sets.values()}

    def is_event(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a row is one of a video's events, and not a video."""
        return self.event_start in record or self.event_end in record

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
    eventful: dict[str, Annotated] = {}
    for place, record in records:
        video = _video(record, layout, label_separator, place)
        first = places.setdefault(video.id, place)
        if layout.is_event(record):
            begun = eventful.get(video.id, replace(video, labels=(), events=()))
            eventful[video.id] = _joined(begun, video, f"{first}; {place}")
            continue
        if first is not place:
            raise AnnotationError(
                f"two videos are named '{video.id}' ({first}; {place}); give each a"
                " name of its own, see `columns: id`"
            )
        yield video
    yield from eventful.values()


def _joined(video: Annotated, more: Annotated, places: str) -> Annotated:
    """Return a video with the labels and events of another row of it."""
    joined = replace(
        video,
        labels=tuple(dict.fromkeys((*video.labels, *more.labels))),
        events=(*video.events, *more.events),
    )
    if replace(more, labels=joined.labels, events=joined.events) != joined:
        raise AnnotationError(
            f"rows of '{video.id}' say different things of the video ({places}): path,"
            " url, segment and split are the same in all"
        )
    return joined


def _video(
    record: Mapping[str, Any], layout: Layout, label_separator: str | None, place: str
) -> Annotated:
    name = _text(record, layout.path, place).removeprefix("./")
    if not name:
        raise AnnotationError(
            f"{place}: '{layout.path}' is empty (there is: {', '.join(record)}); a"
            " video needs a path, see `columns: path`"
        )
    start, end = _span(record, layout.start, layout.end, place)
    labels = _texts(record, layout.label, place)
    if label_separator:
        labels = [part for label in labels for part in label.split(label_separator)]
    labels = list(dict.fromkeys(filter(None, map(reading.tidy, labels))))
    captions = [reading.tidy(text) for text in _texts(record, layout.caption, place)]
    return Annotated(
        id=_text(record, layout.id, place) or _segment_id(name, start, end),
        name=name,
        url=_text(record, layout.url, place) or (name if is_url(name) else ""),
        start=start,
        end=end,
        labels=tuple(labels),
        splits={
            name: split
            for name, column in layout.sets.items()
            if (split := _text(record, column, place))
        },
        events=tuple(_events(record, layout, labels, captions, place)),
    )


def _events(
    record: Mapping[str, Any],
    layout: Layout,
    labels: list[str],
    captions: list[str],
    place: str,
) -> Iterator[Event]:
    """Yield what a row says that happens: its captions, at its times and of its labels.

    In a table of videos they are about all of the video, whose labels stand for it.
    """
    if not layout.is_event(record):
        yield from (Event(text=caption) for caption in captions)
        return
    start, end = _span(record, layout.event_start, layout.event_end, place)
    if start is None and end is None and not captions:
        return
    for label in labels or [""]:
        yield from (Event(start, end, label, text) for text in captions or [""])


def _span(
    record: Mapping[str, Any], first: str, last: str, place: str
) -> tuple[float | None, float | None]:
    """Return the seconds in two columns, None where one says nothing."""
    start, end = _seconds(record, first, place), _seconds(record, last, place)
    if end is not None and end <= (start or 0):
        raise AnnotationError(f"{place}: '{last}' is {end:g}, not after '{first}'")
    return start, end


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
    value = record.get(column) if column else None
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

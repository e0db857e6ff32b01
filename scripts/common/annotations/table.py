"""Annotations of any making: one table in CSV, TSV, JSON, JSON Lines or Parquet."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.common.addresses import is_url
from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    Annotated,
    AnnotationError,
    Annotations,
    Event,
)
from scripts.common.annotations.records import RECORDS, Layout, Record


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
    if suffix not in RECORDS:
        raise AnnotationError(
            f"{path}: a table is named {', '.join(RECORDS)}; rename it, or give the"
            " `annotations: format` of a dataset's own files"
        )
    layout = Layout.of(columns)
    return Annotations(_videos(RECORDS[suffix](path, layout), layout, label_separator))


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

"""Rows of a table in CSV, TSV, JSON, JSON Lines or Parquet, all alike."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.common.annotations import reading
from scripts.common.annotations.base import DEFAULT_SET, AnnotationError

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


def csv_records(path: Path, layout: Layout) -> Iterator[Record]:
    """Yield the rows of a CSV or TSV file with a header."""
    table = reading.rows(path, delimiter=None)
    header = reading.header_of(path, table)
    layout.check(header, path)
    for line, fields in table:
        reading.check_fields(path, line, fields, header)
        yield f"{path}, line {line}", dict(zip(header, fields, strict=True))


def json_records(path: Path, layout: Layout) -> Iterator[Record]:
    """Yield the objects of a JSON file: of a list, or of a mapping by their ids."""
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


def json_lines_records(path: Path, layout: Layout) -> Iterator[Record]:
    """Yield the rows of a file of JSON Lines."""
    there: dict[str, None] = {}
    for line, text in reading.lines(path):
        place = f"{path}, line {line}"
        record = reading.mapping(reading.parse_json(text, place), place)
        there |= dict.fromkeys(record)
        yield place, record
    layout.check(there, path)


def parquet_records(path: Path, layout: Layout) -> Iterator[Record]:
    """Yield the rows of a Parquet file."""
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


# By the suffix of a table's file.
RECORDS = {
    ".csv": csv_records,
    ".tsv": csv_records,
    ".json": json_records,
    ".jsonl": json_lines_records,
    ".ndjson": json_lines_records,
    ".parquet": parquet_records,
}

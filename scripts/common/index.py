"""The index of a dataset: its videos, their labels and splits, and its shards."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.common import tables
from scripts.common.ids import shard_name, shard_of
from scripts.common.tables import Row

_COLUMNS = ("label", "split", "shard")


@dataclass(frozen=True)
class Entry:
    """One video of the dataset with what the annotations say of it."""

    row: Row
    label: str = ""
    split: str = ""


def render_videos(entries: Iterable[Entry], shards: int) -> str:
    """Return the text of videos.tsv."""
    header = ("id", *_COLUMNS, "status", "message", "path", "start", "end")

    def record(entry: Entry) -> tuple:
        row = entry.row
        shard = shard_name(shard_of(row.id, shards))
        state = (row.status, row.message, row.path, row.start, row.end)
        return (row.id, entry.label, entry.split, shard, *state)

    return tables.render_records(header, map(record, entries))


def read_videos(path: Path) -> list[Entry]:
    """Return the entries of videos.tsv, in its order: sorted by id."""
    entries = []
    for record in csv.DictReader(
        io.StringIO(tables.read_text(path), newline=""), dialect="excel-tab"
    ):
        label, split, _ = (record.pop(name) for name in _COLUMNS)
        entries.append(Entry(tables.from_strings(record), label, split))
    return entries


def read_shards(path: Path) -> list[str]:
    """Return the names of the shards that shards.tsv lists."""
    lines = path.read_text().splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


def read_classes(path: Path) -> list[str]:
    """Return the class names of classes.txt; the index in the list is the class."""
    return tables.read_text(path).split("\n")[:-1]

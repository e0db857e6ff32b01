"""The index of a dataset: its videos, what is known of them, and its shards."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.common import addresses, files, tables, workload
from scripts.common.annotations.base import DEFAULT_SET, Event
from scripts.common.ids import shard_name, shard_of
from scripts.common.tables import Row

# Between the labels of a video that has several.
LABEL_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Entry:
    """One video of the dataset with what the annotations say of it.

    Attributes:
        row: the video as the stages see it: id, source, segment.
        labels: class names; none, one or several.
        splits: the list that it belongs to, by set of splits.
        events: what happens when, in seconds of the clip.
    """

    row: Row
    labels: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


def render_videos(entries: list[Entry], shards: Mapping[str, str]) -> str:
    """Return the text of videos.tsv: one video a line.

    Its columns are id, label (several are separated by `|`), `split` and
    `split.<set>` (plain `split` for the set `default`), shard, status, message, path,
    start and end.

    Args:
        entries: the videos.
        shards: the shard of each, by id.
    """
    sets = sorted({name for entry in entries for name in entry.splits})
    columns = ["split" if name == DEFAULT_SET else f"split.{name}" for name in sets]
    rest = ("shard", "status", "message", "path", "start", "end")

    def record(entry: Entry) -> list:
        row = entry.row
        splits = [entry.splits.get(name, "") for name in sets]
        state = [row.status, row.message, row.path, row.start, row.end]
        label = LABEL_SEPARATOR.join(entry.labels)
        return [row.id, label, *splits, shards[row.id], *state]

    return tables.render_records(("id", "label", *columns, *rest), map(record, entries))


def render_events(entries: Iterable[Entry]) -> str:
    """Return the text of events.tsv: id, start, end, label and text of each event."""
    records = (
        (entry.row.id, event.start, event.end, event.label, event.text)
        for entry in entries
        for event in entry.events
    )
    return tables.render_records(("id", "start", "end", "label", "text"), records)


def shard_key(row: Row) -> str:
    """Return what decides about a video's shard: its id, or where it comes from.

    The segments of one download share a shard, so that it is downloaded once.
    """
    return row.path if addresses.is_url(row.path) else row.id


def write_index(
    entries: list[Entry], classes: list[str], shards: int, folder: Path
) -> Counter[str]:
    """Write the index's files below a folder; return the number of rows by shard."""
    by_shard: dict[str, list[Row]] = {}
    shard_by_id: dict[str, str] = {}
    for entry in entries:
        name = shard_name(shard_of(shard_key(entry.row), shards))
        by_shard.setdefault(name, []).append(entry.row)
        shard_by_id[entry.row.id] = name
    shard_rows = []
    for name, rows in sorted(by_shard.items()):
        text = tables.render(rows)
        files.write_if_changed(folder / "shards" / f"{name}.tsv", text)
        sha = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        _, seconds, size = workload.known_totals(rows)
        shard_rows.append((name, len(rows), sha, seconds, size))
    for table in (folder / "shards").glob("*.tsv"):
        if table.stem not in by_shard:
            table.unlink()
    files.write_text(folder / "classes.txt", "".join(f"{c}\n" for c in classes))
    files.write_text(folder / "events.tsv", render_events(entries))
    files.write_text(folder / "videos.tsv", render_videos(entries, shard_by_id))
    header = ("shard", "rows", "sha256", "seconds", "bytes")
    text = tables.render_records(header, shard_rows)
    files.write_text(folder / "shards.tsv", text)
    return Counter({name: len(rows) for name, rows in by_shard.items()})


def read_videos(path: Path) -> list[Entry]:
    """Return the entries of videos.tsv, in its order: sorted by id.

    Their events stand in events.tsv; `read_events` gives them.
    """
    entries = []
    for record in tables.records(path):
        labels = record.pop("label")
        record.pop("shard")
        columns = [name for name in record if name.partition(".")[0] == "split"]
        splits = {
            name.partition(".")[2] or DEFAULT_SET: split
            for name in columns
            if (split := record.pop(name))
        }
        labels = tuple(labels.split(LABEL_SEPARATOR)) if labels else ()
        entries.append(Entry(tables.from_strings(record), labels, splits))
    return entries


def read_events(path: Path) -> dict[str, list[Event]]:
    """Return the events of events.tsv by the video's id."""
    events: dict[str, list[Event]] = {}
    for record in tables.records(path):
        start, end = (float(record[k]) if record[k] else None for k in ("start", "end"))
        event = Event(start, end, record["label"], record["text"])
        events.setdefault(record["id"], []).append(event)
    return events


def read_shards(path: Path) -> list[str]:
    """Return the names of the shards that shards.tsv lists."""
    return [record["shard"] for record in tables.records(path)]


def read_classes(path: Path) -> list[str]:
    """Return the class names of classes.txt; the index in the list is the class."""
    return tables.read_text(path).split("\n")[:-1]

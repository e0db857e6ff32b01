"""Say at which features of a model the events of a dataset happen.

Input:  the index's events.tsv; the model's features with their table beside them.
Output: a JSON list with an object for each event, one a line: id, start, end, label and
        text as they are,
        windows        how many features the video has,
        first, last    the features whose windows the event touches, from 0; null where
                       it touches none,
        feature_start, feature_end
                       the event on the axis of the features, 0 to `windows`: feature k
                       reaches from k, where its window begins, to k + 1, where the next
                       one does (or the last one ends),
        share_start, share_end
                       the same by the event's share of the video's length alone, as
                       VideoFeatures_TVG maps it,
        status         `ok`, `outside` (behind the last window), or why the video has no
                       features.

Where windows lie side by side both pairs agree, but for what the tail leaves over.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from scripts.common import cli, files, index, tables
from scripts.common.annotations.base import Event
from scripts.common.store import FeatureStore
from scripts.common.tables import Row

PLACES = ("feature_start", "feature_end", "share_start", "share_end")


def position(seconds: float, spans: np.ndarray) -> float:
    """Return where a time is on the axis of the features, 0 to T.

    Args:
        seconds: the time.
        spans: (T, 2), begin and end of each window in seconds, in order.
    """
    knots = np.append(spans[:, 0], spans[-1, 1])
    return float(np.interp(seconds, knots, np.arange(len(knots))))


def touched(start: float, end: float, spans: np.ndarray) -> tuple[int, int] | None:
    """Return the first and the last window that a span of seconds touches, from 0."""
    hits = np.flatnonzero((spans[:, 0] <= end) & (spans[:, 1] > start))
    return (int(hits[0]), int(hits[-1])) if len(hits) else None


def share(seconds: float, windows: int, fps: float, frames: int) -> float:
    """Return a time's share of a video, in features; longer times give more.

    VideoFeatures_TVG's formula (utils/annotations_charades.py): t * n * fps / frames.
    """
    return seconds * fps / (frames / windows)


def mapped(event: Event, row: Row, spans: np.ndarray | None) -> dict:
    """Return what the output says of an event.

    Args:
        event: seconds of the video, which may be a segment of the original one, as
            the windows are; without `start` it begins with it, without `end` it lasts.
        row: the video in the table of the features.
        spans: the windows, None where the video has no features.
    """
    told = {"id": row.id, "start": event.start, "end": event.end}
    told |= {"label": event.label, "text": event.text, "windows": 0}
    if spans is None:
        nowhere = dict.fromkeys(("first", "last", *PLACES))
        return told | nowhere | {"status": row.status}
    spans = spans - (row.start or 0.0)
    windows, last = len(spans), float(spans[-1, 1])
    start = event.start or 0.0
    end = last if event.end is None else event.end
    first, final = touched(start, end, spans) or (None, None)
    shares = (
        min(max(share(time, windows, row.fps, row.frames), 0.0), float(windows))
        for time in (start, end)
    )
    places = (position(start, spans), position(end, spans), *shares)
    told |= {"windows": windows, "first": first, "last": final}
    told |= dict(zip(PLACES, places, strict=True))
    return told | {"status": "outside" if start >= last else "ok"}


def all_mapped(
    events: dict[str, list[Event]], table: Iterable[Row], store: FeatureStore
) -> Iterator[dict]:
    """Yield what the output says of each event of the videos of a table."""
    for row in table:
        if row.id in events:
            spans = store.read(row.id, "timestamps") if row.ok else None
            for event in events[row.id]:
                yield mapped(event, row, spans)


def main(argv: list[str] | None = None) -> None:
    """Map the events of one dataset to the features of one model."""
    parser = cli.command("map_annotations", __doc__)
    parser.add_argument("--events", type=Path, required=True, help="events.tsv")
    parser.add_argument("--features", type=Path, required=True, help="HDF5 file")
    parser.add_argument("--table", type=Path, required=True, help="its table")
    parser.add_argument("--mapped", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args(argv)
    events = index.read_events(arguments.events)
    store = FeatureStore(arguments.features)
    found = list(all_mapped(events, tables.read_all([arguments.table]), store))
    lines = ",\n".join(map(json.dumps, found))
    files.write_text(arguments.mapped, f"[\n{lines}\n]\n")
    lost = sum(one["status"] != "ok" for one in found)
    print(f"{len(found)} events" + (f", {lost} without features" if lost else ""))


if __name__ == "__main__":
    main()

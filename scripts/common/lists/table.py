"""Everything that is known of every video, in one Parquet file.

File names may be any bytes: those that are no UTF-8 stand there as `\\udcff`.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from scripts.common.lists.base import Dataset, Lists, Results
from scripts.common.tables import Row

_NAME = pa.dictionary(pa.int32(), pa.string())
_EVENT = {
    "start": pa.float64(),
    "end": pa.float64(),
    "label": pa.string(),
    "text": pa.string(),
}
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "split": _NAME,  # null: in no list
        "labels": pa.list_(pa.string()),
        "label_ids": pa.list_(pa.int32()),
        "status": _NAME,  # `ok`, or why there is no result
        "message": pa.string(),
        "clip_path": pa.string(),  # relative to clips/<encoding>
        "frames_path": pa.string(),  # relative to frames/<encoding>
        "start": pa.float64(),  # segment of the source in seconds, null for all of it
        "end": pa.float64(),
        "frames": pa.int64(),  # of the clip, from here on
        "fps": pa.float64(),
        "width": pa.int32(),
        "height": pa.int32(),
        "duration": pa.float64(),  # seconds
        "events": pa.list_(pa.struct(_EVENT)),  # seconds of the clip
        "sets": pa.map_(pa.string(), pa.string()),  # split by set of the annotations
    }
)
# So many rows are in memory at a time.
BATCH = 65536


def write_table(lists: Lists, folder: Path) -> None:
    """Write videos.parquet: a row for each video, sorted by id.

    A video in two lists has two rows, one in none has one with a null.
    """
    splits: dict[str, list[str]] = {}
    for split, video_ids in lists.members.items():
        for video_id in video_ids:
            splits.setdefault(video_id, []).append(split)
    path = folder / "videos.parquet"
    records = _records(lists.dataset, splits)
    with parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(records, BATCH)):
            columns = zip(*batch, strict=True)
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(columns, SCHEMA, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))


def _records(dataset: Dataset, splits: dict[str, list[str]]) -> Iterator[tuple]:
    number = {name: place for place, name in enumerate(dataset.classes)}
    nothing: list = [None]
    for video_id, entry in dataset.entries.items():
        clip, clip_path = _result(dataset.clips, entry.row)
        frames, frames_path = _result(dataset.frames, entry.row)
        result = frames or clip or entry.row
        made = clip if clip and clip.ok else result
        for split in splits.get(video_id, nothing):
            yield (
                _unicode(video_id),
                split and _unicode(split),
                [_unicode(label) for label in entry.labels],
                [number[label] for label in entry.labels],
                result.status,
                _unicode(result.message),
                clip_path,
                frames_path,
                entry.row.start,
                entry.row.end,
                made.frames,
                made.fps,
                made.width,
                made.height,
                made.duration,
                [
                    (e.start, e.end, _unicode(e.label), _unicode(e.text))
                    for e in entry.events
                ],
                [(_unicode(k), _unicode(v)) for k, v in entry.splits.items()],
            )


def _result(results: Results | None, source: Row) -> tuple[Row | None, str | None]:
    """Return a video's row of a stage and the path of what was made, if any."""
    if results is None:
        return None, None
    row = results.row(source.id)
    return row, _unicode(results.path(row)) if row.ok else None


def _unicode(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()

"""The one table: a row for each video, in shard tables and in manifests alike."""

import csv
import dataclasses
import io
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.common import files

# Why a video has no result. Every row's status is `ok` or one of these.
REASONS = {
    "missing": "the annotations name it, but the source has no such file",
    "bad_name": "its id is too long to name files after it",
    "bad_member": "the archive's member is unsafe or damaged",
    "not_video": "ffmpeg does not know the file as a video",
    "no_video_stream": "the file has no pictures, only sound or subtitles",
    "empty": "no frame is inside the file, or inside the annotated segment",
    "corrupt": "decoding failed, or gave fewer frames than the file declares",
    "too_short": "it has too few frames: flow leads from one frame to the next",
    "killed": "a signal ended the program that worked on it (out of memory?)",
    "private": "its owner made it private",
    "removed": "its owner or the site took it away",
    "copyright": "the site blocks it for a copyright claim",
    "geo": "the site does not show it in this country; a proxy elsewhere may help",
    "age": "the site shows it to grown-up users only; cookies of an account may help",
    "members": "the site shows it to paying members only",
    "bot_check": "the site wants to see that no robot asks; cookies may help",
    "rate_limited": "the site says that too much was asked for; try again later",
    "network": "the connection failed or broke off again and again",
    "not_found": "the address leads to nothing",
    "no_video": "the address leads to something else than a video",
    "too_large": "the file is larger than `download: max_bytes`",
    "unknown": "the download failed in a way that fits no other reason",
    "pending": "it was not asked for yet, because the site had refused others",
}


class Failure(Exception):
    """A video cannot be done; becomes a row of the manifest, not a failed job."""

    def __init__(self, reason: str, message: str):
        if reason not in REASONS:
            raise ValueError(f"'{reason}' is not in REASONS")
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One video at one stage.

    Attributes:
        id: the video's name in the dataset.
        status: `ok`, or one of REASONS.
        message: what the failing program said; empty for `ok`.
        path: the produced file or directory (in a shard table: the source).
        start, end: the segment of the source in seconds, None for all of it.
        frames, fps, width, height, duration: of the produced video, in seconds.
        bytes: size of the produced file, or of all files in the produced directory.
        key: fingerprint of all that made the result.
    """

    id: str
    status: str = "ok"
    message: str = ""
    path: str = ""
    start: float | None = None
    end: float | None = None
    frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    bytes: int | None = None
    key: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether the video has a result."""
        return self.status == "ok"

    def failed(self, reason: str, message: str) -> "Row":
        """Return the row of the same video with a reason in place of a result."""
        return Row(
            self.id,
            reason,
            " ".join(message.split()),
            start=self.start,
            end=self.end,
            key=self.key,
        )


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


def _parser(annotation) -> type:
    """Return the type in `int | None`, or the plain type itself."""
    if isinstance(annotation, types.UnionType):
        return next(t for t in typing.get_args(annotation) if t is not type(None))
    return annotation


_PARSERS = {name: _parser(kind) for name, kind in typing.get_type_hints(Row).items()}


def from_strings(values: dict[str, str]) -> Row:
    """Parse one record of a table; an empty cell is the column's default.

    Raises:
        KeyError: a column is unknown.
    """
    return Row(**{k: _PARSERS[k](v) for k, v in values.items() if v != ""})


def render(rows: Iterable[Row], comment: str = "") -> str:
    """Return the text of a table, under an optional `# comment` line."""
    records = ([getattr(row, name) for name in COLUMNS] for row in rows)
    return (f"# {comment}\n" if comment else "") + render_records(COLUMNS, records)


def render_records(header: Iterable[str], records: Iterable[Iterable]) -> str:
    """Return tab-separated text that the csv module reads back; None is empty."""
    buffer = io.StringIO()
    settings = {"dialect": "excel-tab", "lineterminator": "\n"}
    plain = csv.writer(buffer, **settings)
    quoting = csv.writer(buffer, **settings, quoting=csv.QUOTE_ALL)
    plain.writerow(header)
    for record in records:
        values = ["" if value is None else value for value in record]
        # Before Python 3.13 the csv module leaves a carriage return unquoted.
        odd = "\r" in "".join(map(str, values))
        (quoting if odd else plain).writerow(values)
    return buffer.getvalue()


def write(path: Path, rows: Iterable[Row], comment: str = "") -> None:
    """Write a table atomically."""
    files.write_text(path, render(rows, comment))


def parse(text: str) -> Iterator[Row]:
    """Yield the rows of a table's text."""
    return map(from_strings, _records(io.StringIO(text, newline="")))


def _records(lines: typing.TextIO) -> Iterator[dict[str, str]]:
    first = lines.readline()
    header = lines.readline() if first.startswith("# ") else first
    names = next(csv.reader([header], dialect="excel-tab"), None)
    yield from csv.DictReader(lines, names, dialect="excel-tab")


def records(path: Path) -> Iterator[dict[str, str]]:
    """Yield the records of any tab-separated table, one in memory at a time."""
    with _opened(path) as lines:
        yield from _records(lines)


def read(path: Path) -> list[Row]:
    """Return the rows of a table."""
    return list(read_all([path]))


def read_text(path: Path) -> str:
    """Return a table's text with line ends as they are: an id may hold one."""
    with _opened(path) as file:
        return file.read()


def _opened(path: Path) -> typing.TextIO:
    return path.open(encoding="utf-8", errors="surrogateescape", newline="")


def read_all(paths: Iterable[Path]) -> Iterator[Row]:
    """Yield the rows of several tables, one row in memory at a time."""
    for path in paths:
        yield from map(from_strings, records(path))

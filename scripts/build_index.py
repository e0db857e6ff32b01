"""Write down which videos a dataset has, and cut them into shards.

Input:  a folder of videos, or the manifests of unpacked archives; annotations or none.
Output: index/videos.tsv   every video with label, split, shard and source,
        index/classes.txt  the class names, sorted: line n is class n, from 0,
        index/shards.tsv   the shards that have videos, with number of rows and sha256,
        index/shards/<shard>.tsv  the shard tables, each written only if it changed.

A shard table holds what the clips depend on and nothing else, so that new labels or
splits do not touch it, and a new video touches the table of its own shard alone.
"""

import csv
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from scripts.common import cli, files, tables
from scripts.common.ids import SlugTooLong, fingerprint, shard_name, shard_of, slug
from scripts.common.index import Entry, render_videos
from scripts.common.media import VIDEO_SUFFIXES
from scripts.common.tables import Row

MOST_IN_A_SHARD = 1024


class AnnotationError(ValueError):
    """The annotations cannot be used; the message says where and what to do."""


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder below the root, and it, with the names of its files, sorted.

    Links to folders are followed, each folder once.
    """
    seen = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders.sort()
        yield Path(folder), sorted(names)


def walk_folder(root: Path) -> Iterator[Row]:
    """Yield a row for each file below a folder."""
    for folder, names in walk(root):
        for name in names:
            yield source_row(folder / name, root)


def folder_state(root: Path) -> str:
    """Return a fingerprint that changes when a file below comes, goes or is renamed.

    Any of these changes its folder's time of modification, so that the files themselves
    need not be looked at. A file that is edited in place is not noticed.
    """
    changes = [(str(folder), folder.stat().st_mtime_ns) for folder, _ in walk(root)]
    return fingerprint(folders=changes)


def source_row(path: Path, root: Path) -> Row:
    """Return the row of a source file; its key follows size and time of change."""
    video_id = path.relative_to(root).as_posix()
    if not path.is_file():
        return Row(
            video_id, "missing", f"{path} is a link to nothing, or no plain file"
        )
    status = path.stat()
    key = fingerprint(bytes=status.st_size, mtime=status.st_mtime_ns)
    return Row(video_id, path=str(path), bytes=status.st_size, key=key)


def from_source(sources: Iterable[Row], label_by_folder: bool) -> Iterator[Entry]:
    """Yield an entry for each source file that is named like a video."""
    for row in sources:
        if Path(row.id).suffix.lower() in VIDEO_SUFFIXES:
            yield Entry(row, folder_label(row.id) if label_by_folder else "")


def folder_label(video_id: str) -> str:
    """Return the name of the folder that a video is in; at the top there is none."""
    return video_id.rpartition("/")[0].rpartition("/")[2]


def from_annotations(
    path: Path, sources: Iterable[Row], columns: dict[str, str], label_by_folder: bool
) -> Iterator[Entry]:
    """Yield an entry for each row of the annotations.

    Args:
        path: CSV or TSV file with a header.
        sources: the files that there are.
        columns: names of the columns for path, id, label, split, start and end.
        label_by_folder: label videos by their folder where the annotations do not.

    Raises:
        AnnotationError: no `path` column, or a time that is not a number.
    """
    by_path = {row.id: row for row in sources}
    with path.open(newline="", encoding="utf-8-sig") as file:
        dialect = "excel-tab" if "\t" in file.readline() else "excel"
        file.seek(0)
        reader = csv.DictReader(file, dialect=dialect)
        header = reader.fieldnames or []
        if columns["path"] not in header:
            raise AnnotationError(
                f"{path} has no column '{columns['path']}' (it has: "
                f"{', '.join(header)}); name it in the config under `columns: path`"
            )
        for record in reader:
            values = {k: (record.get(name) or "") for k, name in columns.items()}
            where = f"{path}, line {reader.line_num}"
            start = _seconds(values["start"], f"{where}: {columns['start']}")
            end = _seconds(values["end"], f"{where}: {columns['end']}")
            name = values["path"].removeprefix("./")
            source = by_path.get(name) or Row(
                name, "missing", f"the source has no file {name}"
            )
            video_id = values["id"] or _segment_id(name, start, end)
            row = replace(source, id=video_id, start=start, end=end)
            label = values["label"] or (folder_label(name) if label_by_folder else "")
            yield Entry(row, label, values["split"])


def _seconds(text: str, place: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise AnnotationError(f"{place}: '{text}' is not a number of seconds") from None


def _segment_id(name: str, start: float | None, end: float | None) -> str:
    """Return the id of a video, or of its segment, as Kinetics names segments."""
    if start is None and end is None:
        return name
    return f"{name}_{start or 0:g}_{'end' if end is None else format(end, 'g')}"


def checked(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries sorted by id, with keys for segments and names checked.

    Raises:
        AnnotationError: two entries have one id.
    """
    unique: dict[str, Entry] = {}
    for entry in entries:
        row = entry.row
        if row.id in unique:
            raise AnnotationError(
                f"two videos are named '{row.id}'; give each a name of its own in the"
                " annotations' `id` column, and archives paths that differ"
            )
        if row.start is not None or row.end is not None:
            key = fingerprint(source=row.key, start=row.start, end=row.end)
            row = replace(row, key=key)
        try:
            slug(row.id)
        except SlugTooLong as error:
            row = row.failed("bad_name", str(error))
        # Class names stand one a line in classes.txt.
        label = " ".join(entry.label.split())
        unique[row.id] = replace(entry, row=row, label=label)
    return [unique[video_id] for video_id in sorted(unique)]


def write_index(entries: list[Entry], shards: int, folder: Path) -> Counter[str]:
    """Write the index's files below a folder; return the number of rows by shard."""
    by_shard: dict[str, list[Row]] = {}
    for entry in entries:
        name = shard_name(shard_of(entry.row.id, shards))
        by_shard.setdefault(name, []).append(entry.row)
    lines = []
    for name, rows in sorted(by_shard.items()):
        text = tables.render(rows)
        files.write_if_changed(folder / "shards" / f"{name}.tsv", text)
        sha = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        lines.append(f"{name}\t{len(rows)}\t{sha}\n")
    for table in (folder / "shards").glob("*.tsv"):
        if table.stem not in by_shard:
            table.unlink()
    classes = sorted({entry.label for entry in entries if entry.label})
    files.write_text(folder / "classes.txt", "".join(f"{c}\n" for c in classes))
    files.write_text(folder / "videos.tsv", render_videos(entries, shards))
    files.write_text(folder / "shards.tsv", "shard\trows\tsha256\n" + "".join(lines))
    return Counter({name: len(rows) for name, rows in by_shard.items()})


def main(argv: list[str] | None = None) -> None:
    """Build the index of one dataset."""
    parser = cli.command("build_index", __doc__)
    parser.add_argument(
        "--unpacked",
        type=Path,
        nargs="*",
        default=[],
        metavar="TSV",
        help="manifests of `unpack_archive`, in place of a folder",
    )
    cli.add_options(
        parser,
        "`folder` (or null), `shards`, `labels`, `annotations` and `columns`, as"
        " in config/README.md",
    )
    parser.add_argument(
        "--index", type=Path, required=True, help="directory to write the index to"
    )
    arguments = parser.parse_args(argv)
    options = arguments.options
    sources = (
        walk_folder(Path(options["folder"]))
        if options["folder"]
        else tables.read_all(arguments.unpacked)
    )
    by_folder = options["labels"] == "folder"
    try:
        if options["annotations"]:
            annotations = Path(options["annotations"])
            entries = from_annotations(
                annotations, sources, options["columns"], by_folder
            )
        else:
            entries = from_source(sources, by_folder)
        index = checked(entries)
    except AnnotationError as error:
        sys.exit(f"error: {error}")
    if not index:
        sys.exit("error: the source has no videos; see `source` in the config")
    sizes = write_index(index, options["shards"], arguments.index)
    print(f"{len(index)} videos in {len(sizes)} shards")
    if max(sizes.values()) > MOST_IN_A_SHARD:
        print(
            f"the largest shard has {max(sizes.values())} videos; consider"
            f" `shards: {-(-len(index) // 512)}`, before the long stages run"
        )


if __name__ == "__main__":
    main()

"""What a source has: files of a folder or of archives, or addresses, found by name."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePosixPath

from scripts.common import addresses, members
from scripts.common.annotations import Annotated, AnnotationError
from scripts.common.ids import fingerprint
from scripts.common.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from scripts.common.tables import Row


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
            path = folder / name
            yield source_row(path.relative_to(root).as_posix(), path)


def folder_state(root: Path) -> str:
    """Return a fingerprint that changes when a file below comes, goes or is renamed.

    Any of these changes its folder's time of modification, so that the files themselves
    need not be looked at. A file that is edited in place is not noticed.
    """
    changes = [(str(folder), folder.stat().st_mtime_ns) for folder, _ in walk(root)]
    return fingerprint(folders=changes)


def source_row(name: str, path: Path) -> Row:
    """Return the row of a source file; its key follows size and time of change."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # also of what no file can be called
        return Row(name).failed("missing", str(error))
    if not stat.S_ISREG(status.st_mode):
        return Row(name, "missing", f"{path} is no plain file")
    key = fingerprint(bytes=status.st_size, mtime=status.st_mtime_ns)
    return Row(name, path=str(path), bytes=status.st_size, key=key)


def image_folders(rows: Iterable[Row], fps: float) -> Iterator[Row]:
    """Yield a row for each folder of images, in place of the rows of its files.

    Args:
        rows: files, those of one folder after each other.
        fps: images per second that the folder stands for.
    """
    for name, files in groupby(rows, lambda row: str(PurePosixPath(row.id).parent)):
        images = [row for row in files if _suffix(row.id) in IMAGE_SUFFIXES and row.ok]
        if images:
            yield Row(
                name,
                path=str(Path(images[0].path).parent),
                frames=len(images),
                fps=fps,
                bytes=sum(row.bytes for row in images),
                key=fingerprint(images=sorted(row.key for row in images), fps=fps),
            )


def videos(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows that are videos by their name, or folders of images."""
    return (row for row in rows if is_video(row))


def is_video(row: Row) -> bool:
    """Tell whether a row is named like a video, or is a folder of images."""
    return row.fps is not None or _suffix(row.id) in VIDEO_SUFFIXES


def typed(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the videos that the paths of a command line stand for.

    A folder is every video below it, known by its suffix; a .txt file has one path a
    line, from the working directory. A clip inside a tar is one as well.

    Raises:
        FileNotFoundError: a path leads to nothing, or a folder has no video.
    """
    for path in paths:
        if path.is_dir():
            found = [Path(row.path) for row in videos(walk_folder(path))]
            if not found:
                raise FileNotFoundError(f"there is no video in the folder {path}")
            yield from found
        elif members.size(path) is None:
            raise FileNotFoundError(f"there is no video {path}")
        elif path.suffix == ".txt":
            lines = path.read_text().splitlines()
            yield from typed(Path(line.strip()) for line in lines if line.strip())
        else:
            yield path


class Source:
    """Finds the files of a source by the ends of their paths.

    The groups are looked through from the last one to the first, so that an archive of
    replacements wins over the archives that stand before it in the config.
    """

    def __init__(self, groups: Iterable[Iterable[Row]]):
        """Take the rows of each archive, or one group for a folder."""
        self._groups = [list(group) for group in groups]
        self._by_tail: dict[tuple[int, bool], dict[str, list[tuple[int, Row]]]] = {}

    def find(self, name: str) -> Row | None:
        """Return the file whose path ends with the name, or None.

        The name's suffix may be missing, or that of another kind of video: what is
        published as .avi may have been converted. Only videos are then looked at.

        Raises:
            AnnotationError: two files of one archive or folder are meant.
        """
        name = name.removeprefix("./").strip("/")
        depth = name.count("/") + 1
        found = self._tails(depth, True).get(name)
        if not found:
            bare, suffix = _split(name)
            bare = bare if suffix.lower() in VIDEO_SUFFIXES else name
            found = self._tails(depth, False).get(bare)
        if not found:
            return None
        last = max(group for group, _ in found)
        rows = [row for group, row in found if group == last]
        exact = [row for row in rows if row.id == name]
        if len(rows) > 1 and len(exact) != 1:
            raise AnnotationError(
                f"'{name}' may be '{rows[0].id}' or '{rows[1].id}'; give the longer"
                " path in the annotations"
            )
        return (exact or rows)[0]

    def _tails(self, depth: int, suffixed: bool) -> dict[str, list[tuple[int, Row]]]:
        """Return the rows by the last parts of their paths, with or without suffix."""
        if (depth, suffixed) not in self._by_tail:
            tails = defaultdict(list)
            for number, group in enumerate(self._groups):
                for row in group:
                    if suffixed or is_video(row):
                        tail = "/".join(row.id.rsplit("/", depth)[-depth:])
                        name = tail if suffixed else _split(tail)[0]
                        tails[name].append((number, row))
            self._by_tail[depth, suffixed] = dict(tails)
        return self._by_tail[depth, suffixed]


def in_source(annotated: Annotated, source: Source) -> Row:
    """Return the row of an annotated video that a folder or archives have."""
    found = source.find(annotated.name)
    if found is None:
        message = f"the source has no file {annotated.name}"
        return Row(annotated.id, "missing", message)
    if annotated.is_cut:
        return replace(found, id=annotated.id)
    return segment(replace(found, id=annotated.id), annotated)


def where_annotated(annotated: Annotated, folder: Path) -> Row:
    """Return the row of a video that is where the annotations say.

    Args:
        annotated: its `url` is where to download it; without one, `name` is its path,
            or a YouTube id.
        folder: what paths are relative to: the annotations' own.
    """
    address = addresses.parse(annotated.url or annotated.name)
    if address:
        row = Row(annotated.id, path=address.url, key=fingerprint(url=address.url))
    else:
        row = source_row(annotated.id, folder / annotated.name)
    return segment(row, annotated)


def segment(row: Row, annotated: Annotated) -> Row:
    """Return the row with the annotated segment, and a key that tells of it."""
    start, end = annotated.start, annotated.end
    if start is None and end is None:
        return row
    key = fingerprint(source=row.key, start=start, end=end)
    return replace(row, start=start, end=end, key=key)


def _suffix(name: str) -> str:
    return _split(name)[1].lower()


def _split(name: str) -> tuple[str, str]:
    """Return a path without its suffix, and the suffix; pathlib takes ten times it."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem and "/" not in suffix else (name, "")

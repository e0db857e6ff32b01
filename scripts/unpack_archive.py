"""Unpack an archive of videos: zip, tar (plain, gzip, bzip2, xz) or RAR.

Input:  an archive; its kind is told by its content, not by its name.
Output: <manifest without .tsv>/<path inside the archive> for each file in it, and
        the manifest: a row for every member that is not a directory.

An archive may come from anywhere. A member is refused, and its row says `bad_member`
and why, when its path would lead out of the directory, when it is a link, a device or
encrypted, when another member has the same name, or when it is a bomb; and so is one
that is damaged. The others are unpacked all the same. A member that was unpacked whole
is not unpacked again, also after a kill.
"""

import contextlib
import os
import shutil
import signal
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from scripts.common import archives, cli, files, tables
from scripts.common.archives import Archive, ArchiveError, Member
from scripts.common.ids import fingerprint
from scripts.common.journal import Journal, locked
from scripts.common.runner import each, product_stands
from scripts.common.tables import Failure, Row

# File systems stop at 255 bytes a name and 4,096 a path; a temporary name is longer.
LONGEST_NAME = 240
LONGEST_PATH = 4000
# The journal's row of the archive itself; no member is named so.
ARCHIVE = ""


def plan(members: list[Member], folder: Path, max_bytes: int) -> list[Row]:
    """Return a row for each member: `ok` with where it goes, or why it is refused.

    No two rows have the same id, and no `ok` row has a path outside of the folder.

    Args:
        members: what the archive lists.
        folder: where the members go.
        max_bytes: what they may come to together.
    """
    names = [normalised(member.name) for member in members]
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    rows: dict[str, Row] = {}
    total = 0
    for member, name in zip(members, names, strict=True):
        refusal = name_refusal(name, folder) or member.refusal
        if name in rows:
            refusal = "another member has the same name"
        elif name in folders:
            refusal = refusal or "another member takes it for a directory"
        elif member.is_bomb or total + member.bytes > max_bytes:
            refusal = refusal or (
                f"{member.bytes} bytes from {member.packed} are too many (see"
                " --max-bytes)"
            )
        row = Row(_unique(name, rows))
        if refusal:
            row = row.failed("bad_member", refusal)
        else:
            row = replace(row, path=str(folder / name), bytes=member.bytes)
            total += member.bytes
        rows[row.id] = row
    return list(rows.values())


def normalised(name: str) -> str:
    """Return a member's path without the parts that mean nothing.

    >>> normalised("./run//a clip.mp4")
    'run/a clip.mp4'
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


def name_refusal(name: str, folder: Path) -> str:
    """Return why a normalised name cannot be that of a file below the folder."""
    parts = name.split("/")
    if name in ("", "/"):
        return "it has no name"
    if name.startswith("/") or ".." in parts:
        return "its path leads out of the archive's directory"
    if "\0" in name:
        return "its name has a character that no file name can have"
    try:
        sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    except UnicodeEncodeError:
        return "its name is not valid Unicode"
    if max(sizes) > LONGEST_NAME:
        return f"its name has {max(sizes)} bytes, more than {LONGEST_NAME}"
    if len(os.fsencode(folder.absolute())) + sum(sizes) + len(sizes) > LONGEST_PATH:
        return f"its path has more than {LONGEST_PATH} bytes"
    return ""


def _unique(name: str, taken: dict[str, Row]) -> str:
    """Return an id that no row has and that a table can hold."""
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        name = name.encode("utf-8", "backslashreplace").decode()
    candidate, number = name or "(no name)", 2
    while candidate in taken:
        candidate, number = f"{name}#{number}", number + 1
    return candidate


def unpack_member(archive: Archive, member: Member, row: Row) -> Row:
    """Write one member to the row's path and return its finished row.

    Its bytes are counted and its checksum is computed while it is written: what the
    archive declares is not believed.

    Raises:
        Failure: `bad_member`, when the content is not what the archive declares.
    """
    crc = count = 0
    with files.atomic(Path(row.path)) as temporary, temporary.open("xb") as sink:
        for data in archive.chunks(member):
            crc, count = zlib.crc32(data, crc), count + len(data)
            if count > member.bytes:
                break
            sink.write(data)
        if count != member.bytes:
            relation = "more than" if count > member.bytes else f"{count} of"
            raise Failure("bad_member", f"it has {relation} {member.bytes} bytes")
        if member.crc not in (None, crc):
            raise Failure(
                "bad_member", f"its checksum is {crc:08x}, declared is {member.crc:08x}"
            )
    return replace(row, key=fingerprint(content=f"{crc:08x}", bytes=count))


def unpack(path: Path, manifest: Path, threads: int, max_bytes: int) -> list[Row]:
    """Unpack an archive beside its manifest, write the manifest, return its rows.

    Raises:
        ArchiveError: nothing can be unpacked, or the disk is too small.
    """
    folder = manifest.with_suffix("")
    with locked(manifest.with_suffix(".lock")), contextlib.ExitStack() as stack:
        files.remove_leftovers(folder.parent, f"{folder.name}.*")
        scratch = folder / f"{files.TEMPORARY}{os.getpid()}-unar"
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        archive = archives.open_archive(path, scratch, max_bytes)
        stack.callback(archive.close)
        rows = plan(archive.members, folder, max_bytes)
        for parent in {folder} | {Path(row.path).parent for row in rows if row.ok}:
            files.remove_leftovers(parent)
        done = _journal(manifest.with_suffix(".journal"), path)
        stack.callback(done.close)
        _unpack_missing(archive, rows, done, threads)
        rows = [done.rows[row.id] if row.ok else row for row in rows]
        if archive.damage:
            # What is lost has no names; one row tells that something is.
            rest = Row(_unique(f"(rest of {path.name})", {row.id: row for row in rows}))
            rows.append(rest.failed("bad_member", archive.damage))
        done.compact()
        tables.write(manifest, rows, f"unpack_archive of {path.name}")
    return rows


def _journal(path: Path, archive: Path) -> Journal:
    """Open the journal; it counts only for the archive that it was begun for."""
    status = archive.stat()
    key = fingerprint(bytes=status.st_size, mtime=status.st_mtime_ns)
    done = Journal(path)
    if ARCHIVE not in done.rows or done.rows[ARCHIVE].key != key:
        path.unlink(missing_ok=True)
        done = Journal(path)
        done.append(Row(ARCHIVE, path=str(archive), key=key))
    return done


def _unpack_missing(archive: Archive, rows: list[Row], done: Journal, threads: int):
    """Unpack what the journal does not have; journal each member."""
    members = {
        row.id: member
        for row, member in zip(rows, archive.members, strict=True)
        if row.ok and not _stands(row, done)
    }
    todo = [row for row in rows if row.id in members]
    print(f"{len(todo)} files to unpack, {sum(r.ok for r in rows) - len(todo)} there")
    if not todo:
        return
    needed, free = sum(row.bytes for row in todo), shutil.disk_usage(done.path.parent)
    if needed > free.free:
        raise ArchiveError(
            f"{done.path.parent}: {needed / 1e9:.1f} GB are needed and"
            f" {free.free / 1e9:.1f} GB are free; make room"
        )
    archive.select(list(members.values()))

    def work(row: Row) -> Row:
        return unpack_member(archive, members[row.id], row)

    results = each(work, threads if archive.concurrent else 1)(todo)
    bar = tqdm(total=needed, unit="B", unit_scale=True, disable=not sys.stderr.isatty())
    with contextlib.closing(results), bar:
        for row in results:
            done.append(row)
            bar.update(members[row.id].bytes)
            if not row.ok:
                bar.write(f"{row.id}: {row.message}", file=sys.stderr)


def _stands(row: Row, done: Journal) -> bool:
    """Tell whether a member was unpacked and is there; bad ones are tried again."""
    before = done.rows.get(row.id)
    same = before is not None and before.ok and before.path == row.path
    return same and product_stands(before)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end the job by an exception, so that unar does not outlive it."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)


def main(argv: list[str] | None = None) -> None:
    """Unpack one archive."""
    parser = cli.command("unpack_archive", __doc__)
    parser.add_argument("--archive", type=Path, required=True, help="file to unpack")
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        metavar="TSV",
        help="table to make; the files go to the directory of the same name without"
        " .tsv",
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="files at a time (default: 1)"
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=10**12,
        help="what the files may come to together (default: 1 TB)",
    )
    arguments = parser.parse_args(argv)
    archive = arguments.archive
    try:
        with _stoppable():
            rows = unpack(
                archive, arguments.manifest, arguments.threads, arguments.max_bytes
            )
    except ArchiveError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename != str(archive):
            raise
        sys.exit(f"error: {archive}: {error.strerror}; see `archives` in the config")
    bad = sum(not row.ok for row in rows)
    print(f"{len(rows) - bad} files unpacked, {bad} bad members")


if __name__ == "__main__":
    main()

"""Unpack an archive of videos: zip, RAR or tar (plain, gzip, bzip2, xz, zstd).

Input:  an archive, in one file or in consecutive parts; its kind is told by its
        content, not by its name. A part may be in a zip of its own.
Output: <manifest without .tsv>/<path inside the archive> for each file in it, and
        the manifest: a row for every member that is not a directory. Until all are
        there, they gather in the hidden folder .unpacking-<archive> beside it.

A member that is an archive by its suffix and its content is unpacked too, three deep:
a/b.rar to the directory a/b. Its files have rows in place of its own.

A compressed RAR needs a program: `unar`, or RARLAB's `unrar` where that is not there.

An archive may come from anywhere. A member is refused, and its row says `bad_member`
and why, when its path would lead out of the directory, when it is a link, a device or
encrypted, when another member has the same name, or when it is a bomb; and so is one
that is damaged. The others are unpacked all the same. A member that was unpacked whole
is not unpacked again, also after a kill.
"""

import contextlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.common import archives, cli, files, tables
from scripts.common.archives import ArchiveError, Plan, Source
from scripts.common.archives.unpacking import Unpacking
from scripts.common.ids import fingerprint
from scripts.common.interruptions import stoppable
from scripts.common.journal import Journal, locked
from scripts.common.tables import Row

# The journal's row of the archive itself; no member is named so.
ARCHIVE = ""


def unpack(paths: Sequence[Path], manifest: Path, max_bytes: int) -> list[Row]:
    """Unpack an archive beside its manifest, write the manifest, return its rows.

    The hidden folder in which the files gather goes to its place as a whole: one move
    for all. After a kill the next run goes on in it.

    Args:
        paths: the archive, or its consecutive parts.
        manifest: table to make.
        max_bytes: what the files may come to together.

    Raises:
        ArchiveError: nothing can be unpacked, or the disk is too small.
    """
    folder = manifest.with_suffix("")
    unfinished = folder.with_name(f".unpacking-{folder.name}")
    with locked(manifest.with_suffix(".lock")), contextlib.ExitStack() as stack:
        files.remove_leftovers(folder.parent, f"{folder.name}.")
        source = Source(paths)
        scratch = files.temporary_for(folder.with_name(f"{folder.name}.unar"))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        archive = stack.enter_context(archives.open_archive(source, scratch, max_bytes))
        done = _journal(manifest.with_suffix(".journal"), source)
        stack.callback(done.close)
        _reopen(folder, unfinished, begun=len(done.rows) > 1)
        job = Unpacking(Plan(folder, max_bytes), done, unfinished, scratch)
        rows = job.unpack(archive, source)
        unfinished.rename(folder)
        good = {row.id for row in rows if row.ok}
        new = len(good & job.new)
        print(f"{new} files unpacked in this run, {len(good) - new} before")
        done.compact()
        tables.write(manifest, rows, f"unpack_archive of {source.name}")
    return rows


def _reopen(folder: Path, unfinished: Path, begun: bool) -> None:
    """Have the folder of unfinished work; what stands already is work to go on with.

    What a killed job has left there of another archive is deleted.
    """
    if folder.is_dir() or not begun:
        shutil.rmtree(unfinished, ignore_errors=True)
    if folder.is_dir():
        folder.rename(unfinished)
    unfinished.mkdir(exist_ok=True)


def _journal(path: Path, source: Source) -> Journal:
    """Open the journal; it counts only for the archive that it was begun for."""
    times = [part.stat().st_mtime_ns for part in source.paths]
    key = fingerprint(bytes=source.sizes, mtime=times)
    done = Journal(path)
    if ARCHIVE not in done.rows or done.rows[ARCHIVE].key != key:
        path.unlink(missing_ok=True)
        done = Journal(path)
        done.append(Row(ARCHIVE, path=str(source), key=key))
    return done


def main(argv: list[str] | None = None) -> None:
    """Unpack one archive."""
    parser = cli.command("unpack_archive", __doc__)
    parser.add_argument(
        "--archive",
        type=Path,
        nargs="+",
        required=True,
        metavar="PART",
        help="file to unpack; several are consecutive parts of one archive, in order"
        " (of a RAR in several volumes name the first alone)",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        metavar="TSV",
        help="table to make; the files go to the directory of the same name without"
        " .tsv",
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=10**12,
        help="what the files may come to together (default: 1 TB)",
    )
    arguments = parser.parse_args(argv)
    parts = arguments.archive
    try:
        with stoppable():
            rows = unpack(parts, arguments.manifest, arguments.max_bytes)
    except ArchiveError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename not in map(str, parts):
            raise
        sys.exit(
            f"error: {error.filename}: {error.strerror}; see `archives` in the config"
        )
    bad = sum(not row.ok for row in rows)
    print(f"{len(rows) - bad} files unpacked, {bad} bad members")


if __name__ == "__main__":
    main()

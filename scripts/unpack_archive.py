"""Unpack an archive of videos: zip, RAR or tar (plain, gzip, bzip2, xz, zstd).

Input:  an archive, in one file or in consecutive parts; its kind is told by its
        content, not by its name. A part may be in a zip of its own.
Output: <manifest without .tsv>/<path inside the archive> for each file in it, and
        the manifest: a row for every member that is not a directory.

A member that is an archive by its suffix and its content is unpacked too, three deep:
a/b.rar to the directory a/b. Its files have rows in place of its own.

An archive may come from anywhere. A member is refused, and its row says `bad_member`
and why, when its path would lead out of the directory, when it is a link, a device or
encrypted, when another member has the same name, or when it is a bomb; and so is one
that is damaged. The others are unpacked all the same. A member that was unpacked whole
is not unpacked again, also after a kill.
"""

import contextlib
import json
import shutil
import signal
import sys
import tempfile
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from scripts.common import archives, cli, files, tables
from scripts.common.archives import (
    Archive,
    ArchiveError,
    Content,
    Member,
    Plan,
    Source,
    Unreadable,
)
from scripts.common.ids import fingerprint
from scripts.common.journal import Journal, locked
from scripts.common.runner import product_stands
from scripts.common.tables import Failure, Row

# Archives inside archives inside archives inside the archive; deeper ones stay files.
DEEPEST = 3
# The journal's row of the archive itself; no member is named so.
ARCHIVE = ""
# Ends the id of the journal's row that says what an inner archive has come to.
HELD = "\0"


def unpack_member(content: Content, row: Row, temporary: Path) -> Row:
    """Bring one member to the row's path and return its finished row.

    Its bytes are counted and its checksum is computed while it is written: what the
    archive declares is not believed.

    Args:
        content: what it holds.
        row: where it goes.
        temporary: where it is written until it is whole, or lies already.

    Raises:
        Failure: `bad_member`, when the content is not what the archive declares.
    """
    if content.file:
        key = _checked(content, lambda data: None)
    else:
        with temporary.open("wb") as sink:
            key = _checked(content, sink.write)
    try:
        try:
            temporary.replace(row.path)
        except FileNotFoundError:
            Path(row.path).parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(row.path)
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise Failure("bad_member", "a file or directory is in its way") from error
    return Row(row.id, path=row.path, bytes=row.bytes, key=key)


def _checked(content: Content, use: Callable[[bytes], object]) -> str:
    """Read a content, pass it on and return its key."""
    member, crc, count = content.member, 0, 0
    for data in content.chunks():
        crc, count = zlib.crc32(data, crc), count + len(data)
        if count > member.bytes:
            break
        use(data)
    if count != member.bytes:
        relation = "more than" if count > member.bytes else f"{count} of"
        raise Failure("bad_member", f"it has {relation} {member.bytes} bytes")
    if member.crc not in (None, crc):
        raise Failure(
            "bad_member", f"its checksum is {crc:08x}, declared is {member.crc:08x}"
        )
    return fingerprint(content=f"{crc:08x}", bytes=count)


def unpack(
    paths: Sequence[Path], manifest: Path, threads: int, max_bytes: int
) -> list[Row]:
    """Unpack an archive beside its manifest, write the manifest, return its rows.

    Args:
        paths: the archive, or its consecutive parts.
        manifest: table to make.
        threads: files at a time.
        max_bytes: what the files may come to together.

    Raises:
        ArchiveError: nothing can be unpacked, or the disk is too small.
    """
    folder = manifest.with_suffix("")
    with locked(manifest.with_suffix(".lock")), contextlib.ExitStack() as stack:
        files.remove_leftovers(folder.parent, f"{folder.name}.*")
        files.remove_leftovers(folder)
        source = Source(paths)
        folder.mkdir(parents=True, exist_ok=True)
        # No member can have this name, which nobody can foresee.
        scratch = Path(tempfile.mkdtemp("-unpack", files.TEMPORARY, folder))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        archive = stack.enter_context(
            archives.open_archive(source, scratch / "unar", max_bytes)
        )
        done = _journal(manifest.with_suffix(".journal"), source)
        stack.callback(done.close)
        job = Unpacking(Plan(folder, max_bytes), done, threads, scratch)
        rows = job.unpack(archive, source)
        good = {row.id for row in rows if row.ok}
        new = len(good & job.new)
        print(f"{new} files unpacked in this run, {len(good) - new} before")
        done.compact()
        tables.write(manifest, rows, f"unpack_archive of {source.name}")
    return rows


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


@dataclass
class Unpacking:
    """The work on one archive and on those inside it.

    Attributes:
        plan: what becomes of the members.
        done: what was unpacked, now or before.
        threads: files at a time.
        scratch: a directory for what is not whole yet, and for what unar makes.
        new: ids of what this run has unpacked.
    """

    plan: Plan
    done: Journal
    threads: int
    scratch: Path
    new: set[str] = field(default_factory=set)

    def __post_init__(self):
        self._lock = threading.Lock()
        self._room = 0

    def unpack(self, archive: Archive, source: Source) -> list[Row]:
        """Unpack an archive with all that is in it; return its rows."""
        rows = self._unpack_members(archive, source)
        rows = [each for row in rows for each in self._unpack_inner(row, 1)]
        if archive.damage:
            # What is lost has no names; one row tells that something is.
            rest = Row(self.plan.unique(f"(rest of {source.name})"))
            rows.append(rest.failed("bad_member", archive.damage + source.doubt))
        return rows

    def _unpack_members(
        self, archive: Archive, source: Source, prefix: str = ""
    ) -> list[Row]:
        """Bring what an archive lists to the disk, inner archives as files."""
        with archive:
            if archive.listed:
                rows = self.plan.add(archive.members, prefix)
                todo = [row for row in rows if row.ok and not self._stands(row)]
                self._take_room(sum(row.bytes for row in todo))
                self._write(archive, source, _in_turn(rows))
            else:
                rows = self._write_guessing(archive, source, prefix)
        if not archive.members:
            cause = f" ({archive.damage})" if archive.damage else ""
            raise Unreadable(
                f"{source}: no file is in the archive{cause}; get it again"
            )
        return [
            self.done.rows[row.id] if row.ok and not self._held(row) else row
            for row in rows
        ]

    def _write_guessing(
        self, archive: Archive, source: Source, prefix: str
    ) -> list[Row]:
        """Write members that come one by one; undo what a later one makes wrong."""
        state, rows = self.plan.state(), []
        self.plan.surprised = False

        def judge(member: Member) -> Row:
            rows.extend(self.plan.add([member], prefix))
            return rows[-1]

        guessed = self._write(archive, source, judge)
        if not self.plan.surprised:
            return rows
        self.plan.restore(state)
        rows = self.plan.add(archive.members, prefix)
        right = {row.id for row in rows if row.ok}
        for name in guessed - right:
            if self.done.rows.pop(name).ok:
                Path(self.plan.folder, name).unlink(missing_ok=True)
        if right - guessed:
            with archive.again() as again:
                self._write(again, source, _in_turn(rows))
        return rows

    def _write(
        self, archive: Archive, source: Source, judge: Callable[[Member], Row]
    ) -> set[str]:
        """Write what is let in and not there; return the ids of all that is let in."""
        let_in: set[str] = set()
        chosen: deque[Row] = deque()
        pending: deque[Future] = deque()

        def wanted(member: Member) -> bool:
            row = judge(member)
            if not row.ok:
                return False
            let_in.add(row.id)
            if self._stands(row):
                return False
            if not archive.listed:
                self._take_room(row.bytes)
            chosen.append(row)
            return True

        bar = tqdm(
            desc=source.name,
            total=source.size,
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        )
        with contextlib.ExitStack() as stack:
            stack.enter_context(bar)
            pool = ThreadPoolExecutor(self.threads)
            stack.callback(pool.shutdown, cancel_futures=True)
            contents = archive.contents(wanted)
            stack.enter_context(contextlib.closing(contents))
            for content in contents:
                row = chosen.popleft()
                # One thread alone is done sooner without another to hand over to.
                if content.keeps and self.threads > 1:
                    pending.append(pool.submit(self._write_one, content, row))
                else:
                    self._write_one(content, row)
                while len(pending) > 2 * self.threads:
                    pending.popleft().result()
                bar.update(archive.position - bar.n)
            for future in pending:
                future.result()
        return let_in

    def _write_one(self, content: Content, row: Row) -> None:
        temporary = content.file or self.scratch / f"{threading.get_ident()}"
        try:
            row = unpack_member(content, row, temporary)
        except Failure as failure:
            row = row.failed(failure.reason, str(failure))
            tqdm.write(f"{row.id}: {row.message}", file=sys.stderr)
        with self._lock:
            self.done.append(row)
            self.new.add(row.id)

    def _take_room(self, needed: int) -> None:
        """Count down what is free on the disk; look again when it has been used up."""
        if needed > self._room:
            self._room = shutil.disk_usage(self.scratch).free
        if needed > self._room:
            raise ArchiveError(
                f"{self.plan.folder}: {needed / 1e9:.1f} GB are needed and"
                f" {self._room / 1e9:.1f} GB are free; make room"
            )
        self._room -= needed

    def _stands(self, row: Row) -> bool:
        """Tell whether a member was unpacked and is there; bad ones are tried again."""
        before = self.done.rows.get(row.id)
        same = before is not None and before.ok and before.path == row.path
        return (same and product_stands(before)) or self._held(row) is not None

    def _unpack_inner(self, row: Row, depth: int) -> list[Row]:
        """Unpack a file that is an archive; return its rows, else that of the file."""
        prefix = archives.stem(row.id)
        if not (row.ok and prefix and depth <= DEEPEST):
            return [row]
        file = Path(row.path)
        rows = self._held(row)
        if rows is not None:
            self.plan.keep(rows)
        elif archives.is_archive(file):
            rows = self._unpack_file(row, prefix, depth)
        else:
            return [row]
        # A kill just before leaves it: the journal says by now that it is unpacked.
        file.unlink(missing_ok=True)
        self.plan.total -= row.bytes
        return rows

    def _unpack_file(self, row: Row, prefix: str, depth: int) -> list[Row]:
        """Unpack an inner archive; journal its rows, and that they are all."""
        source, rows = Source([Path(row.path)]), []
        try:
            limit = self.plan.max_bytes - self.plan.total
            archive = archives.open_archive(source, self.scratch / "unar", limit)
            rows = self._unpack_members(archive, source, prefix)
            damage = archive.damage
        except Unreadable as error:
            damage = str(error)
        rows = [each for row in rows for each in self._unpack_inner(row, depth + 1)]
        if damage:
            rows.append(Row(row.id).failed("bad_member", damage))
        for each in rows:
            if self.done.rows.get(each.id) != each:
                self.done.append(each)
        names = json.dumps([each.id for each in rows])
        self.done.append(Row(row.id + HELD, message=names, key=self._held_key))
        return rows

    def _held(self, row: Row) -> list[Row] | None:
        """Return what an inner archive came to before, if all of it is still there."""
        mark = self.done.rows.get(row.id + HELD)
        if mark is None or not mark.ok or mark.key != self._held_key:
            return None
        rows = [self.done.rows.get(name) for name in json.loads(mark.message)]
        stand = all(row and (not row.ok or product_stands(row)) for row in rows)
        return rows if stand else None

    @property
    def _held_key(self) -> str:
        return fingerprint(max_bytes=self.plan.max_bytes)


def _in_turn(rows: Iterable[Row]) -> Callable[[Member], Row]:
    """Judge members by rows that stand already, in the members' order."""
    rest = iter(rows)
    return lambda member: next(rest)


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
        "--threads", type=int, default=1, help="files at a time (default: 1)"
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
        with _stoppable():
            rows = unpack(
                parts, arguments.manifest, arguments.threads, arguments.max_bytes
            )
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

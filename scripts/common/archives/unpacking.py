"""Bringing the members of an archive, and of archives inside it, to the disk."""

import contextlib
import json
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from scripts.common import archives
from scripts.common.archives import (
    Archive,
    ArchiveError,
    Content,
    Member,
    Plan,
    Source,
    Unreadable,
)
from scripts.common.archives.writing import unpack_member
from scripts.common.ids import fingerprint
from scripts.common.journal import Journal
from scripts.common.tables import Failure, Row

# Archives inside archives inside archives inside the archive; deeper ones stay files.
DEEPEST = 3
# Ends the id of the journal's row that says what an inner archive has come to.
HELD = "\0"


@dataclass
class Unpacking:
    """The work on one archive and on those inside it.

    Attributes:
        plan: what becomes of the members.
        done: what was unpacked, now or before.
        folder: where they lie until all are there.
        scratch: a directory that RAR may make, on the same disk, to unpack into.
        new: ids of what this run has unpacked.
    """

    plan: Plan
    done: Journal
    folder: Path
    scratch: Path
    new: set[str] = field(default_factory=set)

    def __post_init__(self):
        self._start = f"{self.folder}/"
        self._room = 0

    def unpack(self, archive: Archive, source: Source) -> list[Row]:
        """Unpack an archive with all that is in it; return its rows.

        Raises:
            ArchiveError: nothing can be unpacked, or the disk is too small.
        """
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
                Path(self.folder, name).unlink(missing_ok=True)
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

        contents = archive.contents(wanted)
        bar = tqdm(
            desc=source.name,
            total=source.size,
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        )
        with bar, contextlib.closing(contents):
            for content in contents:
                self._write_one(content, chosen.popleft())
                if not bar.disable:
                    bar.update(archive.position - bar.n)
        return let_in

    def _write_one(self, content: Content, row: Row) -> None:
        try:
            row = unpack_member(content, row, self._start + row.id)
        except Failure as failure:
            row = row.failed(failure.reason, str(failure))
            tqdm.write(f"{row.id}: {row.message}", file=sys.stderr)
        self.done.append(row)
        self.new.add(row.id)

    def _take_room(self, needed: int) -> None:
        """Count down what is free on the disk; look again when it has been used up."""
        if needed > self._room:
            self._room = shutil.disk_usage(self.folder).free
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
        return (same and self._is_there(before)) or self._held(row) is not None

    def _is_there(self, row: Row) -> bool:
        path = Path(self.folder, row.id)
        return path.is_file() and path.stat().st_size == row.bytes

    def _unpack_inner(self, row: Row, depth: int) -> list[Row]:
        """Unpack a file that is an archive; return its rows, else that of the file."""
        prefix = archives.stem(row.id)
        if not (row.ok and prefix and depth <= DEEPEST):
            return [row]
        file = Path(self.folder, row.id)
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
        source, rows = Source([Path(self.folder, row.id)]), []
        try:
            limit = self.plan.max_bytes - self.plan.total
            archive = archives.open_archive(source, self.scratch, limit)
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
        stand = all(row and (not row.ok or self._is_there(row)) for row in rows)
        return rows if stand else None

    @property
    def _held_key(self) -> str:
        return fingerprint(max_bytes=self.plan.max_bytes)


def _in_turn(rows: Iterable[Row]) -> Callable[[Member], Row]:
    """Judge members by rows that stand already, in the members' order."""
    rest = iter(rows)
    return lambda member: next(rest)

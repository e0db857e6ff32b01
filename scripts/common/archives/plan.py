"""What becomes of each member: a path below the job's folder, or a refusal."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.common.archives.base import Member
from scripts.common.tables import Row

# File systems stop at 255 bytes a name and 4,096 a path; a temporary name is longer.
LONGEST_NAME = 240
LONGEST_PATH = 4000


@dataclass
class Plan:
    """What becomes of members: the rows of a job's archives, also of the inner ones.

    No two rows have the same id, and no `ok` row has a path outside of the folder.

    Attributes:
        folder: where the members go.
        max_bytes: what they may come to together.
        total: bytes of the `ok` rows.
        rows: by id.
        folders: ids that members are below; whether a file is in the way there.
        surprised: a member was added that makes a directory of an earlier one.
    """

    folder: Path
    max_bytes: int
    total: int = 0
    rows: dict[str, Row] = field(default_factory=dict)
    folders: dict[str, bool] = field(default_factory=dict)
    surprised: bool = False

    def __post_init__(self):
        self._used = len(os.fsencode(self.folder.absolute()))
        # Up to which number ids made of a name are taken: an archive may have one name
        # a million times.
        self._taken: dict[str, int] = {}

    def add(self, members: Iterable[Member], prefix: str = "") -> list[Row]:
        """Return a row for each member: `ok` with where it goes, or why it is refused.

        Args:
            members: what an archive lists; those of earlier ones go first.
            prefix: of an inner archive, the directory that it is unpacked to.
        """
        start = f"{prefix}/" if prefix else ""
        used = self._used + len(os.fsencode(start))
        named = []
        for member in members:
            name = normalised(member.name)
            refusal = name_refusal(name, used)
            if not refusal:
                self._add_folders(start + name)
            named.append((member, start + (name or "(no name)"), refusal))
        return [self._judge(member, name, refusal) for member, name, refusal in named]

    def keep(self, rows: Iterable[Row]) -> None:
        """Add rows that an earlier run has made."""
        for row in rows:
            if not name_refusal(row.id, self._used):
                self._add_folders(row.id)
            self.rows.setdefault(row.id, row)
            self.total += row.bytes if row.ok else 0

    def state(self) -> tuple[int, int, int]:
        """Return what `restore` goes back to."""
        return len(self.rows), len(self.folders), self.total

    def restore(self, state: tuple[int, int, int]) -> None:
        """Forget what was added since then."""
        rows, folders, self.total = state
        while len(self.rows) > rows:
            self.rows.popitem()
        while len(self.folders) > folders:
            self.folders.popitem()
        self._taken.clear()
        self.surprised = False

    def unique(self, name: str) -> str:
        """Return an id that no row has and that a table can hold."""
        try:
            name.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            name = name.encode("utf-8", "backslashreplace").decode()
        if name not in self.rows:
            return name
        number = self._taken.get(name, 1) + 1
        while f"{name}#{number}" in self.rows:
            number += 1
        self._taken[name] = number
        return f"{name}#{number}"

    def _add_folders(self, name: str) -> None:
        """Note the directories that a member is in, from the top."""
        end = name.rfind("/")
        if end < 0 or name[:end] in self.folders:
            return
        in_the_way, end = False, 0
        while (end := name.find("/", end + 1)) > 0:
            folder = name[:end]
            if folder not in self.folders:
                row = self.rows.get(folder)
                self.surprised |= row is not None
                in_the_way |= row is not None and row.ok
                self.folders[folder] = in_the_way
            in_the_way = self.folders[folder]

    def _judge(self, member: Member, name: str, refusal: str) -> Row:
        refusal = refusal or member.refusal
        if name in self.rows:
            refusal = "another member has the same name"
        elif refusal:
            pass
        elif name in self.folders:
            refusal = "another member takes it for a directory"
        elif self.folders.get(name.rpartition("/")[0]):
            refusal = "another member is a file where its directory would be"
        elif member.is_bomb or self.total + member.bytes > self.max_bytes:
            refusal = (
                f"{member.bytes} bytes from {member.packed} are too many (see"
                " --max-bytes)"
            )
        row_id = self.unique(name)
        if refusal:
            row = Row(row_id).failed("bad_member", refusal)
        else:
            row = Row(row_id, path=f"{self.folder}/{name}", bytes=member.bytes)
            self.total += member.bytes
        self.rows[row.id] = row
        return row


def normalised(name: str) -> str:
    """Return a member's path without the parts that mean nothing.

    >>> normalised("./run//a clip.mp4")
    'run/a clip.mp4'
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


def name_refusal(name: str, used: int) -> str:
    """Return why a normalised name cannot be that of a file below a folder.

    Args:
        name: the path below the folder.
        used: bytes that the folder's own path has.
    """
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
    if used + sum(sizes) + len(sizes) > LONGEST_PATH:
        return f"its path has more than {LONGEST_PATH} bytes"
    return ""

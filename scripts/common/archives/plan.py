"""What becomes of each member: a path below the job's folder, or a refusal."""

import os
from collections import ChainMap
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
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
        folders: ids that cannot be files because members are below them.
    """

    folder: Path
    max_bytes: int
    total: int = 0
    rows: MutableMapping[str, Row] = field(default_factory=dict)
    folders: MutableMapping[str, None] = field(default_factory=dict)

    def __post_init__(self):
        self._used = len(os.fsencode(self.folder.absolute()))

    def guess(self) -> "Plan":
        """Return a plan that goes on from this one and leaves it as it is."""
        rows, folders = ChainMap({}, self.rows), ChainMap({}, self.folders)
        return replace(self, rows=rows, folders=folders)

    def add(self, members: Iterable[Member], prefix: str = "") -> list[Row]:
        """Return a row for each member: `ok` with where it goes, or why it is refused.

        Args:
            members: what an archive lists; those of earlier ones go first.
            prefix: of an inner archive, the directory that it is unpacked to.
        """
        start = f"{prefix}/" if prefix else ""
        names = [(member, normalised(member.name)) for member in members]
        for _, name in names:
            self.folders.update(dict.fromkeys(_parents(start + name)))
        used = self._used + len(os.fsencode(start))
        return [self._judge(member, name, start, used) for member, name in names]

    def _judge(self, member: Member, name: str, start: str, used: int) -> Row:
        row_id = start + name
        refusal = name_refusal(name, used) or member.refusal
        if row_id in self.rows:
            refusal = "another member has the same name"
        elif row_id in self.folders:
            refusal = refusal or "another member takes it for a directory"
        elif any(self._is_file(parent) for parent in _parents(row_id)):
            refusal = refusal or "another member is a file where its directory would be"
        elif member.is_bomb or self.total + member.bytes > self.max_bytes:
            refusal = refusal or (
                f"{member.bytes} bytes from {member.packed} are too many (see"
                " --max-bytes)"
            )
        row = Row(self.unique(start + (name or "(no name)")))
        if refusal:
            row = row.failed("bad_member", refusal)
        else:
            row = Row(row.id, path=f"{self.folder}/{row_id}", bytes=member.bytes)
            self.total += member.bytes
        self.rows[row.id] = row
        return row

    def _is_file(self, name: str) -> bool:
        return name in self.rows and self.rows[name].ok

    def keep(self, rows: Iterable[Row]) -> None:
        """Add rows that an earlier run has made."""
        for row in rows:
            self.rows.setdefault(row.id, row)
            self.folders.update(dict.fromkeys(_parents(row.id)))
            self.total += row.bytes if row.ok else 0

    def unique(self, name: str) -> str:
        """Return an id that no row has and that a table can hold."""
        try:
            name.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            name = name.encode("utf-8", "backslashreplace").decode()
        candidate, number = name, 2
        while candidate in self.rows:
            candidate, number = f"{name}#{number}", number + 1
        return candidate


def normalised(name: str) -> str:
    """Return a member's path without the parts that mean nothing.

    >>> normalised("./run//a clip.mp4")
    'run/a clip.mp4'
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


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

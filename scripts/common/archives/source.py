"""The bytes of an archive: one file, or consecutive parts that are read as one."""

import bisect
import io
import itertools
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from scripts.common.archives.base import CHUNK, DAMAGE, Unreadable

# How files begin whose format says so in its first bytes.
MAGIC = {
    b"Rar!\x1a\x07": "rar",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b\x08": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
}


def magic_of(head: bytes) -> str:
    """Return the format of a file that begins so, or nothing.

    >>> magic_of(b"BZh91AY")
    'bz2'
    """
    kinds = (kind for start, kind in MAGIC.items() if head.startswith(start))
    return next(kinds, "")


class Source:
    """An archive's file, or the parts of it in their order.

    Where there are several, a part may be wrapped: a zip with one member stands for
    that member.
    """

    def __init__(self, paths: Sequence[Path]):
        """Look at the parts.

        Raises:
            Unreadable: they are not consecutive parts of one archive.
            OSError: one of them is not there or cannot be read.
        """
        self.paths = tuple(paths)
        if len(self.paths) > 1:
            _check_numbers(self.paths)
            wrapped = [_wrapped(path) for path in self.paths]
        else:
            wrapped = [None]
        self._parts = list(zip(self.paths, wrapped, strict=True))
        self.sizes = [
            path.stat().st_size if member is None else member.file_size
            for path, member in self._parts
        ]
        self._check_beginnings()

    def __str__(self) -> str:
        return str(self.paths[0])

    @property
    def name(self) -> str:
        """The file's name, of several the first's."""
        return self.paths[0].name

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(self.sizes)

    @property
    def doubt(self) -> str:
        """What else may be wrong where damage is found."""
        several = len(self.paths) > 1
        return ", or a part is missing or not in its place" if several else ""

    def open(self) -> BinaryIO:
        """Return the bytes as one file, from the beginning, not yet read."""
        if len(self._parts) == 1:
            return self.paths[0].open("rb", buffering=CHUNK // 4)
        return io.BufferedReader(_Joined(self), CHUNK // 4)

    def open_part(self, number: int) -> BinaryIO:
        """Open one part, out of its zip where it has one."""
        path, member = self._parts[number]
        if member is None:
            return path.open("rb", buffering=0)
        # The member holds the file open until it is closed itself.
        with zipfile.ZipFile(path) as wrapping:
            return wrapping.open(member)

    def _check_beginnings(self) -> None:
        if len(self._parts) == 1:
            return
        kinds = []
        for number in range(len(self._parts)):
            with self.open_part(number) as part:
                kinds.append(magic_of(part.read(8)))
        if kinds[0] == "rar":
            raise Unreadable(
                f"{self}: of a RAR in several volumes name the first alone; the others"
                " are found beside it"
            )
        later = next((n for n, kind in enumerate(kinds) if n and kind), None)
        if later and kinds[0]:
            raise Unreadable(
                f"{self.paths[later]} begins an archive of its own and is no later part"
                f" of {self}; name each archive for itself"
            )
        if later:
            raise Unreadable(
                f"{self} does not begin the archive, {self.paths[later]} does; name the"
                " parts in their order"
            )


def _check_numbers(paths: Sequence[Path]) -> None:
    """Compare the numbers of parts whose names differ in nothing else.

    Raises:
        Unreadable: a part is missing, or is not in its place.
    """
    found = [re.fullmatch(r"(.*?)(\d+)(\D*)", path.name, re.DOTALL) for path in paths]
    if None in found or len({match.group(1, 3) for match in found}) > 1:
        return
    numbers = [int(match[2]) for match in found]
    if numbers[0] not in (0, 1):
        raise Unreadable(f"{paths[0]}: parts begin with 0 or 1; name all in order")
    for (one, first), (other, second) in itertools.pairwise(zip(paths, numbers)):  # noqa: B905
        if second != first + 1:
            raise Unreadable(
                f"{one} is followed by {other.name}: a part is missing or not in its"
                " place; name all parts in order"
            )


def _wrapped(path: Path) -> zipfile.ZipInfo | None:
    """Return the one member of a part that is a zip, or None."""
    with path.open("rb") as file:
        if magic_of(file.read(8)) != "zip":
            return None
        try:
            with zipfile.ZipFile(file) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
        except DAMAGE:  # it is a part of a zip
            return None
    if len(members) != 1:
        return None
    if members[0].flag_bits & 1:
        raise Unreadable(f"{path} is encrypted; get it without a password")
    return members[0]


class _Joined(io.RawIOBase):
    """The parts of an archive, one open at a time."""

    def __init__(self, source: Source):
        self._source = source
        self._starts = [0, *itertools.accumulate(source.sizes)]
        self._position = 0
        self._number, self._part = 0, source.open_part(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: -1}[whence]
        self._position = (self._starts[-1] if base == -1 else base) + offset
        return self._position

    def readinto(self, buffer) -> int:
        if self._position >= self._starts[-1]:
            return 0
        number = bisect.bisect_right(self._starts, self._position) - 1
        if number != self._number:
            self._part.close()
            self._number, self._part = number, self._source.open_part(number)
        place = self._position - self._starts[number]
        if self._part.tell() != place:
            self._part.seek(place)
        count = self._part.readinto(buffer)
        if not count:
            raise EOFError(f"{self._source.paths[number]} is cut")
        self._position += count
        return count

    def close(self) -> None:
        self._part.close()
        super().close()

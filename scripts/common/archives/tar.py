"""Tar, also compressed, with the standard library."""

import tarfile
from pathlib import Path
from typing import BinaryIO

from scripts.common.archives.base import (
    CHUNK,
    DAMAGE,
    Archive,
    ArchiveError,
    Member,
    damage_as_failure,
    means_damage,
)
from scripts.common.tables import Failure

# A tar may go on behind its end mark; farther than this nobody looks.
MOST_PADDING = 100 * CHUNK


class Tar(Archive):
    """A tar, plain or compressed as a whole; read from its beginning to its end."""

    concurrent = False

    def __init__(self, path: Path, max_bytes: int):
        super().__init__()
        try:
            self._tar = tarfile.open(path, "r:*")  # noqa: SIM115
        except (*DAMAGE, OSError) as error:
            if isinstance(error, OSError) and not means_damage(error):
                raise
            raise ArchiveError(
                f"{path} is no zip, tar or RAR archive, or is cut at its beginning"
                f"{_beginning(path)}; get it again"
            ) from error
        try:
            with damage_as_failure():
                self._list(path, max_bytes)
        except Failure as failure:
            self.damage = str(failure)

    def _list(self, path: Path, max_bytes: int) -> None:
        # Without compression, a member takes the bytes that it has; sparse ones do not.
        packed = path.stat().st_size
        total = 0
        for info in self._tar:
            if info.isdir():
                continue
            refusal = "" if info.isreg() else "it is a link or a device"
            member = Member(info.name, info.size, packed, None, refusal, info)
            self.members.append(member)
            total += info.size
            # To see what follows, its content would have to be decompressed.
            if member.is_bomb or total > max_bytes:
                self.damage = f"not read behind {info.name!r}, which is too large"
                return
        # tarfile takes a damaged header for the end; a true end is a block of zeros.
        self._tar.fileobj.seek(self._tar.offset)
        if self._tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            self.damage = "the end mark is missing: the archive is cut or damaged"
            return
        # Behind it, gzip has the checksum of all: only reading to the end compares it.
        for _ in range(MOST_PADDING // CHUNK):
            if not self._tar.fileobj.read(CHUNK):
                return

    def close(self) -> None:
        self._tar.close()

    def _open(self, member: Member) -> BinaryIO:
        return self._tar.extractfile(member.handle)


def _beginning(path: Path) -> str:
    """Return what a wrong download looks like: often it is a web page."""
    with path.open("rb") as file:
        data = file.read(40)
    if not data:
        return " (the file is empty)"
    web = data.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    return " (it is a web page)" if web else f" (it begins with {data[:8]!r})"

"""Clips inside the tar of a shard, named as if the tar were their folder.

    results/mine/clips/default/00000.tar/run+a=2Emp4.mp4

Such a path stands in manifests, and all that reads a video here takes it. Where its
bytes are is looked up in the tar itself, since a tar that is written anew moves them.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".tar"


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a tar: bytes `start` to `stop` (not included) of it."""

    tar: Path
    start: int
    stop: int


def find(path: Path) -> Member | None:
    """Return the file inside a tar that a path names; None: it names no such one."""
    tar = path.parent
    if tar.suffix != SUFFIX or not tar.is_file():
        return None
    about = tar.stat()
    found = _members(tar, about.st_ino, about.st_mtime_ns, about.st_size)
    return Member(tar, *found[path.name]) if path.name in found else None


def size(path: Path) -> int | None:
    """Return the bytes of a file, inside a tar or not; None: it is not there."""
    if member := find(path):
        return member.stop - member.start
    return path.stat().st_size if path.is_file() else None


def holder(path: Path) -> Path:
    """Return what lies on the disk: the file, or the tar in which it is."""
    member = find(path)
    return member.tar if member else path


def opened(path: Path) -> BinaryIO:
    """Open a file, inside a tar or not, to be read.

    Raises:
        FileNotFoundError: it is not there.
    """
    if member := find(path):
        return io.BufferedReader(_Reading(member))
    return path.open("rb")


class _Reading(io.RawIOBase):
    """A part of a file, read as if it were one."""

    def __init__(self, member: Member):
        self._member = member
        self._file = member.tar.open("rb", buffering=0)
        self._file.seek(member.start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell() - self._member.start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        member = self._member
        origins = {
            os.SEEK_SET: member.start,
            os.SEEK_CUR: self._file.tell(),
            os.SEEK_END: member.stop,
        }
        place = max(member.start, origins[whence] + offset)
        return self._file.seek(place) - member.start

    def readinto(self, buffer) -> int:
        left = max(0, self._member.stop - self._file.tell())
        return self._file.readinto(memoryview(buffer)[:left])

    def close(self) -> None:
        self._file.close()
        super().close()


@lru_cache(maxsize=4096)
def _members(
    tar: Path, inode: int, changed: int, size: int
) -> Mapping[str, tuple[int, int]]:
    """Return where each file of a tar begins and ends; the numbers tell its versions.

    What is no tar has none.
    """
    try:
        with tarfile.open(tar, "r:") as archive:
            return {
                member.name: (member.offset_data, member.offset_data + member.size)
                for member in archive
                if member.isreg()
            }
    except tarfile.TarError:
        return {}

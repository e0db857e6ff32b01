"""What all archive formats share: members, limits, and what damage looks like."""

import contextlib
import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import rarfile

from scripts.common.tables import Failure

CHUNK = 1 << 20
# Videos hardly shrink: what grows so much and becomes so large is a bomb.
MOST_EXPANSION = 1000
ALWAYS_ALLOWED = 100_000_000

# What the three libraries raise at bytes that they cannot read.
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    rarfile.Error,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,  # zipfile: encryption, and compression that it does not know
    ValueError,
    OverflowError,
)


class ArchiveError(Exception):
    """Nothing can be unpacked; the message has the file, the cause and the remedy."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive that is not a directory.

    Attributes:
        name: as the archive spells it; not to be trusted.
        bytes: size that the archive declares.
        packed: bytes that it takes inside the archive, compressed.
        crc: CRC-32 that the archive declares, None where it has none.
        refusal: why it is not to be unpacked, or nothing.
        handle: what the reader knows it by.
    """

    name: str
    bytes: int
    packed: int
    crc: int | None
    refusal: str
    handle: zipfile.ZipInfo | tarfile.TarInfo | int

    @property
    def is_bomb(self) -> bool:
        """Tell whether it declares more than its compressed bytes can honestly be."""
        return self.bytes > max(ALWAYS_ALLOWED, MOST_EXPANSION * self.packed)


class Archive(ABC):
    """An open archive of any format."""

    concurrent = True

    def __init__(self):
        self.members: list[Member] = []
        self.damage = ""

    def select(self, members: list[Member]) -> None:  # noqa: B027 - most need none
        """Prepare to read these members and no others."""

    def close(self) -> None:  # noqa: B027 - RAR keeps no file open
        """Close the file."""

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the content of a selected member.

        Raises:
            Failure: `bad_member`, when it cannot be read.
            OSError: the disk failed, not the archive.
        """
        with damage_as_failure(), self._open(member) as source:
            while data := source.read(CHUNK):
                yield data

    @abstractmethod
    def _open(self, member: Member) -> BinaryIO:
        """Open the content of a selected member."""


@contextlib.contextmanager
def damage_as_failure() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise Failure("bad_member", f"it cannot be read: {error}") from error
    except OSError as error:
        if not means_damage(error):
            raise
        raise Failure("bad_member", f"it cannot be read: {error}") from error


def means_damage(error: OSError) -> bool:
    """Tell damage from a failing disk.

    gzip and bz2 raise OSError without a number; a wrong offset makes an invalid seek.
    """
    return error.errno in (None, errno.EINVAL)

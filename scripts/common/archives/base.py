"""What all archive formats share: members, limits, and what damage looks like."""

import contextlib
import errno
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import rarfile

from scripts.common.tables import Failure

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 1 << 20
# Videos hardly shrink: what grows so much and becomes so large is a bomb.
MOST_EXPANSION = 1000
ALWAYS_ALLOWED = 100_000_000

# What the libraries raise at bytes that they cannot read.
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    rarfile.Error,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    struct.error,
    EOFError,
    RuntimeError,  # zipfile: encryption, and compression that it does not know
    ValueError,
    OverflowError,
)


class ArchiveError(Exception):
    """Nothing can be unpacked; the message has the file, the cause and the remedy."""


class Unreadable(ArchiveError):
    """The file is at fault: it is no archive, or damaged from its beginning."""


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


@dataclass(frozen=True)
class Content:
    """What a member holds.

    Attributes:
        member: whose content it is.
        chunks: yields it piece by piece. Raises Failure, `bad_member`, when it cannot
            be read, and OSError when the disk failed, not the archive.
        file: where it lies already and is to be moved from, or None.
    """

    member: Member
    chunks: Callable[[], Iterator[bytes]]
    file: Path | None = None


class Archive(ABC):
    """An open archive of any format.

    Attributes:
        members: what the archive lists, in its order, without directories.
        listed: the members are known from the beginning, not only when `contents` has
            come to its end.
        damage: why the members may not be all, or nothing.
        position: bytes of the archive that were read, or need not be.
    """

    listed = True
    position = 0

    def __init__(self):
        self.members: list[Member] = []
        self.damage = ""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @abstractmethod
    def contents(self, wanted: Callable[[Member], bool]) -> Iterator[Content]:
        """Yield the contents of the wanted members; ask for each member in turn.

        Raises:
            ArchiveError: the program that unpacks was killed.
        """

    def again(self) -> "Archive":
        """Return the same archive from its beginning, if it is read but once."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Close the file and remove what reading it has made."""


@contextlib.contextmanager
def damage_as_failure() -> Iterator[None]:
    try:
        yield
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and not means_damage(error):
            raise
        raise Failure("bad_member", f"it cannot be read: {error}") from error


def means_damage(error: OSError) -> bool:
    """Tell damage from a failing disk.

    gzip and bz2 raise OSError without a number; a wrong offset makes an invalid seek.
    """
    return error.errno in (None, errno.EINVAL)

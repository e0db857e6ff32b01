"""Tar, also compressed, with the standard library."""

import bz2
import contextlib
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from scripts.common.archives.base import (
    CHUNK,
    DAMAGE,
    Archive,
    Content,
    Member,
    Unreadable,
    damage_as_failure,
    means_damage,
    zstd,
)
from scripts.common.archives.source import Source, magic_of
from scripts.common.tables import Failure

# A tar may go on behind its end mark; farther than this nobody looks.
MOST_PADDING = 100 * CHUNK

DECOMPRESSORS = {
    "gz": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": zstd.ZstdFile,
}

# Where a header has its fields.
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
_TYPE, _PREFIX = slice(156, 157), slice(345, 500)


class Tar(Archive):
    """A tar, plain or compressed as a whole; read once, from beginning to end."""

    listed = False

    def __init__(self, source: Source, max_bytes: int):
        super().__init__()
        self._source, self._max_bytes = source, max_bytes
        self._opened = contextlib.ExitStack()
        self._file = self._opened.enter_context(source.open())
        try:
            self._stream = _Forward(self._file)
            decompressor = DECOMPRESSORS.get(magic_of(self._file.peek(8)))
            if decompressor:
                inside = self._opened.enter_context(decompressor(self._file))
                self._stream = _Forward(inside, skips=False)
            self._tar = tarfile.open(  # noqa: SIM115
                fileobj=self._stream, mode="r:", tarinfo=_Info
            )
        except (*DAMAGE, OSError) as error:
            beginning = _beginning(source)
            self._opened.close()
            if isinstance(error, OSError) and not means_damage(error):
                raise
            raise Unreadable(
                f"{source} is no zip, tar or RAR archive, or is cut at its beginning"
                f"{beginning}; get it again"
            ) from error

    @property
    def position(self) -> int:
        return self._file.tell()

    def contents(self, wanted: Callable[[Member], bool]) -> Iterator[Content]:
        try:
            yield from self._contents(wanted)
        except Failure as failure:
            self.damage = str(failure)

    def _contents(self, wanted: Callable[[Member], bool]) -> Iterator[Content]:
        total, packed = 0, self._source.size
        for info in self._infos():
            if info.isdir():
                continue
            refusal = "" if info.isreg() else "it is a link or a device"
            # Without compression, a member takes its bytes; sparse ones do not.
            member = Member(info.name, info.size, packed, None, refusal, info)
            self.members.append(member)
            if wanted(member):
                yield Content(member, partial(self._chunks, member))
            if self.damage:
                return
            total += info.size
            # To see what follows, its content would have to be decompressed.
            if member.is_bomb or total > self._max_bytes:
                self.damage = f"not read behind {info.name!r}, which is too large"
                return
        # tarfile takes a damaged header for the end; a true end is a block of zeros.
        if self._stream.last != bytes(tarfile.BLOCKSIZE):
            self.damage = "the end mark is missing: the archive is cut or damaged"
            return
        # Behind it, gzip has the checksum of all: only reading to the end compares it.
        with damage_as_failure():
            for _ in range(MOST_PADDING // CHUNK):
                if not self._stream.read(CHUNK):
                    return

    def _infos(self) -> Iterator[tarfile.TarInfo]:
        with damage_as_failure():
            yield from self._tar

    def _chunks(self, member: Member) -> Iterator[bytes]:
        sparse = member.handle.issparse()
        source = self._tar.extractfile(member.handle) if sparse else self._stream
        left = member.bytes
        try:
            with damage_as_failure():
                while left and (data := source.read(min(left, CHUNK))):
                    left -= len(data)
                    yield data
                if left:
                    raise EOFError("the archive ends inside it")
        except Failure as failure:
            self.damage = str(failure)
            raise

    def again(self) -> "Tar":
        return Tar(self._source, self._max_bytes)

    def close(self) -> None:
        self._tar.close()
        self._opened.close()


class _Info(tarfile.TarInfo):
    """A header of a tar; that of a plain file is read in a fraction of the time."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_Info":
        if len(buf) != tarfile.BLOCKSIZE or buf[_TYPE] != tarfile.REGTYPE:
            return super().frombuf(buf, encoding, errors)
        try:
            size = int(buf[_SIZE].rstrip(b" \0"), 8)
            checksum = int(buf[_CHECKSUM].rstrip(b" \0"), 8)
        except ValueError:
            return super().frombuf(buf, encoding, errors)
        # The checksum is made as if its own bytes were eight blanks.
        if checksum != sum(buf) - sum(buf[_CHECKSUM]) + 8 * ord(" "):
            return super().frombuf(buf, encoding, errors)
        name, _, _ = buf[_NAME].partition(b"\0")
        prefix, _, _ = buf[_PREFIX].partition(b"\0")
        info = cls((prefix + b"/" + name if prefix else name).decode(encoding, errors))
        info.size = size
        return info


class _Forward:
    """A file that is read in one direction, as a decompressor does its work once.

    Attributes:
        last: what was read last.
    """

    def __init__(self, file: BinaryIO, skips: bool = True):
        """Read a file; with `skips` it need not be read to be passed over."""
        self._file, self._skips = file, skips
        self._position = 0
        self.last = b""

    def read(self, size: int) -> bytes:
        self.last = self._file.read(size)
        self._position += len(self.last)
        return self.last

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise tarfile.StreamError("a tar is not read backwards")
        if self._skips:
            self._position = self._file.seek(position)
        while self._position < position:
            if not self.read(min(CHUNK, position - self._position)):
                return


def _beginning(source: Source) -> str:
    """Return what a wrong download looks like: often it is a web page."""
    with source.open() as file:
        data = file.read(40)
    if not data:
        return " (the file is empty)"
    web = data.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    return " (it is a web page)" if web else f" (it begins with {data[:8]!r})"

"""Archives read with suspicion: what they list, and the content of each member.

`open_archive` tells zip, tar and RAR by content and gives an object with

    members     what the archive lists, in its order, without directories
    damage      why the list may not be all of it, or nothing
    concurrent  whether several members may be read at a time
    select      says which members will be read
    chunks      gives the content of one of them

No reader writes to where the archive says. The list is what the archive declares;
the caller compares it with what comes out.
"""

import contextlib
import errno
import lzma
import resource
import shutil
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import rarfile

from scripts.common import processes
from scripts.common.tables import Failure

CHUNK = 1 << 20
# Videos hardly shrink: what grows so much and becomes so large is a bomb.
MOST_EXPANSION = 1000
ALWAYS_ALLOWED = 100_000_000
# A tar may go on behind its end mark; farther than this nobody looks.
MOST_PADDING = 100 * CHUNK
# More would not fit into one command line.
INDEXES_AT_A_TIME = 10_000

# What the three libraries raise at bytes that they cannot read.
_DAMAGE = (
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


class Archive:
    """What all formats have in common."""

    concurrent = True

    def __init__(self):
        self.members: list[Member] = []
        self.damage = ""

    def select(self, members: list[Member]) -> None:
        """Prepare to read these members and no others."""

    def close(self) -> None:
        """Close the file."""

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the content of a selected member.

        Raises:
            Failure: `bad_member`, when it cannot be read.
            OSError: the disk failed, not the archive.
        """
        with _damage_as_failure(), self._open(member) as source:
            while data := source.read(CHUNK):
                yield data

    def _open(self, member: Member) -> BinaryIO:
        raise NotImplementedError


class Zip(Archive):
    """A zip, with or without the 64-bit extension."""

    def __init__(self, path: Path):
        super().__init__()
        try:
            self._zip = zipfile.ZipFile(path)
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and not _means_damage(error):
                raise
            raise ArchiveError(
                f"{path}: the zip's directory cannot be read ({error}): the file is cut"
                " or damaged; get it again"
            ) from error
        for info in self._zip.infolist():
            if not info.filename.endswith("/"):  # is_dir() fails at an empty name
                self.members.append(
                    Member(
                        info.filename,
                        info.file_size,
                        info.compress_size,
                        info.CRC,
                        self._refusal(info),
                        info,
                    )
                )

    @staticmethod
    def _refusal(info: zipfile.ZipInfo) -> str:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 1:
            return "it is encrypted"
        return "" if kind in (0, stat.S_IFREG) else "it is a link or a device"

    def close(self) -> None:
        self._zip.close()

    def _open(self, member: Member) -> BinaryIO:
        return self._zip.open(member.handle)


class Tar(Archive):
    """A tar, plain or compressed as a whole; read from its beginning to its end."""

    concurrent = False

    def __init__(self, path: Path, max_bytes: int):
        super().__init__()
        try:
            self._tar = tarfile.open(path, "r:*")  # noqa: SIM115
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and not _means_damage(error):
                raise
            raise ArchiveError(
                f"{path} is no zip, tar or RAR archive, or is cut at its beginning"
                f"{_beginning(path)}; get it again"
            ) from error
        try:
            with _damage_as_failure():
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


class Rar(Archive):
    """A RAR, listed by rarfile and unpacked by unar.

    unar takes RAR files beside each other whose names differ in a number for parts of
    one archive, so it sees this one alone, through a link in a directory of its own.
    It is given the numbers of the members, since it would also make links, and its exit
    status says nothing of use.
    """

    def __init__(self, path: Path, scratch: Path):
        super().__init__()
        if shutil.which("unar") is None:
            raise ArchiveError(
                f"{path}: RAR files need the program unar, which is not installed; get"
                " it with `apt-get install unar` or `brew install unar`"
            )
        self._scratch = scratch
        self._selected: list[Member] = []
        self._lock = threading.Lock()
        directory = self._directory(path)
        self._volumes = [Path(volume).absolute() for volume in directory.volumelist()]
        self._entries = directory.infolist()
        self._check_end(path)
        for position, info in enumerate(self._entries):
            if not info.is_dir():
                self.members.append(
                    Member(
                        info.filename,
                        info.file_size,
                        info.compress_size,
                        info.CRC,
                        self._refusal(info),
                        position,
                    )
                )

    def _directory(self, path: Path) -> rarfile.RarFile:
        try:
            try:
                directory = rarfile.RarFile(path, errors="strict")
            except rarfile.BadRarFile as error:
                directory = rarfile.RarFile(path, errors="stop")
                self.damage = f"the archive is cut or damaged ({error})"
        except rarfile.NeedFirstVolume as error:
            raise ArchiveError(
                f"{path} is a later part of a RAR in several parts; name the first"
            ) from error
        except _DAMAGE as error:
            raise ArchiveError(
                f"{path}: the RAR's directory cannot be read ({error}); get it again"
            ) from error
        if not directory.infolist():
            encrypted = directory.needs_password()
            cause = "is encrypted" if encrypted else "cannot be read"
            remedy = "get it without a password" if encrypted else "get it again"
            raise ArchiveError(f"{path}: the RAR's directory {cause}; {remedy}")
        return directory

    def _check_end(self, path: Path) -> None:
        # The older format has no end mark that could be missed.
        last = self._entries[-1]
        end = last.data_offset + last.compress_size
        if len(self._volumes) == 1 and end > path.stat().st_size:
            self.damage = self.damage or "the archive is cut"

    @staticmethod
    def _refusal(info: rarfile.RarInfo) -> str:
        if info.needs_password():
            return "it is encrypted"
        if info.is_symlink() or info.file_redir:
            return "it is a link"
        return "" if info.is_file() else "it is no file"

    def select(self, members: list[Member]) -> None:
        self._selected = members

    def _open(self, member: Member) -> BinaryIO:
        with self._lock:
            selected, self._selected = self._selected, []
            if selected:
                self._unpack(selected)
        unpacked = self._scratch / "members" / member.name
        inside = unpacked.resolve().is_relative_to(self._scratch.resolve())
        if not inside or not unpacked.is_file():
            raise Failure("bad_member", "unar could not unpack it")
        info = self._entries[member.handle]
        if info.CRC is None and getattr(info, "blake2sp_hash", None):
            _check_blake2sp(unpacked, info.blake2sp_hash)
        file = unpacked.open("rb")
        unpacked.unlink()  # the space is needed for the copy
        return file

    def _unpack(self, members: list[Member]) -> None:
        """Unpack members into the private directory.

        Raises:
            ArchiveError: a signal ended unar.
        """
        source, target = self._scratch / "archive", self._scratch / "members"
        source.mkdir(parents=True)
        target.mkdir()
        for volume in self._volumes:
            (source / volume.name).symlink_to(volume)
        # Where Linux can see to it, unar does not outlive a killed job.
        command = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command += ["unar", "-quiet", "-force-overwrite", "-no-directory"]
        command += ["-no-recursion", "-forks", "skip", "-output-directory", str(target)]
        command += ["-indexes", str(source / self._volumes[0].name)]
        indexes = [str(member.handle) for member in members]
        with _no_file_larger_than(max(member.bytes for member in members)):
            for first in range(0, len(indexes), INDEXES_AT_A_TIME):
                try:
                    processes.run(command + indexes[first : first + INDEXES_AT_A_TIME])
                except Failure as failure:
                    raise ArchiveError(
                        f"{self._volumes[0]}: {failure}; see whether memory was short,"
                        " and run again"
                    ) from failure


def open_archive(path: Path, scratch: Path, max_bytes: int) -> Archive:
    """Open an archive of any kind, told by its content.

    Args:
        path: the archive; of a RAR in several parts, the first.
        scratch: a directory that RAR may make, to unpack into; the caller deletes it.
        max_bytes: a tar is listed up to where its members come to more bytes.

    Raises:
        ArchiveError: it is no archive, or its directory cannot be read.
        OSError: the file is not there or cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(8)
    archive: Archive
    if magic.startswith(b"Rar!\x1a\x07"):
        archive = Rar(path, scratch)
    elif magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        archive = Zip(path)
    else:
        archive = Tar(path, max_bytes)
    if not archive.members:
        archive.close()
        cause = f" ({archive.damage})" if archive.damage else ""
        raise ArchiveError(f"{path}: no file is in the archive{cause}; get it again")
    return archive


@contextlib.contextmanager
def _damage_as_failure() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise Failure("bad_member", f"it cannot be read: {error}") from error
    except OSError as error:
        if not _means_damage(error):
            raise
        raise Failure("bad_member", f"it cannot be read: {error}") from error


def _means_damage(error: OSError) -> bool:
    """Tell damage from a failing disk.

    gzip and bz2 raise OSError without a number; a wrong offset makes an invalid seek.
    """
    return error.errno in (None, errno.EINVAL)


@contextlib.contextmanager
def _no_file_larger_than(size: int) -> Iterator[None]:
    """Have the system end a program that writes a larger file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + CHUNK, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _check_blake2sp(path: Path, expected: bytes) -> None:
    digest = rarfile.Blake2SP()
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
    if digest.digest() != expected:
        raise Failure("bad_member", "its content does not have the archive's checksum")


def _beginning(path: Path) -> str:
    """Return what a wrong download looks like: often it is a web page."""
    with path.open("rb") as file:
        data = file.read(40)
    if not data:
        return " (the file is empty)"
    web = data.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    return " (it is a web page)" if web else f" (it begins with {data[:8]!r})"

"""RAR: listed and checked by rarfile, unpacked by unar.

unar alone reads all of the format's versions, but its exit status tells nothing; what
comes out is compared with the list.
"""

import contextlib
import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import rarfile

from scripts.common import processes
from scripts.common.archives.base import CHUNK, DAMAGE, Archive, ArchiveError, Member
from scripts.common.tables import Failure

# More would not fit into one command line.
INDEXES_AT_A_TIME = 10_000


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
        except DAMAGE as error:
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

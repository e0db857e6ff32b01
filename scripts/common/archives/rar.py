"""RAR: listed and checked by rarfile, unpacked by unar.

unar alone reads all of the format's versions, but its exit status tells nothing; what
comes out is compared with the list.
"""

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import rarfile

from scripts.common import processes
from scripts.common.archives.base import (
    CHUNK,
    DAMAGE,
    Archive,
    ArchiveError,
    Content,
    Member,
    Unreadable,
)
from scripts.common.archives.source import Source
from scripts.common.tables import Failure

# More would not fit into one command line.
INDEXES_AT_A_TIME = 10_000
# unar may fail at members; so many in a row are looked past to see where it is.
LOOK_AHEAD = 100
SECONDS_BETWEEN_LOOKS = 0.02
# What `ulimit -f` counts in.
BLOCK = 512


class Rar(Archive):
    """A RAR, listed by rarfile and unpacked by unar.

    unar takes RAR files beside each other whose names differ in a number for parts of
    one archive, so it sees this one alone, through a link in a directory of its own.
    It is given the numbers of the members, since it would also make links, and its exit
    status says nothing of use. A member is taken over as soon as unar is at another.
    """

    def __init__(self, source: Source, scratch: Path):
        super().__init__()
        path = source.paths[0]
        if shutil.which("unar") is None:
            raise ArchiveError(
                f"{path}: RAR files need the program unar, which is not installed; get"
                " it with `apt-get install unar` or `brew install unar`"
            )
        self._scratch = scratch.resolve()
        self._plain: set[Path] = set()
        umask = os.umask(0)
        os.umask(umask)
        self._mode = 0o666 & ~umask
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
            raise Unreadable(
                f"{path} is a later part of a RAR in several parts; name the first"
            ) from error
        except DAMAGE as error:
            raise Unreadable(
                f"{path}: the RAR's directory cannot be read ({error}); get it again"
            ) from error
        if not directory.infolist():
            encrypted = directory.needs_password()
            cause = "is encrypted" if encrypted else "cannot be read"
            remedy = "get it without a password" if encrypted else "get it again"
            raise Unreadable(f"{path}: the RAR's directory {cause}; {remedy}")
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

    def contents(self, wanted: Callable[[Member], bool]) -> Iterator[Content]:
        chosen = [member for member in self.members if wanted(member)]
        if not chosen:
            return
        paths = [self._scratch / "members" / member.name for member in chosen]
        with self._unar(chosen) as end:
            at = 0
            for number, (member, path) in enumerate(zip(chosen, paths, strict=True)):
                while at <= number and not end.done():
                    ahead = range(at + 1, min(at + 1 + LOOK_AHEAD, len(paths)))
                    begun = next((n for n in ahead if os.path.lexists(paths[n])), None)
                    if begun is None:
                        time.sleep(SECONDS_BETWEEN_LOOKS)
                    at = begun or at
                if end.done():
                    end.result()
                yield Content(member, partial(self._chunks, member, path), file=path)
                self.position += member.packed

    @contextlib.contextmanager
    def _unar(self, members: Sequence[Member]) -> Iterator[Future]:
        """Unpack members beside what the block does; end with it.

        The result raises ArchiveError where a signal ended unar.
        """
        source, target = self._scratch / "archive", self._scratch / "members"
        source.mkdir(parents=True)
        target.mkdir()
        for volume in self._volumes:
            (source / volume.name).symlink_to(volume)
        # The system ends what writes a larger file than any member may be.
        most = max(member.bytes for member in members) + CHUNK
        command = ["sh", "-c", 'ulimit -f "$0"; exec "$@"', str(most // BLOCK)]
        # Where Linux can see to it, unar does not outlive a killed job.
        if shutil.which("setpriv"):
            command += ["setpriv", "--pdeathsig", "KILL"]
        command += ["unar", "-quiet", "-force-overwrite", "-no-directory"]
        command += ["-no-recursion", "-forks", "skip", "-output-directory", str(target)]
        command += ["-indexes", str(source / self._volumes[0].name)]
        indexes = [str(member.handle) for member in members]

        def run() -> None:
            for first in range(0, len(indexes), INDEXES_AT_A_TIME):
                try:
                    processes.run(command + indexes[first : first + INDEXES_AT_A_TIME])
                except Failure as failure:
                    raise ArchiveError(
                        f"{self._volumes[0]}: {failure}; see whether memory was short,"
                        " and run again"
                    ) from failure

        with ThreadPoolExecutor(1) as pool:
            end = pool.submit(run)
            try:
                yield end
            finally:
                if not end.done():
                    processes.stop_all()

    def _chunks(self, member: Member, path: Path) -> Iterator[bytes]:
        if not self._is_plain(path):
            raise Failure("bad_member", "unar could not unpack it")
        info = self._entries[member.handle]
        expected = None if info.CRC is not None else info.blake2sp_hash
        digest = rarfile.Blake2SP() if expected else None
        # unar gives it the permissions and the date that the archive says.
        path.chmod(self._mode)
        os.utime(path)
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                if digest:
                    digest.update(data)
                yield data
        if digest and digest.digest() != expected:
            raise Failure(
                "bad_member", "its content does not have the archive's checksum"
            )

    def _is_plain(self, path: Path) -> bool:
        """Tell whether unar made a file there, and no link on the way to it."""
        if path.parent not in self._plain:
            if path.parent.resolve() != path.parent:
                return False
            self._plain.add(path.parent)
        try:
            return stat.S_ISREG(path.lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

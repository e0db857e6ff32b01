"""RAR: listed by rarfile; what is stored is read here, the rest unpacked by a program.

unar or RARLAB's unrar: they alone read all of the format's versions. What comes out is
compared with the list, since unar's exit status tells nothing.
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

# Either unpacks; the first that is there is taken.
PROGRAMS = ("unar", "unrar")
# More would not fit into one command line.
INDEXES_AT_A_TIME = 10_000
# A program may fail at members; so many in a row are looked past to see where it is.
LOOK_AHEAD = 100
SECONDS_BETWEEN_LOOKS = 0.02
# What `ulimit -f` counts in.
BLOCK = 512


class Rar(Archive):
    """A RAR, listed by rarfile.

    Members that are stored, as RAR does with what it cannot compress, are read from the
    file itself. The others are unpacked beside by a program and taken over as soon as
    it is at another. unar takes RAR files beside each other whose names differ in a
    number for parts of one archive, so it sees this one alone, through a link in a
    directory of its own. It is told which members, since it would also make links.
    """

    def __init__(self, source: Source, scratch: Path):
        super().__init__()
        self._path = path = source.paths[0]
        self._scratch = scratch.resolve()
        self._plain: set[Path] = set()
        umask = os.umask(0)
        os.umask(umask)
        self._mode = 0o666 & ~umask
        directory = self._directory(path)
        self._volumes = [Path(volume).absolute() for volume in directory.volumelist()]
        self._entries = directory.infolist()
        self._check_end()
        self._file = path.open("rb", buffering=0)
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

    def _check_end(self) -> None:
        # The older format has no end mark that could be missed.
        last = self._entries[-1]
        end = last.data_offset + last.compress_size
        if len(self._volumes) == 1 and end > self._path.stat().st_size:
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
        packed = [member for member in chosen if not self._is_stored(member)]
        with self._unpacked(packed) as paths:
            for member in chosen:
                if self._is_stored(member):
                    yield Content(member, partial(self._stored, member))
                else:
                    path = next(paths)
                    chunks = partial(self._written, member, path)
                    yield Content(member, chunks, file=path)
                self.position += member.packed

    def _is_stored(self, member: Member) -> bool:
        info = self._entries[member.handle]
        plain = info.compress_type == rarfile.RAR_M0 and member.bytes == member.packed
        return plain and len(self._volumes) == 1

    def _stored(self, member: Member) -> Iterator[bytes]:
        """Yield a member's content out of the archive's own file."""
        info = self._entries[member.handle]

        def pieces() -> Iterator[bytes]:
            self._file.seek(info.data_offset)
            left = member.bytes
            while left and (data := self._file.read(min(left, CHUNK))):
                left -= len(data)
                yield data

        yield from _with_digest(info, pieces())

    @contextlib.contextmanager
    def _unpacked(self, members: Sequence[Member]) -> Iterator[Iterator[Path]]:
        """Give the members' files as soon as each is whole, while the block goes on.

        Raises:
            ArchiveError: no program is there, or a signal ended it.
        """
        if not members:
            yield iter(())
            return
        commands = self._commands(members)

        def run() -> None:
            for command in commands:
                try:
                    processes.run(command)
                except Failure as failure:
                    raise ArchiveError(
                        f"{self._path}: {failure}; see whether memory was short, and"
                        " run again"
                    ) from failure

        with ThreadPoolExecutor(1) as pool:
            end = pool.submit(run)
            try:
                yield self._finished(members, end)
            finally:
                if not end.done():
                    processes.stop_all()

    def _finished(self, members: Sequence[Member], end: Future) -> Iterator[Path]:
        """Yield each member's path when the program is at a later one, or at its end.

        Where it has failed, there is nothing at the path.
        """
        paths = [self._scratch / "members" / member.name for member in members]
        at = 0
        for number, path in enumerate(paths):
            while at <= number and not end.done():
                ahead = range(at + 1, min(at + 1 + LOOK_AHEAD, len(paths)))
                begun = next((n for n in ahead if os.path.lexists(paths[n])), None)
                if begun is None:
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                at = begun or at
            if end.done():
                end.result()
            yield path

    def _commands(self, members: Sequence[Member]) -> list[list[str]]:
        """Return the command lines that unpack members, after making their folders.

        Raises:
            ArchiveError: no program is there.
        """
        program = next(filter(shutil.which, PROGRAMS), None)
        if program is None:
            raise ArchiveError(
                f"{self._path}: a compressed RAR needs the program unar or unrar, and"
                " neither is installed; get one with `apt-get install unar` or"
                " `brew install unar`"
            )
        source, target = self._scratch / "archive", self._scratch / "members"
        source.mkdir(parents=True)
        target.mkdir()
        for volume in self._volumes:
            (source / volume.name).symlink_to(volume)
        archive = str(source / self._volumes[0].name)
        # The system ends what writes a larger file than any member may be.
        most = max(member.bytes for member in members) + CHUNK
        limited = ["sh", "-c", 'ulimit -f "$0"; exec "$@"', str(most // BLOCK)]
        # Where Linux can see to it, the program does not outlive a killed job.
        if shutil.which("setpriv"):
            limited += ["setpriv", "--pdeathsig", "KILL"]
        if program == "unrar":
            # No password is asked for, no link made; of two of a name the first stays.
            names = self._scratch / "names.txt"
            text = "".join(f"{member.name}\n" for member in members)
            names.write_text(text, encoding="utf-8", errors="surrogateescape")
            switches = ["-inul", "-cfg-", "-p-", "-ol-", "-o-", "-scfl", "--"]
            return [
                [*limited, "unrar", "x", *switches, archive, f"@{names}", f"{target}/"]
            ]
        command = [*limited, "unar", "-quiet", "-force-overwrite", "-no-directory"]
        command += ["-no-recursion", "-forks", "skip", "-output-directory", str(target)]
        command += ["-indexes", archive]
        indexes = [str(member.handle) for member in members]
        starts = range(0, len(indexes), INDEXES_AT_A_TIME)
        return [command + indexes[n : n + INDEXES_AT_A_TIME] for n in starts]

    def _written(self, member: Member, path: Path) -> Iterator[bytes]:
        """Yield the content of a file that the program has made."""
        if not self._is_plain(path):
            raise Failure("bad_member", "it could not be unpacked")
        # It has the permissions and the date that the archive says.
        path.chmod(self._mode)
        os.utime(path)
        with path.open("rb", buffering=0) as file:
            pieces = iter(partial(file.read, CHUNK), b"")
            yield from _with_digest(self._entries[member.handle], pieces)

    def _is_plain(self, path: Path) -> bool:
        """Tell whether a file was made there, and no link on the way to it."""
        if path.parent not in self._plain:
            if path.parent.resolve() != path.parent:
                return False
            self._plain.add(path.parent)
        try:
            return stat.S_ISREG(path.lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def close(self) -> None:
        self._file.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _with_digest(info: rarfile.RarInfo, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass a content on; compare what RAR5 may have in place of a CRC-32.

    Raises:
        Failure: `bad_member`, when it is another.
    """
    digest = rarfile.Blake2SP() if info.CRC is None and info.blake2sp_hash else None
    for data in pieces:
        if digest:
            digest.update(data)
        yield data
    if digest and digest.digest() != info.blake2sp_hash:
        raise Failure("bad_member", "its content does not have the archive's checksum")

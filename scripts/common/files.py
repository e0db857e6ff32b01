"""Files that are either whole or not there."""

import contextlib
import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".tmp-"
# The disk is full, or the user's part of it.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside the target; move it there if the block succeeds.

    The block may make a file or a directory at the path. A directory that stands at the
    target is replaced; on an exception the target stays as it was.
    """
    temporary = temporary_for(target)
    try:
        yield temporary
        if target.is_dir() and temporary.is_dir():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        _remove(temporary)


def temporary_for(target: Path) -> Path:
    """Return the path beside the target under which it is made; make the directory."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last, because ffmpeg and others tell the format from it.
    return target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_if_changed(target: Path, text: str) -> bool:
    """Write a text file unless it says so already; tell whether it was written."""
    data = text.encode("utf-8", "surrogateescape")
    if target.is_file() and target.read_bytes() == data:
        return False
    write_text(target, text)
    return True


def remove_leftovers(directory: Path, beginning: str = "") -> None:
    """Delete what a killed process left half-written in the directory.

    Args:
        directory: nobody else may write such targets there meanwhile.
        beginning: of the targets' names; what is written to others stays.
    """
    for leftover in list(directory.glob(f"{TEMPORARY}*")):
        _, _, target = leftover.name.removeprefix(TEMPORARY).partition("-")
        if target.startswith(beginning):
            _remove(leftover)


@contextlib.contextmanager
def room_needed() -> Iterator[None]:
    """End a job that finds the disk full with a line that says so.

    Raises:
        SystemExit: in place of the OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        sys.exit(f"error: {error}; make room, and run the same command again")


def sha256(path: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

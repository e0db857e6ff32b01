"""Writing one member of an archive to the disk, and seeing that it is as declared."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path

from scripts.common.archives.base import Content
from scripts.common.ids import fingerprint
from scripts.common.tables import Failure, Row

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def unpack_member(content: Content, row: Row, path: str) -> Row:
    """Write one member to a path and return its finished row.

    Its bytes are counted and its checksum is computed while it is written: what the
    archive declares is not believed. What is not as declared is deleted again.

    Args:
        content: what it holds.
        row: what the manifest is to say of it.
        path: where it goes; a file there is replaced.

    Raises:
        Failure: `bad_member`, when the content is not what the archive declares.
    """
    try:
        if content.file:
            key = _checked(content, lambda data: None)
            _with_folder(content.file.replace, path)
        else:
            key = _write(content, path)
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise Failure("bad_member", "a file or directory is in its way") from error
    return Row(row.id, path=row.path, bytes=row.bytes, key=key)


def _write(content: Content, path: str) -> str:
    """Write a content to a new file and return its key."""
    sink = _with_folder(_create, path)
    try:
        key = _checked(content, lambda data: _write_all(sink, data))
    except BaseException:
        Path(path).unlink()
        raise
    finally:
        os.close(sink)
    return key


def _create(path: str) -> int:
    try:
        return os.open(path, _NEW, 0o666)
    except FileExistsError:
        # A killed job has left it half-written.
        Path(path).unlink()
        return os.open(path, _NEW, 0o666)


def _with_folder(make: Callable, path: str):
    """Make a file; make the directory that it goes to where it is not there."""
    try:
        return make(path)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return make(path)


def _write_all(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


def _checked(content: Content, use: Callable[[bytes], object]) -> str:
    """Read a content, pass it on and return its key."""
    member, crc, count = content.member, 0, 0
    for data in content.chunks():
        crc, count = zlib.crc32(data, crc), count + len(data)
        if count > member.bytes:
            break
        use(data)
    if count != member.bytes:
        relation = "more than" if count > member.bytes else f"{count} of"
        raise Failure("bad_member", f"it has {relation} {member.bytes} bytes")
    if member.crc not in (None, crc):
        raise Failure(
            "bad_member", f"its checksum is {crc:08x}, declared is {member.crc:08x}"
        )
    return fingerprint(content=f"{crc:08x}", bytes=count)

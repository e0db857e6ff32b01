"""Archives read with suspicion: what they list, and the content of each member.

`open_archive` tells zip, tar and RAR by content and gives an object with

    members   what the archive lists, in its order, without directories
    listed    whether that is known before `contents` is read to its end
    damage    why the list may not be all of it, or nothing
    contents  gives the content of each member that is wanted

`Plan` says where each member goes, or why it is refused.

No reader writes to where the archive says. The list is what the archive declares;
the caller compares it with what comes out.
"""

import tarfile
from pathlib import Path

from scripts.common.archives.base import (
    Archive,
    ArchiveError,
    Content,
    Member,
    Unreadable,
)
from scripts.common.archives.plan import Plan
from scripts.common.archives.rar import Rar
from scripts.common.archives.source import Source, magic_of
from scripts.common.archives.tar import Tar
from scripts.common.archives.zip import Zip

__all__ = [
    "Archive",
    "ArchiveError",
    "Content",
    "Member",
    "Plan",
    "Source",
    "Unreadable",
    "is_archive",
    "open_archive",
    "stem",
]

# Inside an archive these are archives too, if their content says so as well. Other
# suffixes are not: the content of .docx, .npz and .jar is that of a zip.
SUFFIXES = (
    (".zip", ".rar", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst")
    + (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
)  # fmt: skip


def open_archive(source: Source, scratch: Path, max_bytes: int) -> Archive:
    """Open an archive of any kind, told by its content.

    Args:
        source: its file or files; of a RAR in several volumes, the first.
        scratch: a directory that RAR may make, to unpack into.
        max_bytes: a tar is read up to where its members come to more bytes.

    Raises:
        Unreadable: it is no archive, or its directory cannot be read.
        ArchiveError: a program that is needed is not there.
        OSError: the file is not there or cannot be read.
    """
    with source.open() as file:
        kind = magic_of(file.read(8))
    if kind == "rar":
        return Rar(source, scratch)
    return Zip(source) if kind == "zip" else Tar(source, max_bytes)


def stem(name: str) -> str:
    """Return a member's path without the suffix of an archive, or nothing.

    >>> stem("hmdb51/brush_hair.rar"), stem("a.tar.gz"), stem("model.npz"), stem(".zip")
    ('hmdb51/brush_hair', 'a', '', '')
    """
    if not name.lower().endswith(SUFFIXES):
        return ""
    last = name.rpartition("/")[2].lower()
    found = [end for end in SUFFIXES if last.endswith(end) and last != end]
    return name[: -max(map(len, found))] if found else ""


def is_archive(path: Path) -> bool:
    """Tell whether a file's content begins as that of an archive."""
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if magic_of(head):
        return True
    try:
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True

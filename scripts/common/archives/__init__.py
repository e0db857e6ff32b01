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

from pathlib import Path

from scripts.common.archives.base import Archive, ArchiveError, Member
from scripts.common.archives.rar import Rar
from scripts.common.archives.tar import Tar
from scripts.common.archives.zip import Zip

__all__ = ["Archive", "ArchiveError", "Member", "open_archive"]


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

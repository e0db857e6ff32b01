"""Zip, with the standard library."""

import stat
import zipfile
from pathlib import Path
from typing import BinaryIO

from scripts.common.archives.base import (
    DAMAGE,
    Archive,
    ArchiveError,
    Member,
    means_damage,
)


class Zip(Archive):
    """A zip, with or without the 64-bit extension."""

    def __init__(self, path: Path):
        super().__init__()
        try:
            self._zip = zipfile.ZipFile(path)
        except (*DAMAGE, OSError) as error:
            if isinstance(error, OSError) and not means_damage(error):
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

"""Zip, with the standard library."""

import stat
import zipfile
from collections.abc import Callable, Iterator
from functools import partial

from scripts.common.archives.base import (
    CHUNK,
    DAMAGE,
    Archive,
    Content,
    Member,
    Unreadable,
    damage_as_failure,
    means_damage,
)
from scripts.common.archives.source import Source


class Zip(Archive):
    """A zip, with or without the 64-bit extension."""

    def __init__(self, source: Source):
        super().__init__()
        self._file = source.open()
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (*DAMAGE, OSError) as error:
            self._file.close()
            if isinstance(error, OSError) and not means_damage(error):
                raise
            raise Unreadable(
                f"{source}: the zip's directory cannot be read ({error}): the file is"
                f" cut or damaged{source.doubt}; get it again"
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

    def contents(self, wanted: Callable[[Member], bool]) -> Iterator[Content]:
        for member in self.members:
            if wanted(member):
                yield Content(member, partial(self._chunks, member.handle))
            self.position += member.packed

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        with damage_as_failure(), self._zip.open(info) as file:
            while data := file.read(CHUNK):
                yield data

    def close(self) -> None:
        self._zip.close()
        self._file.close()

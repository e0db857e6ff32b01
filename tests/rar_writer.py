"""A writer of RAR archives for tests: RAR4 and RAR5, members stored uncompressed.

Free programs read RAR but do not write it, and what the tests need most, a hostile or
damaged archive, no program writes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

MODE_FILE, MODE_LINK = 0o100644, 0o120777
DATE = (2020 - 1980) << 25 | 1 << 21 | 1 << 16  # 1 January 2020, as DOS writes it


@dataclass(frozen=True)
class Entry:
    """One member: a file, or with `link` a symbolic link."""

    name: str
    data: bytes = b""
    link: str = ""
    wrong_crc: bool = False
    encrypted: bool = False
    declared: int | None = None  # size after unpacking, if not that of the data

    @property
    def stored(self) -> bytes:
        return self.link.encode() or self.data

    @property
    def size(self) -> int:
        return len(self.stored) if self.declared is None else self.declared

    @property
    def crc(self) -> int:
        return crc32(self.stored) ^ (0xFFFF if self.wrong_crc else 0)

    @property
    def mode(self) -> int:
        return MODE_LINK if self.link else MODE_FILE


def rar4(entries: Sequence[Entry]) -> bytes:
    """Return a RAR4 archive: blocks of CRC-16, type, flags, size, fields."""
    blocks = [b"Rar!\x1a\x07\x00", _block4(0x73, 0, bytes(6))]
    for entry in entries:
        flags = 0x8000 | (0x04 if entry.encrypted else 0)
        path = entry.name.replace("/", "\\")
        name = path.encode("ascii", "replace").replace(b"?", b"_")
        if not path.isascii():
            flags |= 0x0200
            name += b"\0" + _packed_utf16(path)
        fields = struct.pack(
            "<IIBIIBBHI",
            len(entry.stored),
            entry.size,
            3,  # made on Unix
            entry.crc,
            DATE,
            20,  # version 2.0 suffices to unpack it
            0x30,  # stored
            len(name),
            entry.mode,
        )
        blocks += [_block4(0x74, flags, fields + name), entry.stored]
    return b"".join([*blocks, _block4(0x7B, 0x4000, b"")])


def _block4(kind: int, flags: int, fields: bytes) -> bytes:
    header = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", crc32(header) & 0xFFFF) + header


def _packed_utf16(text: str) -> bytes:
    """Return RAR4's Unicode name: a flag byte (2: whole codes) before each four."""
    units = text.encode("utf-16-le")
    groups = [units[start : start + 8] for start in range(0, len(units), 8)]
    return b"\0" + b"".join(b"\xaa" + group for group in groups)


def rar5(entries: Sequence[Entry]) -> bytes:
    """Return a RAR5 archive: blocks of CRC-32, size, type, flags, fields."""
    blocks = [b"Rar!\x1a\x07\x01\x00", _block5(_numbers(1, 0, 0))]
    for entry in entries:
        extra = b""
        if entry.link:
            target = entry.link.encode()
            extra += _record(_numbers(5, 1, 0, len(target)) + target)
        if entry.encrypted:
            extra += _record(_numbers(1, 0, 0) + bytes([15]) + bytes(32))
        name = entry.name.encode()
        flags = 0x02 | (0x01 if extra else 0)
        fields = _numbers(2, flags, *([len(extra)] if extra else []))
        fields += _numbers(len(entry.stored), 0x04, entry.size, entry.mode)
        fields += struct.pack("<I", entry.crc)
        fields += _numbers(0, 1, len(name)) + name
        blocks += [_block5(fields + extra), entry.stored]
    return b"".join([*blocks, _block5(_numbers(5, 0, 0))])


def _block5(fields: bytes) -> bytes:
    header = _numbers(len(fields)) + fields
    return struct.pack("<I", crc32(header)) + header


def _record(fields: bytes) -> bytes:
    return _numbers(len(fields)) + fields


def _numbers(*values: int) -> bytes:
    """Return RAR5's numbers: seven bits a byte, the lowest first."""
    data = bytearray()
    for value in values:
        while value > 0x7F:
            data.append(value & 0x7F | 0x80)
            value >>= 7
        data.append(value)
    return bytes(data)

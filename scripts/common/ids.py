"""Names that hold still: slugs, shard numbers and keys.

A video's id is its path below the dataset's source, or a name that the annotations
give. What is named after a video uses `slug(id)`, what is grouped uses
`shard_of(id, shards)`, and whether a result still stands is told by its key.
"""

import hashlib
import json
import re

# Most ids are so; they need no look at each character.
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./-]{0,199}")
_ESCAPED = re.compile(r"(?:=[0-9A-F]{2})+")
# `json.dumps` makes a new encoder at each call.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# File systems stop at 255 bytes; the rest is room for suffixes and temporary names.
LONGEST_SLUG = 200


class SlugTooLong(ValueError):
    """The id is too long to name a file after it."""


def slug(video_id: str) -> str:
    """Turn an id into one file name: reversible, and no two ids share one.

    `/` becomes `+`; letters, digits and `-._` stay; every other character becomes
    `=XX` for each byte of its UTF-8 form, and so does a leading `-` or `.`, which
    would make an option or a hidden file of the name.

    >>> slug("run/a clip.mp4")
    'run+a=20clip.mp4'

    Raises:
        ValueError: the id is empty.
        SlugTooLong: the slug would have more than 200 bytes.
    """
    if not video_id:
        raise ValueError("an id must not be empty")
    if _PLAIN.fullmatch(video_id):
        return video_id.replace("/", "+")
    pieces = []
    for position, character in enumerate(video_id):
        if character == "/":
            pieces.append("+")
        elif (
            character.isalnum() or character == "_" or (position and character in "-.")
        ):
            pieces.append(character)
        else:
            data = character.encode("utf-8", "surrogateescape")
            pieces.append("".join(f"={byte:02X}" for byte in data))
    name = "".join(pieces)
    if len(name.encode()) > LONGEST_SLUG:
        raise SlugTooLong(
            f"its file name would have {len(name.encode())} bytes, more than"
            f" {LONGEST_SLUG}: shorten the path or give an `id` column"
        )
    return name


def unslug(name: str) -> str:
    """Return the id that `slug` made the name from.

    >>> unslug("run+a=20clip.mp4")
    'run/a clip.mp4'
    """

    def decode(match: re.Match) -> str:
        data = bytes.fromhex(match[0].replace("=", ""))
        return data.decode("utf-8", "surrogateescape")

    return _ESCAPED.sub(decode, name.replace("+", "/"))


def shard_of(video_id: str, shards: int) -> int:
    """Return the shard, 0 to shards - 1, in which a video stays whatever is added."""
    data = video_id.encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(data, digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def shard_name(number: int) -> str:
    """Return the name of a shard as it stands in paths: five digits."""
    return f"{number:05d}"


def fingerprint(**parts) -> str:
    """Return 16 hex digits that change when any of the JSON-able parts changes."""
    return hashlib.blake2b(_encode(parts).encode(), digest_size=8).hexdigest()

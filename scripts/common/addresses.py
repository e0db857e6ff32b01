"""What the `path` of a video's row means: a YouTube id, a URL, or a local file."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import parse_qs, urlsplit

from scripts.common import media
from scripts.common.ids import SlugTooLong, fingerprint, slug

YOUTUBE = "www.youtube.com"

_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_HOST = re.compile(r"(.+\.)?(youtube(-nocookie)?\.com|youtu\.be)")
_PLAYERS = frozenset({"embed", "shorts", "live", "v", "e"})


@dataclass(frozen=True)
class Address:
    """A video on the network.

    Attributes:
        url: the one address under which it is asked for.
        host: who is asked.
        name: what its file is called, without suffix; one name for each address.
    """

    url: str
    host: str
    name: str


def parse(path: str) -> Address | None:
    """Return the address that a row's `path` means, None for a local path.

    >>> parse("https://youtu.be/v_GGSY1Qvo9?t=3").url
    'https://www.youtube.com/watch?v=v_GGSY1Qvo9'
    """
    if video := youtube_id(path):
        return Address(f"https://{YOUTUBE}/watch?v={video}", YOUTUBE, slug(video))
    if not is_url(path):
        return None
    try:
        name = slug(path)
    except SlugTooLong:
        name = fingerprint(url=path)
    return Address(path, host(path), name)


def is_url(path: str) -> bool:
    """Tell whether the text is an address of the web."""
    return re.match(r"https?://", path, re.IGNORECASE) is not None


def host(url: str) -> str:
    """Return the host of an address, in small letters; empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def youtube_id(path: str) -> str | None:
    """Return the id of a YouTube video, given bare or in any form of its address."""
    if _ID.fullmatch(path):
        return path
    if not (is_url(path) and _YOUTUBE_HOST.fullmatch(host(path))):
        return None
    parts = urlsplit(path)
    steps = [step for step in parts.path.split("/") if step]
    if host(path).endswith("youtu.be"):
        candidates = steps[:1]
    elif len(steps) > 1 and steps[0] in _PLAYERS:
        candidates = steps[1:2]
    else:
        candidates = parse_qs(parts.query).get("v", [])
    return next(filter(_ID.fullmatch, candidates), None)


def video_suffix(url: str) -> str | None:
    """Return the suffix of an address that ends like a video file, else None."""
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    return suffix if suffix in media.VIDEO_SUFFIXES else None

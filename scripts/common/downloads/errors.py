"""yt-dlp's exceptions as reasons of the manifest."""

import re
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import GeoRestrictedError, UnsupportedError

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ADDRESS = re.compile(r"https?://\S+")

# What a status of HTTP means by itself. The others, as 403, need the words.
_STATUSES = {
    404: "not_found",
    408: "network",
    410: "removed",
    425: "network",
    429: "rate_limited",
    451: "geo",
}

# Only the words tell the sites' own reasons. The first that fits counts: YouTube says
# "Sign in" about robots, age and private videos, and "not available" about everything.
_WORDS = tuple(
    (reason, re.compile(words, re.IGNORECASE))
    for reason, words in (
        ("rate_limited", r"rate.?limit|captcha|too many requests|try again later"),
        ("bot_check", r"not a (ro)?bot|unusual traffic"),
        ("age", r"confirm your age|age.restricted|inappropriate for some"),
        ("geo", r"(in|from) your (country|location|region)|geo.?restrict"),
        ("copyright", r"copyright"),
        ("members", r"members.only|join this channel|\bpremium\b|requires payment"),
        ("members", r"registered users|logged.in users|subscribers only|purchase|rent"),
        ("private", r"private video|video is private|has been made private"),
        ("no_video", r"live event|premieres? in|offline|livestream|live stream"),
        ("removed", r"removed|terminated|deleted|no longer available|closed"),
        ("not_found", r"does(n.t| not) exist|not found|truncated|not a valid url"),
        ("removed", r"video (is )?(unavailable|not available)|isn.t available"),
        ("no_video", r"unsupported url|no video|only images|no media|requested format"),
        ("network", r"timed out|more expected|bytes read|failed to resolve"),
        ("network", r"connection|content too short|unable to download|data blocks"),
    )
)


def classify(error: BaseException) -> tuple[str, str]:
    """Return the reason (one of REASONS) and the raw message of a failed download.

    Args:
        error: what yt-dlp raised, usually a DownloadError; its causes are looked at
            first, because its text alone may quote anything.
    """
    text = message(error)
    causes = list(_causes(error))
    status = next((c.status for c in causes if isinstance(c, HTTPError)), None)
    if status is None and (told := re.search(r"HTTP Error (\d{3})", text)):
        status = int(told[1])
    if status is not None and (status in _STATUSES or status >= 500):
        return _STATUSES.get(status, "network"), text
    for kind, reason in (
        (TransportError, "network"),
        (GeoRestrictedError, "geo"),
        (UnsupportedError, "no_video"),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return reason, text
    words = _ADDRESS.sub("", text)
    if status is not None:
        # "Unable to download" says nothing of why the server refused.
        words = words.replace("Unable to download", "")
    for reason, pattern in _WORDS:
        if pattern.search(words):
            return reason, text
    return "unknown", text


def message(error: BaseException) -> str:
    """Return an exception's text in one line, without colours and `ERROR:`."""
    text = " ".join(_COLOURS.sub("", str(error)).split())
    return text.removeprefix("ERROR: ") or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception and all that led to it, the outermost first."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.append((getattr(current, "exc_info", None) or [None] * 2)[1])
        waiting += [getattr(current, "cause", None), current.__cause__]

"""yt-dlp with this project's manners; trying again; limits and progress."""

import contextlib
import email.utils
import shutil
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm
from yt_dlp import YoutubeDL
from yt_dlp.globals import supported_js_runtimes
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import YoutubeDLError

from scripts.common.downloads.errors import classify, message
from scripts.common.downloads.settings import NotReady, Settings
from scripts.common.tables import Failure

# Seconds to the second attempt; to each further one three times as many.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
# Bytes that are read and written at a time.
BLOCK = 1 << 16
# A server that asks for more patience than this is asked again by another run.
PATIENCE = 120.0

_Result = TypeVar("_Result")


class NoSpace(NotReady):
    """The disk would be fuller than `download: min_free` allows."""


class Refused(Failure):
    """A request that failed, and in how many seconds the server may be asked again."""

    def __init__(self, reason: str, message: str, retry_after: float | None = None):
        super().__init__(reason, message)
        self._retry_after = retry_after

    def pause(self, attempt: int) -> float | None:
        """Return the seconds before the attempt after this one, None for no other."""
        if self._retry_after is not None:
            return self._retry_after if self._retry_after <= PATIENCE else None
        return backoff(attempt) if self.reason == "network" else None


def backoff(attempt: int) -> float:
    """Return the seconds to wait after the attempt, counted from 1."""
    return min(FIRST_PAUSE * 3 ** (attempt - 1), LONGEST_PAUSE)


class _Log:
    """Keeps yt-dlp quiet, and what it warned of for the message of a failure."""

    def __init__(self):
        self.warnings: list[str] = []

    def debug(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        if "Falling back on generic" not in text:  # said of every unknown site
            self.warnings.append(message(Warning(text)).removeprefix("WARNING: "))

    def error(self, text: str) -> None:
        pass  # is raised as an exception too


class Session(YoutubeDL):
    """A YoutubeDL that reads nothing of the user's and says what happened."""

    def __init__(
        self,
        settings: Settings,
        look: Callable = lambda response: None,
        **params,
    ):
        """Begin a session.

        Args:
            settings: how to download.
            look: called with each response before its body is read.
            params: further parameters of YoutubeDL.
        """
        self._look, self._retry_after, self._log = look, None, _Log()
        self._responses = weakref.WeakSet()
        retries = settings.attempts - 1
        if settings.proxy:
            params["proxy"] = settings.proxy
        super().__init__(
            {
                "quiet": True,
                "noprogress": True,
                "logger": self._log,
                "cachedir": False,
                "updatetime": False,
                "cookiefile": settings.cookie_copy(),
                "socket_timeout": settings.timeout,
                "ratelimit": settings.rate_limit,
                # A connection that breaks loses the block that was being read.
                "buffersize": BLOCK,
                "noresizebuffer": True,
                # Files are tried again by `persistently`, which sees whether they grow.
                "retries": 0,
                "fragment_retries": retries,
                "extractor_retries": retries,
                "retry_sleep_functions": {
                    kind: lambda n: backoff(n + 1)
                    for kind in ("http", "fragment", "extractor")
                },
                "sleep_interval_requests": settings.sleep_requests,
                "js_runtimes": {name: {} for name in supported_js_runtimes.value},
                **params,
            }
        )

    def save_cookies(self) -> None:
        """Keep cookies as the user exported them."""

    def close(self) -> None:
        """End all connections, also those that yt-dlp leaves open after an error."""
        for response in list(self._responses):
            response.close()
        super().close()

    def urlopen(self, req):
        """Send a request; keep what a refusal says of trying again."""
        try:
            response = super().urlopen(req)
        except HTTPError as error:
            self._retry_after = _seconds(error.response.headers.get("Retry-After"))
            self._responses.add(error.response)
            raise
        self._responses.add(response)
        self._look(response)
        return response

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Turn what yt-dlp raises inside the block into Refused."""
        try:
            yield
        except YoutubeDLError as error:
            reason, text = classify(error)
            if "No space left" in text or "quota exceeded" in text:
                raise NoSpace(f"the disk is full: {text}") from error
            if self._log.warnings:
                text += (
                    f" (before that: {'; '.join(dict.fromkeys(self._log.warnings))})"
                )
            raise Refused(reason, text, self._retry_after) from error


def _seconds(retry_after: str | None) -> float | None:
    """Parse `Retry-After`, seconds or a date; None where it says nothing."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - time.time())


def persistently(
    attempt: Callable[[], _Result], folder: Path, settings: Settings
) -> _Result:
    """Try until it works, or until `attempts` in a row brought nothing new.

    Args:
        attempt: raises Refused, which says whether to try again and when.
        folder: where that which has arrived is kept.
        settings: `attempts`.
    """
    most, tried = _bytes_in(folder), 0
    while True:
        try:
            return attempt()
        except Refused as refusal:
            held = _bytes_in(folder)
            tried = 1 if held > most else tried + 1
            most = max(most, held)
            pause = refusal.pause(tried)
            if tried >= settings.attempts or pause is None:
                raise
        time.sleep(pause)


def _bytes_in(folder: Path) -> int:
    notes = {".version", ".ytdl"}
    content = (path for path in folder.iterdir() if path.suffix not in notes)
    return sum(path.stat().st_size for path in content)


class Watch:
    """A progress hook of yt-dlp that keeps to the limits.

    It shows a bar on a terminal, in a log a line every half minute.
    """

    def __init__(self, label: str, folder: Path, settings: Settings):
        self._label, self._folder, self._settings = label, folder, settings
        self._said = time.monotonic()
        self.expect(0)
        self._bar = tqdm(
            desc=label,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()

    def __call__(self, status: dict) -> None:
        """Look at the state of a download, as yt-dlp's hooks get it."""
        if status["status"] != "downloading":
            return
        done, total = status.get("downloaded_bytes") or 0, status.get("total_bytes")
        self.expect(max(total or 0, done), done)
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        now = time.monotonic()
        if self._bar.disable and now - self._said > 30:
            of = f" of {tqdm.format_sizeof(total)}B" if total else ""
            speed = tqdm.format_sizeof(status.get("speed") or 0)
            done_text = tqdm.format_sizeof(done)
            print(f"{self._label}: {done_text}B{of}, {speed}B/s", flush=True)
            self._said = now

    def expect(self, total: int, done: int = 0) -> None:
        """See whether a file of `total` bytes, of which `done` are here, is welcome.

        Raises:
            Failure: `too_large`.
            NoSpace: the disk has no room for the rest.
        """
        largest = self._settings.max_bytes
        if largest is not None and total > largest:
            raise Failure(
                "too_large", f"{total} bytes, `download: max_bytes` is {largest:.0f}"
            )
        free = shutil.disk_usage(self._folder).free
        if free - (total - done) < self._settings.min_free:
            raise NoSpace(
                f"{self._label}: {total - done} bytes are to come, {free} are free in"
                f" {self._folder}, and `download: min_free` keeps"
                f" {self._settings.min_free:.0f}; make room and run it again"
            )

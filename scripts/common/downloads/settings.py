"""How to download: the config's `download:`, checked before the first request."""

import argparse
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from yt_dlp.cookies import YoutubeDLCookieJar
from yt_dlp.globals import supported_js_runtimes

from scripts.common import addresses


class NotReady(Exception):
    """This machine or its settings do not allow the download; says the remedy."""


@dataclass(frozen=True)
class Settings:
    """The config's `download:`; nothing in it decides about the result.

    Attributes:
        cookies: a cookies.txt in Netscape's format; read, never written.
        proxy: address of a proxy, None for what the environment says.
        sleep: seconds between two videos of one host.
        sleep_requests: seconds between yt-dlp's requests about one video.
        rate_limit: bytes per second, None for no limit.
        attempts: how often in a row without a new byte, at least 1.
        timeout: seconds that a server may be silent.
        stop_after: equal refusals of a host in a row that end the asking.
        cooldown: seconds for which the host is then left alone.
        max_bytes: larger videos are not taken, None for no limit.
        min_free: bytes that stay free on the disk.
        player_clients: as which programs yt-dlp asks YouTube, None for its choice.
        on_pending: `stop` without a manifest, or `go_on` with what is there.
    """

    cookies: str | None = None
    proxy: str | None = None
    sleep: float = 5.0
    sleep_requests: float = 1.0
    rate_limit: float | None = None
    attempts: int = 4
    timeout: float = 30.0
    stop_after: int = 3
    cooldown: float = 3600.0
    max_bytes: float | None = None
    min_free: float = 5e9
    player_clients: list[str] | None = None
    on_pending: str = "stop"

    def cookie_copy(self) -> io.StringIO | None:
        """Return a private copy of the cookies; yt-dlp writes to what it is given.

        Raises:
            NotReady: the file is not there, or is no cookies.txt.
        """
        if self.cookies is None:
            return None
        try:
            text = Path(self.cookies).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NotReady(
                f"`download: cookies`: {self.cookies} cannot be read ({error}); name a"
                " cookies.txt that was exported from a browser, or remove the key"
            ) from error
        records = [
            line.removeprefix(YoutubeDLCookieJar._HTTPONLY_PREFIX).split("\t")
            for line in text.splitlines()
        ]
        if not any(len(record) == YoutubeDLCookieJar._ENTRY_LEN for record in records):
            raise NotReady(
                f"`download: cookies`: {self.cookies} is no cookies.txt in Netscape's"
                " format: seven fields a line, with tabs between them; export it anew"
            )
        return io.StringIO(text)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add `--settings`, which becomes Settings."""
    parser.add_argument(
        "--settings",
        type=lambda text: Settings(**json.loads(text)),
        default=Settings(),
        metavar="JSON",
        help="`download:` of the config (see config/README.md)",
    )


def check_ready(urls: Iterable[str], settings: Settings) -> None:
    """See that the addresses can be asked for at all.

    Raises:
        NotReady: the cookies are unusable, or an address is YouTube's and there is no
            program that runs the JavaScript which YouTube asks for.
    """
    settings.cookie_copy()
    if any(addresses.youtube_id(url) for url in urls):
        runtimes = [kind().info for kind in supported_js_runtimes.value.values()]
        if not any(runtime and runtime.supported for runtime in runtimes):
            found = ", ".join(f"{r.name} {r.version} is too old" for r in runtimes if r)
            raise NotReady(
                "YouTube needs a program that runs JavaScript, and there is none"
                f"{f' ({found})' if found else ''}: `pip install deno`, or install"
                " deno, node, bun or quickjs; see"
                " https://github.com/yt-dlp/yt-dlp/wiki/EJS"
            )

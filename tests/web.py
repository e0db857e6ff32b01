"""A web server that misbehaves as asked, and remembers what it was asked for.

The first part of an address says what happens to the file named by the rest:

    /<file>                     served, also in parts
    /cut/<n>/<bytes>/<file>     the first n answers break off after so many bytes
    /error/<n>/<status>/<file>  the first n answers are this status
    /later/<status>/<seconds>/  the first answer is this status with Retry-After
    /stall/<n>/<file>           the first n answers stop in the middle and hold the line
    /slow/<seconds>/<file>      every 16 kB take so long
    /whole/<cut>/<file>         knows no Range, and the first `cut` answers break off
    /blind/<n>/<bytes>/<file>   as cut, and knows no If-Range
    /lie/<bytes>/<file>         declares more bytes than it sends
    /page/<file>                a page to read
    /moved/<file>               redirects to /<file>

A request for an absolute address, as a proxy gets it, is served likewise.
"""

import contextlib
import http.server
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml"}
PAGE = b"<!DOCTYPE html><html><title>Sorry</title><body>log in first</body></html>"


@dataclass
class Request:
    """One request as the server saw it; `sent` counts the bytes of the answer."""

    path: str
    headers: dict[str, str]
    proxied: bool
    sent: int = 0

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass
class Web:
    """The server's files, its port and the requests so far."""

    folder: Path
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == f"/{path}"]

    def wait_for_bytes(self, count: int) -> None:
        until = time.monotonic() + 60
        while sum(request.sent for request in self.requests) < count:
            assert time.monotonic() < until
            time.sleep(0.01)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Web]:
    """Serve a folder's files on loopback while the block runs."""
    web = Web(folder)
    handler = type("Handler", (_Handler,), {"web": web, "counts": Counter()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    web.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield web
    finally:
        web.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    web: Web
    counts: Counter

    def log_message(self, *arguments) -> None:
        pass

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_seen = Request(address.path, headers, bool(address.netloc))
        self.web.requests.append(self.request_seen)
        self.counts[address.path] += 1
        kind, *rest = unquote(address.path).strip("/").split("/")
        method = getattr(self, f"_{kind}", None)
        with contextlib.suppress(ConnectionError):
            if rest and method:
                method(*rest)
            else:
                self._file("/".join([kind, *rest]))

    @property
    def _time(self) -> int:
        """How often this address was asked for, with this one."""
        return self.counts[self.request_seen.path]

    def _cut(self, times: str, count: str, name: str) -> None:
        self._file(name, until=int(count) if self._time <= int(times) else None)

    def _blind(self, times: str, count: str, name: str) -> None:
        del self.headers["If-Range"]
        self._cut(times, count, name)

    def _error(self, times: str, status: str, name: str) -> None:
        if self._time <= int(times):
            self._answer(int(status), b"an error page")
        else:
            self._file(name)

    def _later(self, status: str, seconds: str, name: str) -> None:
        if self._time == 1:
            self._answer(int(status), b"later", {"Retry-After": seconds})
        else:
            self._file(name)

    def _stall(self, times: str, name: str) -> None:
        stall = self._time <= int(times)
        self._file(name, until=30_000 if stall else None)
        if stall:
            self.web.closing.wait(60)

    def _slow(self, seconds: str, name: str) -> None:
        self._file(name, pause=float(seconds))

    def _whole(self, cut: str, name: str) -> None:
        del self.headers["Range"]
        self._file(name, until=40_000 if self._time <= int(cut) else None)

    def _lie(self, more: str, name: str) -> None:
        self._file(name, more=int(more))

    def _page(self, name: str) -> None:
        self._answer(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})

    def _moved(self, name: str) -> None:
        self._answer(302, b"", {"Location": f"/{name}"})

    def _answer(self, status: int, body: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.request_seen.sent += len(body)

    def _file(
        self, name: str, until: int | None = None, more: int = 0, pause: float = 0
    ) -> None:
        path = self.web.folder / name
        if not path.is_file():
            self._answer(404, b"no such file")
            return
        data = path.read_bytes()
        version = f'"{path.stat().st_mtime_ns}"'
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if self.headers.get("If-Range", version) != version:
            asked = None
        start, end = 0, len(data)
        if asked:
            start, end = int(asked[1]), int(asked[2] or len(data) - 1) + 1
            if start >= len(data):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
        body = data[start:end]
        self.send_response(206 if asked else 200)
        if asked:
            place = f"bytes {start}-{start + len(body) - 1}/{len(data)}"
            self.send_header("Content-Range", place)
        kind = TYPES.get(path.suffix, "application/octet-stream")
        self.send_header("Content-Type", kind)
        self.send_header("ETag", version)
        self.send_header("Content-Length", str(len(body) + more))
        self.end_headers()
        body = body[:until]
        for begin in range(0, len(body), 16_000):
            if self.web.closing.wait(pause):
                return
            piece = body[begin : begin + 16_000]
            self.wfile.write(piece)
            self.wfile.flush()
            self.request_seen.sent += len(piece)

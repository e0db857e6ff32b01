"""A plain file from the first of several addresses that gives it."""

import contextlib
import functools
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from yt_dlp.utils import is_html

from scripts.common import files
from scripts.common.addresses import is_url
from scripts.common.downloads.session import Refused, Session, Watch, persistently
from scripts.common.downloads.settings import Settings
from scripts.common.ids import fingerprint
from scripts.common.tables import Failure

PARTIAL = ".partial-"


class WebPage(Failure):
    """The server sends a page to read in place of a file."""

    def __init__(self):
        super().__init__(
            "no_video",
            "the server sends a web page, not the file: a login, a quota that is used"
            " up, or a page that links to it; look at the address in a browser",
        )


def fetch_file(
    urls: Sequence[str],
    target: Path,
    settings: Settings,
    bytes: int | None = None,
    sha256: str | None = None,
) -> None:
    """Download a file; what arrived before a break or a kill is not asked for again.

    Args:
        urls: addresses of the same file, tried in turn.
        target: where the file goes when it is whole and right.
        settings: how to download.
        bytes: the file's size, None where it is not known.
        sha256: its hash in hex, None where it is not known.

    Raises:
        Failure: no address gives the file; the message says of each why not.
        NotReady: the cookies are unusable, or the disk has no room.
    """
    if (bytes or sha256) and target.is_file() and not _fault(target, bytes, sha256):
        return
    failures = {}
    with partial_folder(target) as partial:
        for url in urls:
            try:
                file = receive(url, target, partial, settings, bytes)
                if fault := _fault(file, bytes, sha256):
                    file.unlink()
                    raise Failure("corrupt", fault)
                file.replace(target)
                shutil.rmtree(partial)
                return
            except Failure as failure:
                failures[url] = failure
    lines = [f"{url}: {failure.reason}: {failure}" for url, failure in failures.items()]
    reason = next(reversed(failures.values())).reason if failures else "missing"
    raise Failure(reason, "\n".join(lines) or "no address is named")


def partial_path(target: Path) -> Path:
    """Return the folder for what has arrived of a file that is not whole yet."""
    return target.with_name(f"{PARTIAL}{target.name}")


@contextlib.contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Give that folder; it stays if something is in it."""
    folder = partial_path(target)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # not empty, or gone
            folder.rmdir()


def receive(
    url: str,
    target: Path,
    partial: Path,
    settings: Settings,
    bytes: int | None = None,
) -> Path:
    """Bring all of a file into the folder of partial files and return its path.

    Args:
        url: where it is.
        target: what it will be called.
        partial: the folder; what it holds of the same address is gone on from.
        settings: how to download.
        bytes: its size, None where it is not known.

    Raises:
        Failure: it does not come; WebPage where a page comes in its place.
    """
    if not is_url(url):
        raise Failure(
            "not_found", "the address does not begin with http:// or https://"
        )
    # Halves from two servers make no whole: one partial file per address.
    whole = partial / fingerprint(url=url)
    return persistently(
        functools.partial(_receive_rest, url, target, whole, settings, bytes),
        partial,
        settings,
    )


def _receive_rest(
    url: str, target: Path, whole: Path, settings: Settings, bytes: int | None
) -> Path:
    """Get what is missing, in one connection."""
    wants_page = target.suffix.lower() in {".html", ".htm"}
    # yt-dlp's name for what it goes on from, and which version of the file that is of.
    part, version = whole.with_name(f"{whole.name}.part"), whole.with_suffix(".version")
    length = None

    def look(response) -> None:
        nonlocal length
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html") and not wants_page:
            raise WebPage
        length = _length(response.headers)
        if bytes is not None and length not in (None, bytes):
            raise Failure("corrupt", _wrong_size(length, bytes))
        watch.expect(length or 0, _size(part))
        if response.status == 206 and known != _version(response.headers):
            part.unlink()  # the server does not know If-Range
            raise Refused("network", "the file has changed meanwhile")
        if response.status == 200:
            version.write_text(_version(response.headers), encoding="utf-8")

    # Where the file has changed, a server sends all of it in place of the rest.
    known = (
        version.read_text(encoding="utf-8") if _size(part) and version.exists() else ""
    )
    info = {"url": url, "http_headers": {"If-Range": known} if known else {}}
    with (
        Watch(target.name, whole.parent, settings) as watch,
        Session(settings, look, progress_hooks=[watch]) as session,
        session.failures(),
    ):
        session.dl(str(whole), info)
    if length not in (None, _size(whole)):
        size = _size(whole)
        whole.unlink()
        raise Refused("network", _wrong_size(size, length))
    with whole.open("rb") as file:
        page = is_html(file.read(1024)) and not wants_page
    if page:
        whole.unlink()
        raise WebPage
    version.unlink(missing_ok=True)
    return whole


def _length(headers) -> int | None:
    """Return the size of the whole file as the server declares it."""
    if headers.get("Content-Encoding"):
        return None
    if of := re.search(r"/(\d+)$", headers.get("Content-Range", "")):
        return int(of[1])
    declared = headers.get("Content-Length", "")
    return int(declared) if declared.isdecimal() else None


def _version(headers) -> str:
    """Return what tells this version of a file from another, as If-Range takes it."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _fault(path: Path, bytes: int | None, sha256: str | None) -> str | None:
    """Return what is wrong with a file, None if it is as it should be."""
    if bytes is not None and path.stat().st_size != bytes:
        return _wrong_size(path.stat().st_size, bytes)
    if sha256 is not None and (found := files.sha256(path)) != sha256.lower():
        return f"its sha256 is {found} and should be {sha256.lower()}"
    return None


def _wrong_size(found: int, right: int) -> str:
    return f"it has {found} bytes and should have {right}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

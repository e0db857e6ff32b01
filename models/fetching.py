"""Published weights: bring them to a folder, once, whatever breaks off meanwhile."""

import fcntl
import hashlib
import re
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm import tqdm

from models.cards.base import NEVER, Card, Checkpoint
from models.checkpoints import MAGIC, CheckpointError, check_magic, read

ATTEMPTS = 4
"""Connections per address; each goes on where the one before it broke off."""

TIMEOUT = 60
"""Seconds without a byte after which a connection counts as broken."""

PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""

CHUNK = 1 << 20
"""Bytes that are taken from a server at a time."""


class CheckpointUnavailable(RuntimeError):
    """A checkpoint that could not be brought; the message says how to do it by hand."""

    def __init__(self, card: Card, path: Path, reasons: list[str]) -> None:
        file, told = card.checkpoint, "".join(f"  {reason}\n" for reason in reasons)
        super().__init__(
            f"cannot get {file.file} ({file.size}), the weights of {card.name!r}:\n"
            f"{told}{self._remedy(file)}\nand put it at {path.absolute()}"
        )

    @staticmethod
    def _remedy(file: Checkpoint) -> str:
        if file.size == NEVER:
            return f"Train one, as {file.page} does,"
        return f"Download it by hand from {file.page}"


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(card: Card, directory: str | Path) -> Path:
    """The card's checkpoint as a file in `directory`: found there, or downloaded.

    A file under the card's name is taken, so weights can be placed by hand. Otherwise
    the card's addresses are tried in turn. What has arrived is kept beside the
    target, under a hidden name, when a connection breaks, and the next attempt or
    process goes on from there; the whole file is checked, then moved into place.
    Parallel processes wait for the first one.

    Raises `CheckpointUnavailable` when no address gives the file, or the file in
    place is not the card's.
    """
    directory = Path(directory)
    path = directory / card.checkpoint.file
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory / f".{path.name}.lock"):
            if not path.exists():  # another process may have brought it meanwhile
                _download(card, path)
                return path
    try:
        _verify(path, card)
    except CheckpointError as error:
        raise CheckpointUnavailable(card, path, [str(error)]) from error
    return path


def fetch_url(card: Card, url: str, directory: str | Path) -> Path:
    """Like `fetch`, from one address: one of the card's, or weights of another origin.

    For an address that is not on the card, the file's name begins with the hash of
    the address, because names like `checkpoint.pth` repeat.
    """
    checkpoint = card.checkpoint
    if url not in checkpoint.urls:
        name = re.sub(r"[^\w.-]+", "_", url.split("?")[0].rsplit("/", 1)[-1])
        digest = hashlib.sha256(url.encode()).hexdigest()[:12]
        checkpoint = replace(
            checkpoint,
            page=url,
            file=f"{digest}-{name}",
            size="size unknown",
            sha256=None,
        )
    checkpoint = replace(checkpoint, urls=(url,))
    return fetch(replace(card, checkpoint=checkpoint), directory)


def _download(card: Card, path: Path) -> None:
    reasons = []
    for url in card.checkpoint.urls:
        # One partial file per address: two servers' halves make no whole.
        part = path.with_name(f".{path.name}.{zlib.crc32(url.encode()):08x}.part")
        try:
            _transfer(url, part, path.name)
            try:
                _verify(part, card)
                read(part)  # where no hash is known, this is what tells
            except CheckpointError:
                part.unlink()  # nothing to go on from
                raise
            part.replace(path)
            return
        except (OSError, HTTPException, CheckpointError) as error:
            reasons.append(f"{url}: {error}")
    raise CheckpointUnavailable(card, path, reasons or ["no address is known"])


def _transfer(url: str, part: Path, label: str) -> None:
    """Bring all bytes of `url` to `part`, in as many connections as `ATTEMPTS`."""
    for attempt in range(ATTEMPTS):
        try:
            return _receive(url, part, label)
        except (OSError, HTTPException) as error:
            # 4xx is the server's last word, except "too slow" and "too many".
            status = getattr(error, "code", 0)
            final = 400 <= status < 500 and status not in (408, 429)
            if final or attempt == ATTEMPTS - 1:
                raise
        time.sleep(PAUSE * 2**attempt)
    return None


def _receive(url: str, part: Path, label: str) -> None:
    """Append what is missing in `part`, in one connection."""
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "reelset", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416 or not start:
                raise
            # Nothing is left after `start`: the file is whole, or not this one.
            if error.headers.get("Content-Range") == f"bytes */{start}":
                return
        part.unlink()
        raise ConnectionError("the file has changed on the server") from error
    with response:
        if response.status != 206:  # the whole file, whatever was asked for
            start = 0
        total = _total(response, start)
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(
                total=total,
                initial=start,
                desc=label,
                unit="B",
                unit_scale=True,
                disable=None,  # silent where stderr is no terminal
            ) as progress,
        ):
            while chunk := response.read(CHUNK):
                if not file.tell() and not chunk.startswith(MAGIC):
                    raise CheckpointError(
                        "the server sent "
                        + response.headers.get("Content-Type", "something")
                        + ", not a checkpoint (a page that asks for a click?)"
                    )
                file.write(chunk)
                progress.update(len(chunk))
            size = file.tell()
        if total is not None and size != total:
            raise ConnectionError(f"broke off after {size} of {total} bytes")


def _total(response: HTTPResponse, start: int) -> int | None:
    """The size of the whole file in bytes, where the server tells it."""
    if start:
        span = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "")
        )
        if not span or int(span[1]) != start:
            raise ConnectionError("the server sent another range than was asked for")
        return int(span[2])
    length = response.headers.get("Content-Length")
    return None if length is None else int(length)


def _verify(path: Path, card: Card) -> None:
    """Raise `CheckpointError` unless the file looks like the card's checkpoint."""
    check_magic(path)
    known = card.checkpoint.sha256
    if known:
        digest = sha256(path)
        if not digest.startswith(known):
            raise CheckpointError(
                f"{path} has SHA-256 {digest[: len(known)]}, not {known}"
            )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which stays: removing it would be a race."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

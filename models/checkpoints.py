"""Published weights: download them, read them without running code, load them.

`fetch` brings a card's file to a folder, `read` makes tensors of a file, `load_strict`
puts them into a network. A checkpoint is a pickle, and a pickle from the network can
run anything: PyTorch's are read with `weights_only=True`, Caffe2's by `models.caffe2`.
Which one a file is, its first bytes say; names like `.pkl` are used for both.
"""

import fcntl
import hashlib
import re
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models import caffe2
from models.cards.base import Card

ATTEMPTS = 4
"""Connections per address; each goes on where the one before it broke off."""

TIMEOUT = 60
"""Seconds without a byte after which a connection counts as broken."""

PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""

ZIP = b"PK\x03\x04"
"""How the archive begins that torch.save makes."""

BARE = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The number at the head of torch.save's files from before 1.6, which are pickles."""

MAGIC = (ZIP, b"\x80")
"""How a checkpoint begins: with PyTorch's archive, or as a pickle."""

CHUNK = 1 << 20


class CheckpointError(ValueError):
    """A file that is no checkpoint, or a checkpoint that does not fit the network."""


class CheckpointUnavailable(RuntimeError):
    """A checkpoint that could not be brought; the message says how to do it by hand."""

    def __init__(self, card: Card, path: Path, reasons: list[str]) -> None:
        file = card.checkpoint
        super().__init__(
            f"cannot get {file.file} ({file.size}), the weights of {card.name!r}:\n"
            + "".join(f"  {reason}\n" for reason in reasons)
            + f"Download it by hand from {file.page}\n"
            + f"and put it at {path.absolute()}"
        )


def read(path: str | Path) -> dict[str, Tensor]:
    """The weights in a checkpoint file, on the CPU, by the network's own keys.

    Takes every layout of `tensors`. Raises FileNotFoundError, and `CheckpointError`
    for a file that holds anything but tensors and plain containers.
    """
    return read_with_classes(path)[0]


def read_with_classes(
    path: str | Path,
) -> tuple[dict[str, Tensor], tuple[str, ...] | None]:
    """The same, and the names of the classes where the file has them (`class_list`)."""
    path = Path(path)
    content = _loaded(path)
    try:
        return tensors(content), class_list(content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def trained(path: str | Path) -> dict[str, Any]:
    """What a checkpoint of `train_model` says of itself; empty for any other.

    `classes`, their names, and `clips`, what the network learnt from: `frames`,
    `stride`, `sampling` and `fps` as on a card, and `size`, their side in pixels.
    Errors are those of `read`.
    """
    content = _loaded(Path(path))
    classes = class_list(content)
    options = content.get("options") if classes else None
    if not isinstance(options, Mapping):
        return {"classes": list(classes)} if classes else {}
    names = ("frames", "stride", "sampling", "fps", "size")
    clips = {name: options[name] for name in names}
    return {"classes": list(classes), "clips": clips}


def class_list(content: Any) -> tuple[str, ...] | None:
    """The classes that a checkpoint of `train_model` names; None for any other."""
    named = content.get("classes") if isinstance(content, Mapping) else None
    return tuple(named) if isinstance(named, list | tuple) else None


def tensors(content: Any) -> dict[str, Tensor]:
    """The plain {key: tensor} in what a checkpoint holds, however it is wrapped.

    Goes into `state_dict` or `model_state`, gives Caffe2's `blobs` PyTorch's keys,
    takes DataParallel's `module.` off when all keys have it, and turns arrays into
    tensors. Raises `CheckpointError` for anything else.
    """
    for nest in ("state_dict", "model_state"):
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if isinstance(content, Mapping) and isinstance(content.get("blobs"), Mapping):
        content = caffe2.state_dict(content["blobs"])
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError("no mapping of keys to tensors")
    prefix = "module."
    if not all(str(key).startswith(prefix) for key in content):
        prefix = ""
    state = {}
    for key, value in content.items():
        if not isinstance(value, Tensor):
            try:
                value = torch.tensor(value)
            except (TypeError, ValueError, RuntimeError) as error:
                kind = type(value).__name__
                raise CheckpointError(f"{key} is no tensor but a {kind}") from error
        state[str(key).removeprefix(prefix)] = value
    return state


def load_strict(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy weights into a network, every one of them and nothing else.

    Only BatchNorm's `num_batches_tracked` may be missing: it is not in checkpoints
    from before PyTorch 0.4 or of Caffe2, and counts nothing once training is over. The
    layouts of `_as_in` are the network's own too.

    Raises `CheckpointError`, which names what is missing, unexpected or of another
    shape, and what the weights look like if the network has a method `recognise`.
    """
    own = network.state_dict()
    state = _as_in(own, state)
    problems = {
        "missing": [
            key
            for key in own
            if key not in state and not key.endswith(".num_batches_tracked")
        ],
        "unexpected": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(value.shape)}, not {tuple(own[key].shape)}"
            for key, value in state.items()
            if key in own and value.shape != own[key].shape
        ],
    }
    if any(problems.values()):
        lines = (f"{_some(keys)} {what}" for what, keys in problems.items() if keys)
        kind = type(network).__name__
        message = f"the checkpoint does not fit {kind}: {'; '.join(lines)}"
        looks = network.recognise(state) if hasattr(network, "recognise") else None
        raise CheckpointError(
            f"{message}; the file looks like {looks}" if looks else message
        )
    network.load_state_dict(state, strict=False)


def _as_in(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the network's own keys and shapes, where only these differ.

    Multigrid training (https://arxiv.org/abs/1912.00998) norms each part of a batch by
    itself: the statistics of the whole are those of a norm `bn` inside the norm, and
    those of the parts, `split_bn`, are for training alone. Axes of length 1 at the end
    of a shape mean nothing: the weights of a linear layer are those of a convolution.
    """
    found = {}
    for key, value in state.items():
        part = re.fullmatch(r"(.*bn\.)(split_bn|bn)\.(\w+)", key)
        if part and key not in own and f"{part[1]}{part[3]}" in own:
            if part[2] == "split_bn":
                continue
            key = f"{part[1]}{part[3]}"
        if key in own and _trimmed(value.shape) == _trimmed(own[key].shape):
            value = value.reshape(own[key].shape)
        found[key] = value
    return found


def _trimmed(shape: torch.Size) -> torch.Size:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


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
    _check_magic(path)
    known = card.checkpoint.sha256
    if known:
        digest = sha256(path)
        if not digest.startswith(known):
            raise CheckpointError(
                f"{path} has SHA-256 {digest[: len(known)]}, not {known}"
            )


def _check_magic(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(max(map(len, MAGIC)))
    if head.startswith(b"\x1f\x8b"):
        raise CheckpointError(f"{path} is a gzip archive: unpack the checkpoint first")
    if not head.startswith(MAGIC):
        raise CheckpointError(f"{path} is not a PyTorch checkpoint")


def _loaded(path: Path) -> Any:
    """What a file holds; raises as `read` does."""
    _check_magic(path)
    try:
        content = _content(path)
    except Exception as error:  # a damaged or hostile pickle can raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{path} is damaged or holds more than plain tensors, and is not loaded: "
            f"{reason[0]}"
        ) from error
    return content


def _content(path: Path) -> Any:
    """What a file holds, read by the program that its first bytes speak for."""
    with path.open("rb") as file:
        head = file.read(32)
        if head.startswith(ZIP) or BARE in head:
            return torch.load(path, map_location="cpu", weights_only=True)
        file.seek(0)
        return caffe2.load(file)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which stays: removing it would be a race."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _some(keys: list[str], shown: int = 5) -> str:
    rest = len(keys) - shown
    return ", ".join(keys[:shown]) + (f" and {rest} more" if rest > 0 else "")

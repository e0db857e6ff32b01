"""Checkpoints: reading without running code, and downloads that go wrong."""

import hashlib
import http.server
import os
import re
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

import models
from models import checkpoints, fetching

CARD = models.card("s3d_k400")
HTML = b"<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>"


@pytest.fixture(scope="module")
def payload(tmp_path_factory) -> bytes:
    """A real checkpoint file of about 0.8 MB."""
    path = tmp_path_factory.mktemp("payload") / "weights.pt"
    torch.save({"module.weight": torch.arange(200_000.0)}, path)
    return path.read_bytes()


# Reading


def save(content, path, **options):
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare pickle"])
@pytest.mark.parametrize("nest", [None, "state_dict", "model_state"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_published_layout_is_read(tmp_path, zipped, nest, prefix):
    state = OrderedDict(
        {f"{prefix}a.weight": torch.ones(2), f"{prefix}b": torch.ones(1)}
    )
    content = {nest: state, "epoch": 3, "arch": "s3d"} if nest else state
    path = save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    found = checkpoints.read(path)
    assert list(found) == ["a.weight", "b"]
    assert torch.equal(found["a.weight"], torch.ones(2))


def test_module_is_a_name_where_not_all_keys_have_it():
    state = {"module.weight": torch.ones(1), "other": torch.ones(1)}
    assert list(checkpoints.tensors(state)) == list(state)


def test_arrays_become_tensors_and_read_only_ones_do_too():
    array = np.arange(3.0, dtype=np.float32)
    array.flags.writeable = False
    found = checkpoints.tensors({"a": array, "n": np.zeros((), np.int64)})
    assert found["a"].tolist() == [0, 1, 2]
    assert found["n"].dtype == torch.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(3), "no mapping"),
        ({}, "no mapping"),
        ({"weight": torch.ones(1), "note": "text"}, "note is no tensor but a str"),
        (
            {"weight": torch.ones(1), "optimizer": {}},
            "optimizer is no tensor but a dict",
        ),
    ],
    ids=["tensor", "empty", "text", "dict"],
)
def test_anything_else_is_refused_by_name(tmp_path, content, message):
    path = save(content, tmp_path / "w.pt")
    with pytest.raises(checkpoints.CheckpointError, match=message) as caught:
        checkpoints.read(path)
    assert str(path) in str(caught.value)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare pickle"])
def test_code_in_a_checkpoint_does_not_run(tmp_path, zipped):
    content = {"weight": torch.ones(1), "bomb": Bomb(tmp_path / "ran")}
    path = save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(checkpoints.CheckpointError, match="more than plain tensors"):
        checkpoints.read(path)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, payload):
    path = tmp_path / "w.pt"
    for content, message in (
        (HTML, "is a web page"),
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS"),
        (b"hello", "is not a PyTorch checkpoint"),
        (payload[: len(payload) // 2], "is damaged"),
        (b"\x80\x02garbage", "is damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(checkpoints.CheckpointError, match=message) as caught:
            checkpoints.read(path)
        assert str(path) in str(caught.value)
    with pytest.raises(FileNotFoundError):
        checkpoints.read(tmp_path / "none.pt")


# Downloading, from a real server


@dataclass
class Server:
    """A web server on the loopback that serves one file, badly where told to."""

    content: bytes
    content_type: str = "application/octet-stream"
    status: int = 200
    ranges: bool = True  # answers Range
    tell_length: bool = True
    delay: float = 0.0  # seconds before the answer
    cut: list[int] = field(
        default_factory=list
    )  # bytes after which to hang up, in turn
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append((handler.path, asked))
        time.sleep(self.delay)
        if self.status != 200:
            handler.send_error(self.status)
            return
        size, start = len(self.content), 0
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= size:
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{size}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Type", self.content_type)
        if self.tell_length:
            handler.send_header("Content-Length", str(size - start))
        handler.end_headers()
        body = self.content[start:]
        handler.wfile.write(body[: self.cut.pop(0)] if self.cut else body)


@pytest.fixture
def server(payload, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetching, "PAUSE", 0)
    state = Server(payload)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        state.url = f"http://127.0.0.1:{listener.server_port}/weights.pt"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield state
        listener.shutdown()
        thread.join()


def card_for(*urls: str, **changes) -> models.Card:
    checkpoint = replace(CARD.checkpoint, urls=urls, file="weights.pt", **changes)
    return replace(CARD, checkpoint=checkpoint)


def files(directory) -> list[str]:
    """What lies in a folder, but for the lock, which always stays."""
    names = sorted(path.name for path in directory.iterdir())
    return [name for name in names if not name.endswith(".lock")]


def test_a_checkpoint_is_downloaded_once(server, payload, tmp_path):
    directory = tmp_path / "new" / "folder"
    path = models.fetch(card_for(server.url), directory)
    assert path == directory / "weights.pt"
    assert path.read_bytes() == payload
    assert models.fetch(card_for(server.url), directory) == path
    assert len(server.requests) == 1
    assert files(directory) == ["weights.pt"]


def test_a_placed_file_needs_no_network(payload, tmp_path):
    (tmp_path / "weights.pt").write_bytes(payload)
    assert models.fetch(card_for(), tmp_path) == tmp_path / "weights.pt"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pt"]


def test_a_placed_web_page_is_not_taken_for_a_checkpoint(tmp_path):
    (tmp_path / "weights.pt").write_bytes(HTML)
    with pytest.raises(models.CheckpointUnavailable, match="is a web page: download"):
        models.fetch(card_for(), tmp_path)
    assert (tmp_path / "weights.pt").read_bytes() == HTML  # not ours to delete


@pytest.mark.parametrize("digits", [8, 64], ids=["first 8 digits", "whole"])
def test_the_hash_is_checked(server, payload, tmp_path, digits):
    digest = hashlib.sha256(payload).hexdigest()[:digits]
    path = models.fetch(card_for(server.url, sha256=digest), tmp_path)
    wrong = "0" * digits
    with pytest.raises(models.CheckpointUnavailable, match=f"{digest}, not {wrong}"):
        models.fetch(card_for(sha256=wrong), tmp_path)
    path.unlink()
    with pytest.raises(models.CheckpointUnavailable, match=f"{digest}, not {wrong}"):
        models.fetch(card_for(server.url, sha256=wrong), tmp_path)
    assert files(tmp_path) == []


def test_a_cut_download_goes_on_where_it_stopped(server, payload, tmp_path):
    server.cut = [300_000, 200_000]
    path = models.fetch(card_for(server.url), tmp_path)
    assert path.read_bytes() == payload
    ranges = [asked for _, asked in server.requests]
    assert ranges == [None, "bytes=300000-", "bytes=500000-"]


def test_a_download_goes_on_in_the_next_process(server, payload, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "ATTEMPTS", 1)
    server.cut = [300_000]
    with pytest.raises(models.CheckpointUnavailable, match="broke off after 300000"):
        models.fetch(card_for(server.url), tmp_path)
    assert not (tmp_path / "weights.pt").exists()
    path = models.fetch(card_for(server.url), tmp_path)
    assert path.read_bytes() == payload
    assert server.requests[-1][1] == "bytes=300000-"
    assert files(tmp_path) == ["weights.pt"]


def test_a_server_without_ranges_starts_again(server, payload, tmp_path):
    server.ranges = False
    server.cut = [300_000]
    path = models.fetch(card_for(server.url), tmp_path)
    assert path.read_bytes() == payload


@pytest.mark.parametrize("had", ["all", "more"])
def test_a_partial_file_as_long_as_the_whole(
    server, payload, tmp_path, monkeypatch, had
):
    monkeypatch.setattr(fetching, "ATTEMPTS", 1)
    server.cut = [10]
    with pytest.raises(models.CheckpointUnavailable):
        models.fetch(card_for(server.url), tmp_path)
    (part,) = [path for path in tmp_path.iterdir() if path.name.endswith(".part")]
    monkeypatch.setattr(fetching, "ATTEMPTS", 2)
    part.write_bytes(payload if had == "all" else payload + b"more")
    path = models.fetch(card_for(server.url), tmp_path)
    assert path.read_bytes() == payload
    assert len(server.requests) == (2 if had == "all" else 3)


def test_a_file_cut_short_without_a_length_is_not_kept(server, tmp_path):
    server.tell_length = False
    server.cut = [300_000]
    with pytest.raises(models.CheckpointUnavailable, match="damaged"):
        models.fetch(card_for(server.url), tmp_path)
    assert files(tmp_path) == []


def test_a_web_page_in_place_of_the_file_says_what_to_do(server, tmp_path):
    server.content, server.content_type = HTML, "text/html; charset=utf-8"
    with pytest.raises(models.CheckpointUnavailable) as caught:
        models.fetch(card_for(server.url), tmp_path)
    message = str(caught.value)
    assert "the server sent text/html" in message
    assert f"cannot get weights.pt ({CARD.checkpoint.size})" in message
    assert CARD.checkpoint.page in message
    assert str(tmp_path / "weights.pt") in message
    assert len(server.requests) == 1  # asking again gives the same page
    assert not (tmp_path / "weights.pt").exists()


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (503, 4), (429, 4)])
def test_an_error_of_the_server_is_told(server, tmp_path, status, attempts):
    server.status = status
    with pytest.raises(models.CheckpointUnavailable, match=f"HTTP Error {status}"):
        models.fetch(card_for(server.url), tmp_path)
    assert len(server.requests) == attempts


def test_the_next_address_is_tried(server, payload, tmp_path):
    bad = "http://127.0.0.1:9/refused.pt"
    path = models.fetch(card_for(bad, server.url), tmp_path)
    assert path.read_bytes() == payload


def test_every_address_that_failed_is_named(server, tmp_path):
    server.status = 404
    bad = "http://127.0.0.1:9/refused.pt"
    with pytest.raises(models.CheckpointUnavailable) as caught:
        models.fetch(card_for(bad, server.url), tmp_path)
    assert f"{bad}: " in str(caught.value)
    assert f"{server.url}: " in str(caught.value)


def test_a_card_without_address_says_what_to_do(tmp_path):
    with pytest.raises(models.CheckpointUnavailable, match="no address is known"):
        models.fetch(card_for(), tmp_path)
    with pytest.raises(models.CheckpointUnavailable, match="never published") as caught:
        models.fetch(models.card("ibm_mini_ssv2_resnet_18_f8"), tmp_path)
    assert "Train one, as https://github.com/IBM/" in str(caught.value)


def test_a_redirect_to_a_local_file_is_not_followed(server, tmp_path):
    server.answer = redirect_to("file:///etc/passwd")
    with pytest.raises(models.CheckpointUnavailable, match="not allowed"):
        models.fetch(card_for(server.url), tmp_path)


def redirect_to(address):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.end_headers()

    return answer


def test_parallel_jobs_download_once(server, payload, tmp_path):
    # Threads stand for the jobs: the lock is on the open file, not on the process.
    server.delay = 0.2
    with ThreadPoolExecutor(4) as jobs:
        paths = jobs.map(models.fetch, [card_for(server.url)] * 4, [tmp_path] * 4)
        assert set(paths) == {tmp_path / "weights.pt"}
    assert len(server.requests) == 1
    assert (tmp_path / "weights.pt").read_bytes() == payload


def test_create_takes_an_address(server, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    state = models.create("s3d_k400", seed=5).network.state_dict()
    torch.save(state, tmp_path / "own.pt")
    server.content = (tmp_path / "own.pt").read_bytes()
    extractor = models.create("s3d_k400", checkpoint=server.url)
    assert extractor.checkpoint == hashlib.sha256(server.content).hexdigest()
    for key, value in extractor.network.state_dict().items():
        assert torch.equal(value, state[key])
    (kept,) = files(tmp_path / "checkpoints")
    assert re.fullmatch(r"[0-9a-f]{12}-weights\.pt", kept)


def test_an_address_of_the_card_keeps_the_cards_name_and_hash(server, tmp_path):
    card = card_for("http://127.0.0.1:9/first.pt", server.url, sha256="0" * 8)
    with pytest.raises(models.CheckpointUnavailable, match="not 00000000") as caught:
        fetching.fetch_url(card, server.url, tmp_path)
    assert str(tmp_path / "weights.pt") in str(caught.value)
    assert "first.pt" not in str(caught.value)

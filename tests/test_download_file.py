"""The program that downloads a file, as the workflow calls it."""

import json
import signal
import subprocess
import sys

import pytest

from scripts.common.downloads.session import BLOCK
from scripts.download_file import main
from tests.web import serve

SETTINGS = {"timeout": 1, "min_free": 0, "attempts": 1}
CONTENT = bytes(range(251)) * 4000


@pytest.fixture
def web(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.zip").write_bytes(CONTENT)
    with serve(tmp_path / "site") as server:
        yield server


def arguments(target, *urls, settings=SETTINGS, **options) -> list[str]:
    options = {"urls": urls, "bytes": None, "sha256": None, "version": 1} | options
    return [
        f"--file={target}",
        f"--options={json.dumps(options)}",
        f"--settings={json.dumps(settings)}",
    ]


def program(*arguments: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "scripts.download_file", *arguments]
    return subprocess.Popen(command, **options)


@pytest.mark.parametrize("name", ["a.zip", "-a 'b' ü.zip"])
def test_a_file_is_made(web, tmp_path, capsys, name):
    main(arguments(tmp_path / name, web.url("a.zip"), bytes=len(CONTENT)))
    assert (tmp_path / name).read_bytes() == CONTENT
    assert f"{len(CONTENT)} bytes" in capsys.readouterr().out


def test_after_a_kill_the_next_run_asks_only_for_the_rest(web, tmp_path):
    target = tmp_path / "new" / "a.zip"
    path = "slow/0.05/a.zip"
    process = program(*arguments(target, web.url(path)))
    web.wait_for_bytes(5 * BLOCK)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    main(arguments(target, web.url(path)))
    assert target.read_bytes() == CONTENT
    assert [entry.name for entry in target.parent.iterdir()] == ["a.zip"]
    start = int(web.requests[1].range.removeprefix("bytes=").removesuffix("-"))
    assert start >= BLOCK
    assert web.requests[1].sent == len(CONTENT) - start


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_download_goes_on(web, tmp_path, stop):
    process = program(
        *arguments(tmp_path / "f", web.url("slow/0.05/a.zip")),
        stderr=subprocess.DEVNULL,
    )
    web.wait_for_bytes(5 * BLOCK)
    process.send_signal(stop)
    assert process.wait(10)
    main(arguments(tmp_path / "f", web.url("slow/0.05/a.zip")))
    assert web.requests[1].range


def test_a_failure_is_one_readable_message(web, tmp_path):
    process = program(
        *arguments(tmp_path / "a.zip", web.url("page/a.zip")),
        stderr=subprocess.PIPE,
        text=True,
    )
    _, errors = process.communicate()
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1
    assert errors.startswith("error: a.zip was not downloaded")
    for told in (web.url("page/a.zip"), "web page", "source: archives", "annotations:"):
        assert told in errors
    assert not (tmp_path / "a.zip").exists()


def test_the_limit_for_videos_is_none_for_files(web, tmp_path):
    settings = SETTINGS | {"max_bytes": 10}
    main(arguments(tmp_path / "f", web.url("a.zip"), settings=settings))
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_missing_cookies_are_told(web, tmp_path):
    settings = SETTINGS | {"cookies": str(tmp_path / "none.txt")}
    with pytest.raises(SystemExit, match=r"error: `download: cookies`"):
        main(arguments(tmp_path / "f", web.url("a.zip"), settings=settings))
    assert not web.requests

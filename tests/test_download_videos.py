"""The stage that downloads a shard's originals."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.common import tables
from scripts.common.downloads import session
from scripts.common.tables import Row
from scripts.download_videos import main
from tests.projects import make_video
from tests.web import serve

SETTINGS = {"sleep": 0, "sleep_requests": 0, "timeout": 1, "min_free": 0}
SETTINGS |= {"attempts": 2, "stop_after": 2}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.01)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    make_video(path, seconds=3, fps=25, size="640x480")
    return path.read_bytes()


@pytest.fixture
def web(tmp_path, video):
    (tmp_path / "site").mkdir()
    for name in "abcdef":
        (tmp_path / "site" / f"{name}.mp4").write_bytes(video)
    with serve(tmp_path / "site") as server:
        yield server


class Shard:
    """A shard's table, and the job that downloads it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest = folder / "originals" / "00000.tsv"
        self.products = self.manifest.with_suffix("")
        self.cooldowns = folder / "cooldowns"

    def write(self, *paths: str) -> None:
        """Write a table in which a video is called after its place."""
        rows = [Row(str(n), path=path, key=path) for n, path in enumerate(paths)]
        self.write_rows(*rows)

    def write_rows(self, *rows: Row) -> None:
        tables.write(self.folder / "00000.tsv", rows)

    def arguments(self, retry=(), options=None, **settings) -> list[str]:
        options = {"version": 1, "short_side": 360, "audio": False} | (options or {})
        return [
            f"--table={self.folder / '00000.tsv'}",
            f"--manifest={self.manifest}",
            f"--options={json.dumps(options)}",
            f"--retry={json.dumps(list(retry))}",
            f"--settings={json.dumps(SETTINGS | settings)}",
            f"--cooldowns={self.cooldowns}",
        ]

    def run(self, **settings) -> list[Row]:
        main(self.arguments(**settings))
        return tables.read(self.manifest)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.products.rglob("*"))


@pytest.fixture
def shard(tmp_path) -> Shard:
    return Shard(tmp_path)


def statuses(rows: list[Row]) -> list[str]:
    return [row.status for row in rows]


def test_each_row_says_what_came_or_why_nothing_did(web, shard, tmp_path, video):
    (tmp_path / "local.avi").write_bytes(video)
    shard.write(
        web.url("a.mp4"),
        web.url("gone.mp4"),
        web.url("page/x.mp4"),
        str(tmp_path / "local.avi"),
        str(tmp_path / "none.avi"),
    )
    rows = shard.run()
    assert statuses(rows) == ["ok", "not_found", "no_video", "ok", "missing"]
    first = rows[0]
    assert (first.width, first.height, first.fps, first.bytes) == (
        (640, 480, 25, len(video))
    )
    assert first.duration == pytest.approx(3, abs=0.1)
    assert Path(first.path).parent == shard.products
    assert Path(first.path).read_bytes() == video
    assert (rows[3].path, rows[3].bytes) == (str(tmp_path / "local.avi"), len(video))
    assert shard.names() == sorted(
        [Path(first.path).name, Path(first.path).stem + ".json"]
    )


def test_segments_of_one_video_share_its_file(web, shard):
    url = web.url("a.mp4")
    shard.write_rows(
        Row("x 0-1", path=url, start=0.0, end=1.0, key="1"),
        Row("x 1-2", path=url, start=1.0, end=2.0, key="2"),
    )
    rows = shard.run()
    assert [(row.start, row.end) for row in rows] == [(0, 1), (1, 2)]
    assert rows[0].path == rows[1].path
    assert len(web.requests) == 1


def test_odd_names_are_files(web, shard, tmp_path, video):
    odd = ["-rf 'x' \"ü\".mp4", "--.mp4", "%(id)s$HOME.mp4"]
    for name in odd:
        (tmp_path / "site" / name).write_bytes(video)
    shard.write_rows(*(Row(f"-{n} '", path=web.url(n), key=n) for n in odd))
    rows = shard.run()
    assert statuses(rows) == ["ok"] * 3
    assert len({row.path for row in rows}) == 3
    assert all(Path(row.path).read_bytes() == video for row in rows)


def test_a_last_word_stands_unless_a_retry_is_asked_for(web, shard):
    shard.write(web.url("gone.mp4"), web.url("a.mp4"))
    shard.run()
    assert len(web.requests) == 2
    assert statuses(shard.run()) == ["not_found", "ok"]
    assert len(web.requests) == 2
    shard.run(retry=["not_found"])
    assert web.asked("gone.mp4")[2:]
    assert len(web.asked("a.mp4")) == 1


def test_other_options_ask_again(web, shard):
    shard.write(web.url("a.mp4"))
    shard.run()
    shard.run(options={"short_side": 240})
    assert len(web.requests) == 2


def test_a_host_that_refuses_is_left_alone_and_others_go_on(web, shard):
    refused = [web.url(f"error/99/429/{name}.mp4") for name in "abcd"]
    others = [web.url("a.mp4", "localhost"), web.url("b.mp4", "localhost")]
    shard.write(*refused, *others)
    with pytest.raises(SystemExit, match=r"4 of 6 videos are pending: 127\.0\.0\.1"):
        shard.run()
    assert not shard.manifest.exists()
    assert len([r for r in web.requests if "error" in r.path]) == 2
    assert len(web.requests) == 4

    second = Shard(shard.folder / "second")
    second.cooldowns = shard.cooldowns
    second.folder.mkdir()
    second.write(web.url("c.mp4"), web.url("c.mp4", "localhost"))
    assert statuses(second.run(on_pending="go_on")) == ["pending", "ok"]
    assert not web.asked("c.mp4")[1:]


def test_after_the_cool_down_the_same_command_takes_the_rest(web, shard):
    paths = [f"error/1/429/{name}.mp4" for name in "abcd"]
    shard.write(*map(web.url, paths), web.url("e.mp4"))
    with pytest.raises(SystemExit, match="5 of 5 videos are pending"):
        shard.run()
    assert len(web.requests) == 2
    with pytest.raises(SystemExit):
        shard.run()
    assert len(web.requests) == 2
    cooldown = shard.cooldowns / "cooldown-127.0.0.1.json"
    over = json.loads(cooldown.read_text()) | {"until": time.time()}
    cooldown.write_text(json.dumps(over))
    # The two that were not asked for yet are refused once more, each for itself.
    assert statuses(shard.run(stop_after=3)) == ["ok"] * 5
    assert not list(shard.products.glob(".*"))


def test_a_success_between_two_refusals_keeps_the_host_open(web, shard):
    refused = [web.url(f"error/1/429/{name}.mp4") for name in "ab"]
    shard.write(refused[0], web.url("c.mp4"), refused[1], web.url("d.mp4"))
    assert statuses(shard.run()) == ["ok"] * 4
    assert not shard.cooldowns.exists()


def test_what_is_pending_is_taken_by_a_later_run(web, shard):
    shard.write(*(web.url(f"error/1/429/{name}.mp4") for name in "abc"))
    assert statuses(shard.run(on_pending="go_on")) == ["pending"] * 3
    for file in shard.cooldowns.iterdir():
        file.unlink()
    assert statuses(shard.run(stop_after=9)) == ["ok"] * 3


def test_between_two_videos_of_one_host_there_is_a_pause(web, shard, monkeypatch):
    pauses = []
    monkeypatch.setattr("scripts.common.downloads.hosts.time.sleep", pauses.append)
    shard.write(
        web.url("a.mp4"),
        web.url("a.mp4", "localhost"),
        web.url("b.mp4"),
    )
    shard.run(sleep=100)
    assert len(pauses) == 1
    assert 90 < pauses[0] <= 100


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_job_goes_on_in_the_middle_of_a_video(web, shard, video, stop):
    shard.write(web.url("a.mp4"), web.url("slow/0.5/b.mp4"))
    command = [sys.executable, "-m", "scripts.download_videos", *shard.arguments()]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    web.wait_for_bytes(len(video) + 3 * session.BLOCK)
    process.send_signal(stop)
    assert process.wait(10)
    assert not shard.manifest.exists()
    rows = shard.run(timeout=5)
    assert all(Path(row.path).read_bytes() == video for row in rows)
    assert len(web.asked("a.mp4")) == 1
    assert web.asked("slow/0.5/b.mp4")[1].range
    assert not list(shard.products.glob(".*"))


def test_a_full_disk_ends_the_job_and_not_each_video(web, shard):
    shard.write(web.url("a.mp4"), web.url("b.mp4"))
    with pytest.raises(SystemExit, match="min_free"):
        shard.run(min_free=1e18)
    assert statuses(shard.run()) == ["ok"] * 2

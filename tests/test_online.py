"""Datasets whose videos are downloaded one by one, through the real workflow."""

import csv

import pytest

from scripts.common import tables
from tests.projects import Project, make_video
from tests.web import Web, serve


@pytest.fixture
def web(tmp_path):
    for seed in range(3):
        make_video(tmp_path / f"web/{seed}.mp4", seconds=2, seed=seed)
    with serve(tmp_path / "web") as web:
        yield web


def project(tmp_path, addresses: list[tuple[str, str, str]], **download) -> Project:
    """A project of videos at addresses, each with start and end in seconds."""
    made = Project(tmp_path / "project")
    made.folder.mkdir()
    with (made.folder / "urls.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "start", "end"), *addresses])
    made.configure(
        {
            "datasets": {
                "web": {
                    "source": "annotations",
                    "annotations": "urls.csv",
                    "shards": 2,
                    "max_failed": 1.0,
                }
            },
            "encodings": {"default": {"short_side": 32, "preset": "ultrafast"}},
            "download": {
                "sleep": 0,
                "sleep_requests": 0,
                "min_free": 0,
                "attempts": 1,
                **download,
            },
        }
    )
    return made


def clips(made: Project) -> dict[str, tables.Row]:
    folder = made.folder / "results/web/clips/default"
    return {row.id: row for row in tables.read_all(folder.glob("*.tsv"))}


def test_segments_are_cut_from_downloads_and_failures_are_rows(tmp_path, web: Web):
    good, gone = web.url("0.mp4"), web.url("gone.mp4")
    near = str(tmp_path / "web/2.mp4")
    rows = [(good, "0", "1"), (good, "1", "1.5"), (gone, "", ""), (near, "", "")]
    made = project(tmp_path, rows)
    made.run()
    found = clips(made)
    assert {key: row.status for key, row in found.items()} == {
        f"{good}_0_1": "ok",
        f"{good}_1_1.5": "ok",
        gone: "not_found",
        near: "ok",
    }
    assert found[f"{good}_0_1"].duration == pytest.approx(1, abs=0.05)
    assert found[f"{good}_1_1.5"].duration == pytest.approx(0.5, abs=0.05)
    assert len(web.asked("0.mp4")) == 1
    page = (made.folder / "results/web/report.html").read_text()
    assert "not_found" in page
    asked = len(web.requests)
    assert made.executed() == set()
    assert len(web.requests) == asked


def test_a_site_that_refuses_is_left_alone_and_the_next_run_goes_on(tmp_path, web: Web):
    refused = [web.url(f"error/1/429/{seed}.mp4") for seed in range(3)]
    made = project(
        tmp_path, [(url, "", "") for url in refused], stop_after=1, cooldown=8
    )
    output = made.run("clips", status=1)
    assert "pending" in output
    assert len(web.requests) == 1, "the second job asked although the site refused"
    assert not list(made.folder.glob("results/web/videos/*.tsv"))

    for path in (made.folder / "resources/downloads").glob("cooldown*"):
        path.unlink()
    for _ in range(3):
        made.run("clips", status=None)
        for path in (made.folder / "resources/downloads").glob("cooldown*"):
            path.unlink()
    made.run("clips")
    assert {row.status for row in clips(made).values()} == {"ok"}
    assert not list(made.folder.glob("results/web/videos/**/*.part*"))


def test_a_build_may_go_on_without_what_is_pending(tmp_path, web: Web):
    names = ["0.mp4", "error/1/429/1.mp4", "2.mp4"]
    made = project(
        tmp_path,
        [(web.url(name), "", "") for name in names],
        stop_after=1,
        on_pending="go_on",
    )
    made.run()
    states = {row.status for row in clips(made).values()}
    assert states <= {"ok", "pending"}
    assert "pending" in states
    made.configure(made.config | {"download": made.config["download"] | {"sleep": 0.1}})
    assert made.planned() == {}, "how to download decides nothing about the result"
    for path in (made.folder / "resources/downloads").glob("cooldown*"):
        path.unlink()
    made.run("--forcerun", "download_videos")
    assert {row.status for row in clips(made).values()} == {"ok"}

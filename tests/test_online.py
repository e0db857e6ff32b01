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


def test_a_passing_failure_is_tried_again_by_the_next_run(tmp_path, web: Web):
    names = ["0.mp4", "error/2/503/1.mp4", "gone.mp4"]
    made = project(tmp_path, [(web.url(name), "", "") for name in names])
    made.run("clips")
    assert sorted(r.status for r in clips(made).values()) == [
        *("network", "not_found", "ok")
    ]
    asked = len(web.requests)
    made.run("clips")
    assert sorted(r.status for r in clips(made).values()) == ["not_found", "ok", "ok"]
    assert len(web.requests) == asked + 1
    assert made.planned("clips") == {}


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
    for path in (made.folder / "resources/downloads").glob("cooldown*"):
        path.unlink()
    made.run()
    assert {row.status for row in clips(made).values()} == {"ok"}
    made.configure(made.config | {"download": made.config["download"] | {"sleep": 0.1}})
    assert made.planned() == {}, "how to download decides nothing about the result"


def test_originals_may_go_and_come_back_only_for_what_is_not_made(tmp_path, web: Web):
    near = tmp_path / "web/2.mp4"
    first, second = web.url("0.mp4"), web.url("1.mp4")
    rows = [(first, "0", "1"), (first, "1", "2"), (second, "", ""), (str(near), "", "")]
    made = project(tmp_path, rows)

    def change(**keys) -> None:
        config = made.config
        config["datasets"]["web"] |= {"shards": 1, **keys.pop("dataset", {})}
        made.configure(config | keys)

    def downloads() -> int:
        folder = made.folder / "results/web/videos"
        return len([*folder.glob("*/*.mp4"), *folder.glob("*/*.part*")])

    change()
    made.run("clips")
    assert downloads() == 2
    change(dataset={"keep_originals": False})
    made.run("clips")
    assert downloads() == 0, "a finished build drops what it has"
    assert near.exists(), "that one is the user's own"
    before = {key: row.path for key, row in clips(made).items()}

    # A new video concerns itself alone.
    near.with_name("3.mp4").write_bytes(near.read_bytes())
    with (made.folder / "urls.csv").open("a", newline="") as file:
        csv.writer(file).writerow((web.url("3.mp4"), "", ""))
    made.run("clips")
    assert downloads() == 0
    assert len(clips(made)) == len(before) + 1
    assert [len(web.asked(f"{n}.mp4")) for n in (0, 1, 3)] == [1, 1, 1]

    # Another encoding needs all of them, once.
    small = {"default": {"short_side": 16, "preset": "ultrafast"}}
    change(encodings=small)
    made.run("clips")
    assert downloads() == 0
    assert {row.height for row in clips(made).values()} == {16}
    assert [len(web.asked(f"{n}.mp4")) for n in (0, 1, 3)] == [2, 2, 2]
    assert made.executed("clips") == set()


def test_an_original_stays_where_a_clip_failed_or_another_encoding_lacks_it(
    tmp_path, web: Web
):
    made = project(tmp_path, [(web.url("0.mp4"), "", ""), (web.url("1.mp4"), "50", "")])
    config = made.config
    config["datasets"]["web"] |= {"keep_originals": False, "shards": 1}
    config["encodings"]["second"] = {"short_side": 16, "preset": "ultrafast"}
    config["frames"] = {"encodings": ["second"]}
    made.configure(config)
    originals = made.folder / "results/web/videos/00000"

    made.run("results/web/clips/default/00000.tsv")
    assert len(list(originals.glob("*.mp4"))) == 2
    made.run()
    assert {row.status for row in clips(made).values()} == {"ok", "empty"}
    (left,) = originals.glob("*.mp4")
    (failed,) = (row for row in tables.read(originals.with_suffix(".tsv")) if row.start)
    assert left == made.folder / failed.path

"""The whole chain, as a user runs it."""

import os
import shutil
import subprocess

import h5py
import pytest

from scripts.common import preflight, store, tables
from tests.conftest import small_project
from tests.projects import ROOT, SNAKEMAKE, Project, make_video


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Project:
    """The embedded default, built in a directory of its own."""
    project = Project(tmp_path_factory.mktemp("demo"))
    # As in many a project of deep learning; it is not to be taken for ours.
    (project.folder / "models").mkdir()
    (project.folder / "models/__init__.py").write_text("raise SystemExit('not ours')")
    project.run()
    return project


def test_the_demo_goes_from_an_archive_to_features_and_a_report(demo):
    results = demo.folder / "results/demo"
    manifests = sorted(results.glob("clips/default/*.tsv"))
    rows = [row for path in manifests for row in tables.read(path)]
    assert len(rows) == 17
    assert len(manifests) == 2
    for row in rows:
        if row.ok:
            assert (row.fps, min(row.width, row.height)) == (25, 256)
    (broken,) = [row for row in rows if not row.ok]
    assert (broken.id, broken.status) == ("spin/broken.mp4", "not_video")
    for row in tables.read_all(results.glob("frames/default/*.tsv")):
        pictures = sorted((demo.folder / row.path).iterdir()) if row.ok else []
        assert [path.name for path in pictures] == [
            f"{number:05d}.jpg" for number in range(1, (row.frames or 0) + 1)
        ]
    for model, width in {"s3d_k400": 1024, "r2plus1d_18_k400": 512}.items():
        with h5py.File(results / f"features/{model}.h5") as file:
            assert len(file) == 16
            assert file.attrs["weights"] == "random, seed 0"
            assert {group["features"].shape[1] for group in file.values()} == {width}
    lists = results / "splits/ibm/official"
    lines = (lists / "train.txt").read_text() + (lists / "test.txt").read_text()
    assert lines.count("\n") == 16
    assert "spin/broken.mp4" in (lists / "missing.tsv").read_text()
    probe = (results / "probes/s3d_k400/metrics.tsv").read_text()
    assert "\nvideos\t6\n" in probe
    page = (results / "report.html").read_text()
    assert "they mean nothing" in page
    assert "probe s3d_k400" in page
    assert "spin/broken.mp4" in page


def test_a_second_run_of_the_demo_does_nothing(demo):
    assert demo.executed() == set()


def test_the_demo_can_be_read_at_the_end(demo):
    command = [SNAKEMAKE.with_name("python"), "-m", "scripts.show_results"]
    output = subprocess.check_output(
        [*command, demo.folder / "results/demo"], cwd=ROOT, text=True
    )
    assert "features/s3d_k400.h5: 16 of 17 videos (random weights" in output
    assert "1 of 17 videos failed (1 not_video)" in output
    assert "probes/s3d_k400/: top-1 accuracy " in output
    for word in output.split():
        if word.startswith(str(demo.folder)):
            assert (demo.folder / word.rstrip(":")).exists()


def test_snakemakes_own_report_shows_ours(demo):
    demo.run("--report", "report.zip")
    shutil.unpack_archive(demo.folder / "report.zip", demo.folder / "unpacked")
    assert list(demo.folder.glob("unpacked/**/report.html"))


def test_too_many_failures_end_the_run_after_everything_is_built(tmp_path):
    project = small_project(tmp_path / "project")
    (project.folder / "videos/left/clip 0.mp4").write_text("no video")
    (project.folder / "videos/right/clip 0.mp4").write_bytes(b"")
    config = project.config
    del config["models"]["first"]
    project.configure(config)

    output = project.run("--retries", "0", status=1)

    assert "2 of 8 videos failed" in output
    assert "raise `max_failed`" in output
    results = project.folder / "results/small"
    with h5py.File(results / "features/second.h5") as file:
        assert len(file) == 6
    assert "left/clip 0.mp4" in (results / "report.html").read_text()
    lines = (results / "failures.tsv").read_text().splitlines()
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        ["left/clip 0.mp4", "transcode_clips/default", "not_video"],
        ["right/clip 0.mp4", "transcode_clips/default", "empty"],
    ]

    config["datasets"]["small"]["max_failed"] = 0.25
    project.configure(config)
    assert project.executed() == {"check_failures/small"}


def test_a_mistake_in_the_config_is_told_before_anything_runs(tmp_path):
    project = Project(tmp_path)
    project.configure({"datasets": {"x": {"source": {"foldr": "a"}}}})
    output = project.run(status=1)
    assert (
        "datasets.x.source: there is no key 'foldr'; did you mean 'folder'?" in output
    )
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()


def test_a_missing_folder_is_told_before_anything_runs(tmp_path):
    project = Project(tmp_path)
    project.configure({"datasets": {"x": {"source": {"folder": "/no/such"}}}})
    expected = "datasets.x.source.folder: there is no folder '/no/such'"
    assert expected in project.run(status=1)


def test_a_missing_program_is_told_before_anything_runs(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    # Snakemake's plugin for SLURM looks for its programs with `which`.
    for name in ("bash", "sh", "which"):
        (programs / name).symlink_to(shutil.which(name))
    project = Project(tmp_path)
    monkeypatch.setenv("PATH", str(programs))
    output = project.run(status=1)
    assert "ffmpeg is not installed: `sudo apt-get install ffmpeg`" in output
    assert not (tmp_path / "results").exists()


def test_unar_is_needed_for_rar_and_conda_does_not_bring_it():
    def needed(archives, conda):
        dataset = {"source": {"archives": archives}, "annotations": None}
        return preflight.needed_programs({"datasets": {"x": dataset}}, conda)

    assert needed(["a.zip"], conda=False) == ["ffmpeg", "ffprobe"]
    assert needed(["a.zip", "UCF101.RAR"], conda=True) == ["unar"]


def test_names_from_anywhere_go_through_the_whole_chain(tmp_path):
    names = [
        '-rf/it\'s a "clip".mp4',
        "100% {日本}/two\nlines.mp4",
        "$(reboot)/`a`;b&c|d>e.mp4",
        "tab\there/back\\slash.mp4",
        os.fsdecode(b"not utf-8/\xff.mp4"),
        "\r/#comment.mp4",
    ]
    project, model = Project(tmp_path), "r2plus1d_18_k400"
    make_video(tmp_path / "plain.mp4")
    for name in names:
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True)
        shutil.copy(tmp_path / "plain.mp4", path)
    project.configure(
        {
            "datasets": {"odd": {"source": {"folder": "videos"}}},
            "frames": {"encodings": ["default"]},
            "models": {
                "clips": {"model": model, "checkpoint": "random"},
                "sources": {
                    "model": model,
                    "checkpoint": "random",
                    "encoding": "original",
                },
            },
        }
    )
    project.run()
    results = tmp_path / "results/odd"
    for entry in ("clips", "sources"):
        found = dict(store.read(results / f"features/{entry}.h5"))
        assert sorted(found) == sorted(names)
    lines = (results / "splits/ibm/default/all.txt").read_text().splitlines()
    for line in lines:
        folder, first, last = line.split(" ")[:3]
        pictures = sorted((results / "frames/default" / folder).iterdir())
        assert (int(first), int(last)) == (1, len(pictures))
    assert len(lines) == len(names)
    # Nothing was written outside of its room.
    assert {path.name for path in tmp_path.iterdir()} - {".snakemake", ".cache"} == {
        *("videos", "plain.mp4", "config.yaml", "output.txt"),
        *("results", "resources", "logs", "benchmarks"),
    }

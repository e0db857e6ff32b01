"""What a build takes, told beforehand and compared with what it took."""

import base64
import re
from pathlib import Path

import pytest
import yaml

from scripts import estimate_build
from scripts.common import workload
from scripts.common.config import resolve
from tests.conftest import small_project
from tests.projects import Project

# Ten seconds each, 500 a shard.
KINETICS = workload.load(500_000, 5_000_000.0, 350 * 10**9)


def planned(dataset: dict, load: workload.Load, **config) -> dict:
    """Return the parts of a build by name."""
    config = resolve({"datasets": {"some": {"source": {"folder": "x"}}}} | config)
    used = {entry["encoding"] for entry in config["models"].values()}
    names = {*used, *config["frames"]["encodings"], config["lists"]["encoding"]}
    models = {
        name: entry | {"encoding": config["encodings"][entry["encoding"]]}
        for name, entry in config["models"].items()
    }
    options = {
        "encodings": {name: config["encodings"][name] for name in names},
        "frames": config["frames"],
        "flow": config["flow"],
        "models": models,
    }
    return {p.name: p for p in estimate_build.parts(options, dataset, load)}


def test_a_build_of_half_a_million_videos_can_stay_under_100_000_files():
    parts = planned(
        {"source": "annotations", "shards": 1000, "keep_originals": False},
        KINETICS,
        encodings={"default": {"layout": "tar"}},
        lists={"formats": ["parquet"]},
        frames={"encodings": ["default"], "layout": "tar"},
        flow={"raft": {"algorithm": "raft_small", "layout": "tar"}},
        models={
            name: {"checkpoint": "random"}
            for name in ("s3d_k400", "r2plus1d_18_k400", "slow_8x8_r50_k400")
        },
    )
    assert sum(part.files for part in parts.values()) < 100_000
    for name in ("clips/default", "frames/default", "flow/raft"):
        assert parts[name].files == 1000


def test_clips_and_pictures_in_folders_are_a_file_each():
    parts = planned(
        {"source": "folder", "shards": 1000},
        KINETICS,
        frames={"encodings": ["default"]},
    )
    assert parts["clips/default"].files == 500_000
    assert parts["frames/default"].files == 500_000 * 251
    # 132 GB of 260,000 clips, as Kinetics-400 is passed on, at a crf of 23.
    assert 150e9 < parts["clips/default"].bytes / 1.9 < 300e9


def test_downloads_that_are_not_kept_leave_a_file_a_shard():
    dataset = {"source": "annotations", "shards": 10, "keep_originals": False}
    dropped = planned(dataset, KINETICS)["videos"]
    kept = planned(dataset | {"keep_originals": True}, KINETICS)["videos"]
    assert (dropped.files, dropped.bytes) == (10, 0)
    assert (kept.files, kept.bytes) == (1_000_000, 7.5e12)


def test_features_follow_windows_and_their_type():
    def size(**entry):
        entry = {"checkpoint": "random", **entry}
        parts = planned(
            {"source": "folder", "shards": 1}, KINETICS, models={"s3d_k400": entry}
        )
        return parts["features/s3d_k400"].bytes

    # 250 frames have 3 windows of 64; twice, by shards and as one file.
    assert size() == 2 * 500_000 * 3 * (1024 * 4 + 16)
    assert size(dtype="float16") == 2 * 500_000 * 3 * (1024 * 2 + 16)
    assert size(step=32) == 2 * 500_000 * 6 * (1024 * 4 + 16)


def of_shards(folder: Path) -> list[Path]:
    """Return the files of a project that some shard has, the videos' folders too."""
    notes = folder.glob(".snakemake/metadata/*")
    noted = [Path(base64.b64decode(path.name).decode()) for path in notes]
    made = [
        path
        for name in ("results", "logs", "benchmarks")
        for path in (folder / name).rglob("*")
        if path.is_file() or re.search(r"/\d{5}/", str(path))
    ]
    return [path for path in noted + made if re.search(r"\b\d{5}\b", str(path))]


@pytest.mark.parametrize("layout", ["tar", "folders"])
def test_a_build_has_the_files_that_were_foretold(tmp_path, layout):
    project = small_project(tmp_path / "small")
    rows = "".join(
        f"{label}/clip {number}.mp4\t{label}\t0\t1\n"
        for label in ("left", "right")
        for number in range(4)
    )
    (project.folder / "a.tsv").write_text(f"path\tlabel\tstart\tend\n{rows}")
    config = project.config
    config["datasets"]["small"]["annotations"] = "a.tsv"
    config["frames"]["layout"] = layout
    config["encodings"]["default"]["layout"] = layout
    config["lists"] = {"formats": ["parquet"]}
    del config["models"]
    project.configure(config)
    output = project.run("estimate")
    assert "small: 8 videos, 0.0 hours, in 2 shards" in output
    foretold = int(re.search(r"in all +([\d,]+)", output)[1].replace(",", ""))

    project.run("frames")

    assert len(of_shards(project.folder)) == foretold


def test_nothing_is_brought_for_an_estimate(tmp_path):
    project = Project(tmp_path)
    (tmp_path / "x.zip").touch()
    archives = {"source": {"archives": ["x.zip"]}}
    known = archives | {"expected": {"videos": 13320}, "originals": "x"}
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"datasets": {"unknown": archives, "known": known}})
    )
    output = project.run("estimate")
    assert (
        "unknown: nobody knows how many videos it has; `snakemake originals`" in output
    )
    assert "known: 13,320 videos, 37.0 hours, a guess, in 1 shards" in output
    assert not (tmp_path / "results/x").exists()

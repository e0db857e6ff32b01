"""Features at a prompt, and the files of shards and datasets."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from scripts import aggregate_features, extract_features
from scripts.common import sources, store, tables
from scripts.common.engine import decoding, outputs
from scripts.common.engine.feature_shards import ShardStore
from scripts.common.engine.parts import Part
from scripts.common.runner import Job
from scripts.common.store import FeatureStore
from scripts.common.tables import Failure, Row
from tests.features import write_part
from tests.projects import ROOT, make_video
from tests.recipe import MEDIA

MODEL = "r2plus1d_18_k400"


def prompt(folder: Path, *arguments, status: int = 0) -> str:
    """Type the command and return what it prints."""
    command = [sys.executable, "-m", "scripts.extract_features", *map(str, arguments)]
    result = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    output = result.stdout + result.stderr
    assert result.returncode == status, output
    return output


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a.mp4", seconds=2, fps=20)
    make_video(folder / "b.mkv", seconds=0.3, fps=20)
    (folder / "c.mp4").write_text("no video")
    return folder


def test_videos_at_a_prompt(videos, tmp_path):
    output = prompt(
        tmp_path,
        *("--model", MODEL, "--checkpoint", "random", "--show-pred"),
        *(videos / name for name in ("a.mp4", "b.mkv", "c.mp4")),
        status=1,
    )
    assert "random weights; features and classes mean nothing" in output
    assert "a.mp4: 2 windows of 512 numbers" in output
    assert "  0.80 s to 1.60 s\n    0." in output
    assert "c.mp4: not_video" in output
    assert output.count("\n    ") == 3 * 5
    found = dict(store.read(tmp_path / f"{MODEL}.h5"))
    assert {name: arrays["features"].shape for name, arrays in found.items()} == {
        "a.mp4": (2, 512),
        "b.mkv": (1, 512),
    }
    about = store.provenance(tmp_path / f"{MODEL}.h5")
    assert (about["stack"], about["step"], about["weights"]) == (
        16,
        16,
        "random, seed 0",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "s3dd_k400"], "did you mean 's3d_k400'?"),
        (["--model", MODEL, "--checkpoint", "no.pt"], "there is no checkpoint no.pt"),
        (["--model", MODEL, "gone.mp4"], "error: there is no video gone.mp4"),
        (["--model", MODEL, "empty"], "error: there is no video in the folder empty"),
        (
            ["--model", "tsm_resnet50_k400_8seg", "--checkpoint", "random"]
            + ["--step", "8"],
            "a window of tsm_resnet50_k400_8seg is all of a video",
        ),
        (
            ["--model", MODEL, "--checkpoint", "random", "--output", "mine.txt"],
            "mine.txt is no HDF5 file",
        ),
    ],
)
def test_a_mistake_at_a_prompt_is_one_line(videos, tmp_path, arguments, message):
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / "empty").mkdir()
    output = prompt(tmp_path, *arguments, videos / "a.mp4", status=1)
    assert message in output
    assert "Traceback" not in output
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_command_whose_output_nobody_reads_any_more_ends(tmp_path):
    for name, seconds in (("a", 1), ("b", 20)):
        make_video(tmp_path / f"{name}.mp4", seconds=seconds, fps=25, size="64x48")
    command = [sys.executable, "-u", "-m", "scripts.extract_features", tmp_path]
    output = tmp_path / "features.h5"
    options = ["--model", MODEL, "--checkpoint", "random", "--batch-size", "1"]
    options += ["--output", output]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert b"random weights" in process.stdout.readline()
        process.stdout.close()
        _, said = process.communicate(timeout=200)
    assert b"BrokenPipeError" in said
    assert not output.exists()


def test_folders_and_lists_of_paths_stand_for_their_videos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in ("in/a.mp4", "in/b.MKV", "in/notes.doc", "c d.webm"):
        Path(name).write_text("")
    Path("paths.txt").write_text("c d.webm\n\nin\n")
    found = sources.typed([Path("paths.txt")])
    assert list(map(str, found)) == ["c d.webm", "in/a.mp4", "in/b.MKV"]


def test_files_of_one_name_are_told_apart_by_their_paths():
    paths = [Path("x/a.mp4"), Path("y/a.mp4")]
    assert [row.id for row in extract_features.named(paths)] == ["x/a.mp4", "y/a.mp4"]


def test_the_help_teaches(tmp_path):
    output = prompt(tmp_path, "--help")
    assert "--model s3d_k400 --show-pred a.mp4 b.mkv" in output


@pytest.mark.skipif(not MEDIA.is_dir(), reason="no folder of real videos at hand")
def test_real_videos_of_many_kinds_at_a_prompt(tmp_path):
    videos = sorted(p for p in MEDIA.iterdir() if p.suffix in (".mp4", ".avi", ".mkv"))
    arguments = ["--model", MODEL, "--checkpoint", "random", "--stack", "8"]
    prompt(tmp_path, *arguments, "--step", "64", *videos)
    found = dict(store.read(tmp_path / f"{MODEL}.h5"))
    assert sorted(found) == [path.name for path in videos]
    for arrays in found.values():
        assert np.isfinite(arrays["features"]).all()
        assert arrays["features"].std() > 0


def shard(folder: Path, name: str, numbers: range, weights: str = "w") -> Path:
    """Write a shard's features: a video for each number, each of that many windows."""
    about = {"model": MODEL, "weights": weights, "software": {}}
    rows = []
    for n in numbers:
        arrays = {"features": np.full((n, 4), n, np.float32)}
        write_part(folder / f"{n}.h5", f"run/{n}.mp4", f"k{n}", arrays)
        rows.append(Row(f"run/{n}.mp4", key=f"k{n}"))
    sources = [(folder / f"{n}.h5", [f"run/{n}.mp4"]) for n in numbers]
    manifest = folder / f"{name}.tsv"
    store.merge(manifest.with_suffix(".h5"), sources, about)
    tables.write(manifest, [*rows, Row(f"bad{name}", "corrupt", "cut")])
    return manifest


def aggregate(folder: Path, manifests: list[Path], layout: str = "grouped") -> None:
    lines = ["shard", *(manifest.stem for manifest in manifests)]
    (folder / "shards.tsv").write_text("\n".join(lines) + "\n")
    aggregate_features.main(
        ["--features", str(folder / "all.h5"), "--table", str(folder / "all.tsv")]
        + ["--folder", str(folder), "--shards", str(folder / "shards.tsv")]
        + ["--options", json.dumps({"layout": layout})]
    )


@pytest.mark.parametrize("layout", store.LAYOUTS)
def test_one_file_holds_the_features_of_all_shards(tmp_path, layout):
    manifests = [
        shard(tmp_path, "00000", range(1, 4)),
        shard(tmp_path, "00001", range(4, 6)),
        shard(tmp_path, "00002", range(0)),
    ]
    aggregate(tmp_path, manifests, layout)
    found = dict(store.read(tmp_path / "all.h5"))
    assert sorted(found) == [f"run/{n}.mp4" for n in range(1, 6)]
    for n in range(1, 6):
        assert found[f"run/{n}.mp4"]["features"].tolist() == [[n] * 4] * n
    assert store.provenance(tmp_path / "all.h5")["weights"] == "w"
    if layout == "grouped":
        with h5py.File(tmp_path / "all.h5") as file:
            assert file["run+3.mp4"].attrs["id"] == "run/3.mp4"
    rows = tables.read(tmp_path / "all.tsv")
    assert [row.status for row in rows] == ["corrupt"] * 3 + ["ok"] * 5


def test_shards_made_with_other_weights_are_not_mixed(tmp_path):
    manifests = [
        shard(tmp_path, "00000", range(1, 3)),
        shard(tmp_path, "00001", range(3, 4), weights="others"),
    ]
    with pytest.raises(SystemExit, match=r"00001\.h5 was made with weights = others"):
        aggregate(tmp_path, manifests)
    assert not (tmp_path / "all.h5").exists()


OPTIONS = {
    "version": 1,
    "model": MODEL,
    "encoding": "default",
    "stack": 4,
    "stride": None,
    "step": 8,
    "tail": "drop",
    "features": ["features"],
    "precision": "float32",
    "dtype": "float32",
    "decoder": "cpu",
}


class Shard:
    """A shard of clips on which the real stage is run in this process."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows = []
        for n in range(3):
            make_video(folder / f"{n}.mp4", seconds=1, fps=16, seed=n)
            self.rows.append(Row(f"v{n}", path=str(folder / f"{n}.mp4"), key=f"k{n}"))
        ticket = {"model": MODEL, "file": None, "weights": "random, seed 0"}
        (folder / "ticket.json").write_text(json.dumps(ticket))

    def arguments(
        self, rows=None, model="features", together=(), batch_size="auto", **options
    ) -> list[str]:
        """Return one model's command line; `together`: those that it may do as well."""
        tables.write(self.folder / "clips.tsv", rows or self.rows)
        others = [
            {
                "options": OPTIONS | changes,
                "ticket": str(self.folder / "ticket.json"),
                "manifest": str(self.folder / name / "00000.tsv"),
                "batch_size": "auto",
                "compile": False,
            }
            for name, changes in dict(together).items()
        ]
        return [
            *("--table", str(self.folder / "clips.tsv")),
            *("--ticket", str(self.folder / "ticket.json")),
            *("--manifest", str(self.folder / model / "00000.tsv")),
            *("--options", json.dumps(OPTIONS | options)),
            *("--together", json.dumps(others), "--batch-size", str(batch_size)),
        ]

    def run(self, capsys, rows=None, **job) -> str:
        """Run one model's job; return what it prints."""
        extract_features.main(self.arguments(rows, **job))
        return capsys.readouterr().out

    @property
    def features(self) -> dict:
        return dict(store.read(self.folder / "features/00000.h5"))


AGAIN = """
import json, sys
from scripts import extract_features
extract_features.main(json.loads(sys.argv[1]))
sys.exit("torch" in sys.modules)
"""


def test_a_shard_that_is_done_does_not_wait_for_torch(tmp_path, capsys):
    shard = Shard(tmp_path)
    shard.run(capsys, shard.rows[:1])
    again = shard.arguments(shard.rows[:1])
    command = [sys.executable, "-c", AGAIN, json.dumps(again)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "0 to do, 1 done before" in output.stdout
    assert output.returncode == 0, output.stderr


def test_a_shard_is_done_once_and_added_to(tmp_path, capsys):
    shard = Shard(tmp_path)
    assert "2 to do, 0 done before" in shard.run(capsys, shard.rows[:2])
    first = shard.features
    assert first["v0"]["features"].shape == (2, 512)
    assert "1 to do, 2 done before" in shard.run(capsys)
    assert sorted(shard.features) == ["v0", "v1", "v2"]
    np.testing.assert_array_equal(
        shard.features["v0"]["features"], first["v0"]["features"]
    )
    assert "0 to do, 3 done before" in shard.run(capsys)
    assert "0 to do, 1 done before" in shard.run(capsys, shard.rows[2:])
    assert sorted(shard.features) == ["v2"]
    names = {path.name for path in (tmp_path / "features").iterdir()}
    assert names == {
        f"00000.{x}" for x in ("h5", "tsv", "times.tsv", "journal", "lock")
    }


def test_other_windows_are_other_features(tmp_path, capsys):
    shard = Shard(tmp_path)
    shard.run(capsys)
    assert "3 to do, 0 done before" in shard.run(capsys, step=4)
    assert shard.features["v0"]["features"].shape == (4, 512)
    assert store.provenance(tmp_path / "features/00000.h5")["step"] == 4


def test_a_lost_file_of_features_is_made_again(tmp_path, capsys):
    shard = Shard(tmp_path)
    shard.run(capsys)
    (tmp_path / "features/00000.h5").unlink()
    assert "3 to do, 0 done before" in shard.run(capsys)
    assert sorted(shard.features) == ["v0", "v1", "v2"]


def broken_from(frame: int, monkeypatch) -> None:
    """Let every video break off at a frame, and every window be a part of its own."""

    def read(video, numbers):
        if numbers[-1] >= frame:
            raise Failure("corrupt", "broken off")
        return whole(video, numbers)

    whole = decoding.Frames.read
    monkeypatch.setattr(decoding.Frames, "read", read)
    monkeypatch.setattr(outputs, "PART_BYTES", 1)


def test_of_a_video_that_breaks_off_nothing_is_kept(tmp_path, capsys, monkeypatch):
    shard = Shard(tmp_path)
    with monkeypatch.context() as patch:
        broken_from(10, patch)
        shard.run(capsys, shard.rows[:1], batch_size=1)
    assert shard.features == {}
    (row,) = tables.read(tmp_path / "features/00000.tsv")
    assert (row.status, row.message) == ("corrupt", "broken off")
    assert not (tmp_path / "features/00000").exists()


def test_what_a_killed_job_has_of_a_video_is_not_taken_for_all_of_it(tmp_path, capsys):
    shard = Shard(tmp_path)
    shard.run(capsys, shard.rows[:2])
    key = tables.read(tmp_path / "features/00000.tsv")[0].key
    parts = ShardStore(Job("", Path(), tmp_path / "features/00000.tsv", {}))
    arrays = {"features": np.zeros((1, 512), np.float32)}
    parts.add(replace(shard.rows[0], key=key), Part(arrays, {"features": 2}, False))
    (tmp_path / "features/00000.h5").unlink()
    assert "2 to do, 0 done before" in shard.run(capsys, shard.rows[:2])
    assert shard.features["v0"]["features"].any(axis=1).all()
    assert not (tmp_path / "features/00000").exists()


def test_at_a_prompt_too(videos, tmp_path, capsys, monkeypatch):
    broken_from(20, monkeypatch)
    arguments = ["--model", MODEL, "--checkpoint", "random", "--batch-size", "1"]
    arguments += ["--stack", "8", "--output", str(tmp_path / "made.h5")]
    with pytest.raises(SystemExit) as stopped:
        extract_features.main(
            [*arguments, *(str(videos / name) for name in ("a.mp4", "b.mkv"))]
        )
    assert stopped.value.code == 1
    assert "a.mp4: corrupt: broken off" in capsys.readouterr().err
    assert FeatureStore(tmp_path / "made.h5").ids == ["b.mkv"]


def test_fused_models_are_done_together_and_tracked_apart(tmp_path, capsys):
    shard = Shard(tmp_path)
    broken = replace(shard.rows[2], path=str(tmp_path / "lost.mp4"))
    shard.rows[2] = broken
    slow = {"step": 2}
    assert "3 to do, 0 done" in shard.run(capsys, model="a", together={"b": slow})
    assert "0 to do, 3 done" in shard.run(capsys, model="b", together={"a": {}}, **slow)
    shard.run(capsys, model="alone", **slow)
    ours, alone = (
        store.FeatureStore(tmp_path / f"{m}/00000.h5") for m in ("b", "alone")
    )
    assert ours.ids == alone.ids == ["v0", "v1"]
    assert ours.provenance == alone.provenance
    for video_id in ours:
        for name, array in alone[video_id].items():
            np.testing.assert_array_equal(ours[video_id][name], array)
    manifests = [(tmp_path / f"{m}/00000.tsv").read_text() for m in ("b", "alone")]
    assert manifests[0] == manifests[1].replace("/alone/", "/b/")
    # Another step of one is work for this one alone.
    output = shard.run(capsys, model="a", together={"b": slow}, step=4)
    assert "3 to do, 0 done" in output
    assert "0 to do, 3 done" in shard.run(
        capsys, model="b", together={"a": {"step": 4}}, **slow
    )


def test_a_model_of_flow_at_a_prompt(tmp_path):
    make_video(tmp_path / "a.mp4", seconds=0.4, fps=25, size="64x64")
    flow = ["--model", "i3d_flow_k400", "--checkpoint", "random"]
    assert "i3d_flow_k400 takes flow: give --flow" in prompt(
        tmp_path, *flow, "a.mp4", status=1
    )
    output = prompt(tmp_path, *flow, "--flow", "farneback", "--show-pred", "a.mp4")
    assert "note: i3d_flow_k400 takes flow of tvl1 cut off at 20 pixels" in output
    # Of 10 frames there are 9 flows: one window, padded.
    assert "a.mp4: 1 window of 1024 numbers\n  0.04 s to 0.40 s" in output
    told = store.provenance(tmp_path / "i3d_flow_k400.h5")["flow"]
    assert (told["algorithm"], told["short_side"]) == ("farneback", 256)

"""Clips in one tar for each shard are read, kept and moved as those in files are."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from scripts import compute_flow, dump_frames, transcode_clips
from scripts.common import dropping, media, members, tables
from scripts.common.engine.decoding import Frames
from scripts.common.journal import Journal
from scripts.common.report import pictures
from scripts.common.sources import typed
from scripts.common.tables import Failure, Row
from tests.conftest import SECOND, small_project
from tests.projects import ROOT, Project, make_video
from tests.stages import ENCODING, shard_arguments

IDS = ("run/a clip.mp4", "日本/b.c.mp4", "plain", "x" * 190 + ".mp4")


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> list[Row]:
    folder = tmp_path_factory.mktemp("sources")
    rows = []
    for number, video_id in enumerate(IDS):
        make_video(folder / f"{number}.mp4", seed=number)
        path = str(folder / f"{number}.mp4")
        rows.append(Row(video_id, path=path, key=f"key {number}"))
    return rows


def encode(folder: Path, rows: list[Row], layout: str, *more: str) -> list[Row]:
    """Run the stage; return the rows of its manifest."""
    folder.mkdir(exist_ok=True)
    arguments = ["--layout", layout, *more]
    transcode_clips.main(shard_arguments(folder, rows, ENCODING, *arguments))
    return tables.read(folder / "made.tsv")


def content(row: Row) -> bytes:
    with members.opened(Path(row.path)) as clip:
        return clip.read()


def made_in(folder: Path) -> set[str]:
    """The files of the stage, but for its journal and lock."""
    paths = {str(path.relative_to(folder)) for path in folder.rglob("made*/**/*")}
    paths |= {path.name for path in folder.glob("made*") if path.is_file()}
    return paths - {"made.journal", "made.lock", "table.tsv"}


@pytest.fixture
def both(tmp_path, sources) -> tuple[list[Row], list[Row]]:
    """The same clips in files and in a tar."""
    found = (encode(tmp_path / name, sources, name) for name in ("folders", "tar"))
    return tuple(found)


def test_a_tar_holds_the_very_clips_and_a_few_words_on_each(tmp_path, both):
    in_files, in_tar = both
    assert made_in(tmp_path / "tar") == {"made.tsv", "made.tar"}
    assert [content(row) for row in in_tar] == [content(row) for row in in_files]
    for one, other in zip(in_files, in_tar, strict=True):
        assert replace(one, path="") == replace(other, path="")
    # WebDataset: a sample is what shares the name up to the first dot.
    with tarfile.open(tmp_path / "tar" / "made.tar") as archive:
        names = archive.getnames()
        told = json.load(archive.extractfile("run+a=20clip=2Emp4.json"))
    assert names[:2] == ["run+a=20clip=2Emp4.json", "run+a=20clip=2Emp4.mp4"]
    assert all(re.fullmatch(r"[^./]+[.](json|mp4)", name) for name in names)
    assert told["key"] == in_tar[0].key
    assert (told["frames"], told["width"]) == (in_tar[0].frames, in_tar[0].width)
    assert in_tar[0].path == str(tmp_path / "tar/made.tar/run+a=20clip=2Emp4.mp4")


def test_all_that_reads_clips_reads_them_in_a_tar(tmp_path, both):
    for one, other in zip(*both, strict=True):
        assert media.probe(Path(other.path), decode=True).frames == one.frames == 25
        expected, found = Frames(Path(one.path)), Frames(Path(other.path))
        numbers = list(range(25))
        assert torch.equal(found.read(numbers), expected.read(numbers))
        assert pictures.strip_of_clip(other) == pictures.strip_of_clip(one)
        assert list(typed([Path(other.path)])) == [Path(other.path)]
    dump = {"quality": 2, "short_side": None, "fps": None, "every": 1}
    flow = {"algorithm": "farneback", "bound": 20, "parameters": {}}
    flow |= {"storage": "jpg", "quality": 95}
    for stage, options in ((dump_frames, dump), (compute_flow, flow)):
        stored = []
        for number, rows in enumerate(both):
            folder = tmp_path / f"{stage.__name__}{number}"
            folder.mkdir()
            layout = "folders" if stage is dump_frames else "tsn"
            asked = {**options, "layout": layout}
            stage.main(shard_arguments(folder, rows[:2], asked))
            images = sorted((folder / "made").rglob("*.jpg"))
            stored.append([path.read_bytes() for path in images])
        assert stored[0] == stored[1]
        assert len(stored[0]) in (50, 96)


def test_a_tar_below_a_name_that_is_no_text_is_read_too(tmp_path, both):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    odd.mkdir()
    path = Path(both[1][1].path)
    path.parent.rename(odd / path.parent.name)
    moved = odd / path.parent.name / path.name
    frames = Frames(moved).read([3, 20])
    assert torch.equal(frames, Frames(Path(both[0][1].path)).read([3, 20]))
    with members.opened(moved) as clip:
        clip.seek(-4, os.SEEK_END)
        assert clip.read() == content(both[0][1])[-4:]
        assert clip.seek(2) == clip.tell() == 2


def test_a_later_job_keeps_replaces_and_drops_clips(tmp_path, sources):
    first = encode(tmp_path, sources, "tar")
    before = [content(row) for row in first]
    reader = Path(first[3].path)
    kept = Frames(reader).read([0, 7])
    # The first is made anew, from another video; the second goes.
    changed = replace(sources[0], path=sources[2].path, key="other")
    rows = encode(tmp_path, [changed, *sources[2:]], "tar")
    assert rows[1:] == first[2:]
    assert [content(row) for row in rows] == [before[2], before[2], before[3]]
    # Its clip has moved inside the tar, and its path still leads there.
    assert torch.equal(Frames(reader).read([0, 7]), kept)
    assert members.find(Path(first[1].path)) is None


def test_a_kill_loses_no_finished_clip(tmp_path):
    rows = []
    for number in range(6):
        path = tmp_path / f"{number}.mp4"
        make_video(path, seconds=2, fps=25, seed=number, size="640x480")
        rows.append(Row(f"{number}", path=str(path), key=f"{number}"))
    slow = ENCODING | {"preset": "slow", "short_side": 240}
    arguments = shard_arguments(tmp_path, rows, slow, "--layout", "tar")
    arguments[arguments.index("--threads") + 1] = "1"
    command = [sys.executable, "-m", "scripts.transcode_clips", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    journal = tmp_path / "made.journal"
    until = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = Journal(journal).rows
    assert 2 <= len(finished) < 6
    # What is no clip yet lies where nobody takes it for one.
    assert not (tmp_path / "made.tar").exists()
    parts = {path: path.stat().st_mtime_ns for path in tmp_path.glob("made/*.tar")}
    # Sources of what is finished are not needed any more.
    for video_id in finished:
        (tmp_path / f"{video_id}.mp4").unlink()

    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout

    done = len(finished)
    assert f"{6 - done} to do, {done} done before" in output.decode()
    assert len(parts) >= done
    made = tables.read(tmp_path / "made.tsv")
    assert [row.status for row in made] == ["ok"] * 6
    for row in made:
        assert media.probe(Path(row.path), decode=True).frames == 50
    assert made_in(tmp_path) == {"made.tsv", "made.tar"}


def test_another_layout_moves_clips_and_makes_none(tmp_path, sources):
    passing = [
        replace(row, path=str(tmp_path / Path(row.path).name)) for row in sources
    ]
    for row, source in zip(passing, sources, strict=True):
        Path(row.path).write_bytes(Path(source.path).read_bytes())
    first = encode(tmp_path, passing, "folders")
    expected = [content(row) for row in first]
    for row in passing:
        Path(row.path).unlink()
    names = {f"made/{Path(row.path).name}" for row in first} | {"made.tsv"}
    for layout, files in (("tar", {"made.tsv", "made.tar"}), ("folders", names)):
        rows = encode(tmp_path, passing, layout)
        assert [content(row) for row in rows] == expected
        assert made_in(tmp_path) == files
    assert rows == first


def test_parts_of_a_job_that_was_killed_are_moved_too(tmp_path, sources, monkeypatch):
    def killed(*_):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("scripts.common.containers.tar.merge", killed)
        with pytest.raises(MemoryError):
            encode(tmp_path, sources, "tar")
    assert len(list(tmp_path.glob("made/*.tar"))) == 4
    rows = encode(tmp_path, [replace(row, path="gone") for row in sources], "folders")
    assert [row.status for row in rows] == ["ok"] * 4
    assert made_in(tmp_path) == {
        "made.tsv",
        *(f"made/{Path(row.path).name}" for row in rows),
    }


def test_a_source_that_is_not_copied_stays_where_it_is(tmp_path, sources):
    untouched = ENCODING | {"fps": None, "short_side": None}
    rows = [sources[0], replace(sources[1], start=0.0, end=0.5)]
    for _ in range(2):
        argv = shard_arguments(tmp_path, rows, untouched, "--layout", "tar")
        transcode_clips.main(argv)
        made = tables.read(tmp_path / "made.tsv")
        assert made[0].path == sources[0].path
        assert Path(made[1].path).parent == tmp_path / "made.tar"
        assert made[1].frames == 5


def test_downloads_go_once_their_clips_are_in_the_tar(tmp_path, sources):
    folder = tmp_path / "table"
    folder.mkdir()
    downloads = []
    for row in sources:
        path = folder / Path(row.path).name
        path.write_bytes(Path(row.path).read_bytes())
        about = {"file": path.name, "title": "two  blanks"}
        path.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n")
        downloads.append(replace(row, path=str(path)))
    (folder / "3.mp4").write_bytes(b"damaged")
    wanted = json.dumps({str(tmp_path / "made.tsv"): ENCODING})
    rows = encode(tmp_path, downloads, "tar", "--clips", wanted)
    assert [row.status for row in rows] == ["ok", "ok", "ok", "not_video"]
    assert {path.name for path in folder.iterdir()} == {"3.mp4", "3.json"}
    lines = (tmp_path / "table.dropped.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["0.mp4", "1.mp4", "2.mp4"]
    assert json.loads(lines[0])["title"] == "two  blanks"
    clips = dropping.Clips(json.loads(wanted))
    assert [clips.stand(row) for row in downloads] == [True, True, True, False]
    (tmp_path / "made.tar").unlink()
    assert not clips.stand(downloads[0])


def test_only_members_of_a_tar_are_read_as_parts_of_a_file(tmp_path, sources):
    """A source may be named like an address, and a tar may hold anything."""
    source = tmp_path / "secret.mp4"
    source.write_bytes(Path(sources[0].path).read_bytes())
    size = source.stat().st_size
    named = Path(f"subfile,,start,0,end,{size},,:secret.mp4")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(Failure, match="No such file"):
            media.probe(named)
        with pytest.raises(Failure):
            Frames(named)
    finally:
        os.chdir(before)
    hostile = tmp_path / "hostile.tar"
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nfile://{source}\n"
    concat = f"ffconcat version 1.0\nfile subfile,,start,0,end,{size},,:{source}\n"
    with tarfile.open(hostile, "w") as archive:
        for name, text in (("list.mp4", playlist), ("concat.mp4", concat)):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("link.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, str(source)
        archive.addfile(link)
    for name in ("list.mp4", "concat.mp4", "link.mp4", "none.mp4", "../secret.mp4"):
        with pytest.raises(Failure) as caught:
            media.probe(hostile / name)
        assert caught.value.reason == "not_video"
        assert str(tmp_path) not in str(caught.value)
    # A source is a file of its own.
    (row,) = encode(tmp_path, [Row("v", path=str(hostile / "list.mp4"))], "folders")
    assert row.status == "missing"


def features(project: Project) -> dict[str, np.ndarray]:
    with h5py.File(project.folder / SECOND) as file:
        return {name: group["features"][()] for name, group in file.items()}


def test_a_build_with_its_clips_in_tars(tmp_path):
    project = small_project(tmp_path)
    config = project.config
    config["encodings"]["default"]["layout"] = "tar"
    config["frames"]["layout"] = "tar"
    config["datasets"]["small"]["shards"] = 1
    del config["models"]["first"]
    # What shares a batch decides about the last bits.
    config["models"]["second"]["batch_size"] = 1
    config["lists"] = {"formats": ["parquet"]}
    project.configure(config)

    project.run()

    clips = project.folder / "results/small/clips/default"
    names = {f"00000.{suffix}" for suffix in ("tsv", "tar", "journal", "lock")}
    assert {path.name for path in clips.iterdir()} == names
    assert "data:image/jpeg" in (clips.parents[1] / "report.html").read_text()
    from_tars = features(project)
    assert len(from_tars) == 8
    frames = project.folder / "results/small/frames/default"
    written = {path: path.stat().st_mtime_ns for path in frames.glob("*.tar")}

    # Files in their place: nothing is encoded, dumped or in any feature different.
    shutil.rmtree(project.folder / "results/small/features")
    config["encodings"]["default"]["layout"] = "folders"
    project.configure(config)
    project.run("frames", SECOND)
    assert not list(clips.glob("*.tar"))
    assert len(list(clips.glob("*/*.mp4"))) == 8
    assert written == {path: path.stat().st_mtime_ns for path in written}
    from_files = features(project)
    assert from_files.keys() == from_tars.keys()
    for name, values in from_files.items():
        assert np.array_equal(values, from_tars[name])

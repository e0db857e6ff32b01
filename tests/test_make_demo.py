"""The demo dataset has what it promises."""

import csv
import hashlib
import io
import zipfile

import pytest

from scripts import make_demo
from scripts.common import media, processes
from scripts.common.tables import Failure

CLIPS = {clip.path: clip for clip in make_demo.CLIPS}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo")
    make_demo.main(["--directory", str(directory)])
    with zipfile.ZipFile(directory / "videos.zip") as archive:
        archive.extractall(directory / "unpacked")
    return directory


def lines(path):
    return path.read_text().splitlines()


def test_archive_is_small_and_has_every_video(demo):
    assert (demo / "videos.zip").stat().st_size < 2_000_000
    with zipfile.ZipFile(demo / "videos.zip") as archive:
        assert archive.namelist() == sorted(CLIPS)
        assert archive.testzip() is None


def test_there_is_one_of_each_oddity():
    clips = make_demo.CLIPS
    stems = [path.split("/")[1].split(".")[0] for path in CLIPS]
    assert len(clips) >= 14
    assert len({clip.label for clip in clips}) == 3
    assert len(stems) > len(set(stems))
    assert any(" " in path for path in CLIPS)
    assert any(clip.size[0] < clip.size[1] and not clip.rotated for clip in clips)
    assert [clip.seconds for clip in clips if clip.seconds < 3] == [0.4]
    assert {path.rpartition(".")[2] for path in CLIPS} == {"mp4", "avi", "mkv", "webm"}


@pytest.mark.parametrize("path", [p for p, clip in CLIPS.items() if not clip.broken])
def test_video_is_what_its_clip_says(demo, path):
    clip = CLIPS[path]
    video = media.probe(demo / "unpacked" / path, decode=True)
    stored = (video.width, video.height)
    assert (stored[::-1] if clip.rotated else stored) == clip.size
    assert video.fps == pytest.approx(float(clip.fps), rel=1e-3)
    assert video.frames == clip.frames


def test_rotation_and_sound_are_there(demo):
    def ask(path, *entries):
        command = ["ffprobe", "-v", "error", "-of", "csv=p=0", "-show_entries"]
        return processes.run([*command, *entries, str(demo / "unpacked" / path)]).stdout

    (rotated,) = (clip.path for clip in make_demo.CLIPS if clip.rotated)
    assert "-90" in ask(rotated, "stream_side_data=rotation")
    (sounding,) = (clip.path for clip in make_demo.CLIPS if clip.sound)
    assert "audio" in ask(sounding, "stream=codec_type")


def test_broken_video_is_broken(demo):
    (path,) = (clip.path for clip in make_demo.CLIPS if clip.broken)
    with pytest.raises(Failure, match="moov atom not found"):
        media.probe(demo / "unpacked" / path)


def test_splits_are_disjoint_and_cover_the_annotations(demo):
    records = list(csv.DictReader(io.StringIO((demo / "annotations.csv").read_text())))
    train, test = set(lines(demo / "train.txt")), set(lines(demo / "test.txt"))
    assert not train & test
    assert train | test == {record["path"] for record in records} == set(CLIPS)
    for record in records:
        assert record["path"].startswith(f"{record['label']}/")
    labels = {record["label"] for record in records}
    assert {path.split("/")[0] for path in train} == labels
    assert {path.split("/")[0] for path in test} == labels


def test_second_run_gives_the_same_bytes(demo, tmp_path):
    make_demo.main(["--directory", str(tmp_path), "--threads", "1"])
    for name in ("videos.zip", "annotations.csv", "train.txt", "test.txt"):
        first, second = (
            hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for folder in (demo, tmp_path)
        )
        assert first == second, name


def test_failing_ffmpeg_names_the_clip(tmp_path, monkeypatch):
    monkeypatch.setitem(make_demo.CODECS, "h264", ("-c:v", "no_such_codec"))
    with pytest.raises(RuntimeError, match=r"slide/harbour\.mp4"):
        make_demo.make_clip(make_demo.CLIPS[0], tmp_path)

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.common import containers, tables
from scripts.common.tables import Failure, Row
from scripts.dump_frames import dump_clip, dumped, main
from tests.projects import make_video
from tests.stages import shard_arguments

AS_THEY_ARE = {"quality": 2, "short_side": None, "fps": None, "every": 1}


@pytest.fixture
def clip(tmp_path) -> Row:
    path = tmp_path / "100%d clip.mp4"
    make_video(path, seconds=2, fps=25, size="96x64")
    return Row("run/a clip", path=str(path), frames=50, fps=25, key="k")


def test_every_frame_is_a_picture_counted_from_one(tmp_path, clip):
    row = dump_clip(clip, tmp_path / "50% frames", AS_THEY_ARE)
    pictures = sorted(Path(row.path).iterdir())
    assert Path(row.path).name == "run+a=20clip"
    assert [p.name for p in pictures] == [f"{n:05d}.jpg" for n in range(1, 51)]
    assert row.bytes == sum(p.stat().st_size for p in pictures)
    with Image.open(pictures[0]) as first:
        assert first.size == (row.width, row.height) == (96, 64)


def test_quality_costs_bytes(tmp_path, clip):
    good = dump_clip(clip, tmp_path / "good", AS_THEY_ARE)
    poor = dump_clip(clip, tmp_path / "poor", AS_THEY_ARE | {"quality": 20})
    assert good.bytes > 2 * poor.bytes


@pytest.mark.parametrize(
    ("change", "frames", "fps", "size"),
    [
        ({"short_side": 32}, 50, 25, (48, 32)),
        ({"every": 3}, 17, 25 / 3, (96, 64)),
        ({"fps": 10}, 20, 10, (96, 64)),
        ({"fps": 30, "every": 2}, 30, 15, (96, 64)),
    ],
)
def test_fewer_and_smaller_frames_on_demand(tmp_path, clip, change, frames, fps, size):
    row = dump_clip(clip, tmp_path / "frames", AS_THEY_ARE | change)
    assert (row.frames, row.fps, (row.width, row.height)) == (frames, fps, size)
    assert len(list(Path(row.path).iterdir())) == frames


def test_every_third_frame_is_the_first_the_fourth_and_so_on(tmp_path, clip):
    for name, every in (("all", 1), ("some", 3)):
        dump_clip(clip, tmp_path / name, AS_THEY_ARE | {"every": every})
    with (
        containers.opened(tmp_path / "all") as whole,
        containers.opened(tmp_path / "some") as few,
    ):
        assert np.array_equal(
            containers.frames(whole, clip.id, range(0, 50, 3)),
            containers.frames(few, clip.id),
        )


def test_a_clip_with_other_frames_than_the_manifest_says_is_corrupt(tmp_path, clip):
    wrong = Row(clip.id, path=clip.path, frames=60, fps=25)
    with pytest.raises(Failure, match="50 of 60 frames") as caught:
        dump_clip(wrong, tmp_path / "frames", AS_THEY_ARE)
    assert caught.value.reason == "corrupt"
    assert not list((tmp_path / "frames").iterdir())


def test_a_full_disk_is_not_the_clips_fault(tmp_path, clip):
    (tmp_path / "00001.jpg").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        dumped(clip, tmp_path, AS_THEY_ARE)


@pytest.mark.parametrize("layout", ["folders", "tar", "hdf5"])
def test_every_layout_gives_the_frames_that_ffmpeg_writes(tmp_path, clip, layout):
    options = AS_THEY_ARE | {"layout": layout, "version": 1}
    main(shard_arguments(tmp_path, [clip], options))
    (row,) = tables.read(tmp_path / "made.tsv")
    pattern = tmp_path / "plain" / "%05d.jpg"
    pattern.parent.mkdir()
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", clip.path, "-q:v", "2"]
    subprocess.run([*command, "-threads", "1", pattern], check=True)
    plain = [path.read_bytes() for path in sorted(pattern.parent.iterdir())]
    with containers.of_row(row) as shard:
        assert shard.pictures(clip.id, range(shard.count(clip.id))) == plain
        assert containers.frames(shard, clip.id).shape == (50, 64, 96, 3)
    if layout != "folders":
        assert not (tmp_path / "made").exists(), "it was to take few files"

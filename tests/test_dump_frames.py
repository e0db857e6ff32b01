from pathlib import Path

import pytest
from PIL import Image

from scripts.common.tables import Failure, Row
from scripts.dump_frames import dump_clip
from tests.projects import make_video


@pytest.fixture
def clip(tmp_path) -> Row:
    path = tmp_path / "100%d clip.mp4"
    make_video(path, seconds=2, fps=25, size="96x64")
    return Row("run/a clip", path=str(path), frames=50)


def test_every_frame_is_a_picture_counted_from_one(tmp_path, clip):
    row = dump_clip(clip, tmp_path / "50% frames", {"quality": 2})
    pictures = sorted(Path(row.path).iterdir())
    assert Path(row.path).name == "run+a=20clip"
    assert [p.name for p in pictures] == [f"{n:05d}.jpg" for n in range(1, 51)]
    assert row.bytes == sum(p.stat().st_size for p in pictures)
    with Image.open(pictures[0]) as first:
        assert first.size == (96, 64)


def test_quality_costs_bytes(tmp_path, clip):
    good = dump_clip(clip, tmp_path / "good", {"quality": 2})
    poor = dump_clip(clip, tmp_path / "poor", {"quality": 20})
    assert good.bytes > 2 * poor.bytes


def test_a_clip_with_other_frames_than_the_manifest_says_is_corrupt(tmp_path, clip):
    wrong = Row(clip.id, path=clip.path, frames=60)
    with pytest.raises(Failure, match="50 of 60 frames") as caught:
        dump_clip(wrong, tmp_path / "frames", {"quality": 2})
    assert caught.value.reason == "corrupt"
    assert not list((tmp_path / "frames").iterdir())

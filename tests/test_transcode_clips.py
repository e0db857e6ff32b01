import errno
import os
import subprocess
from pathlib import Path

import pytest

from scripts.common import media, processes
from scripts.common.tables import Failure, Row
from scripts.transcode_clips import transcode_clip
from tests.projects import make_video
from tests.stages import ENCODING

ORIGINAL = ENCODING | {"fps": None, "short_side": None}


def ffmpeg(*arguments) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def transcode(source: Path, folder: Path, options=ENCODING, **row) -> Row:
    video = Row("a video", path=str(source), key="k", **row)
    return transcode_clip(video, folder / "clips", options)


def reason(source: Path, folder: Path, options=ENCODING, **row) -> str:
    with pytest.raises(Failure) as caught:
        transcode(source, folder, options, **row)
    assert not list(folder.glob("clips/*")), "a failure left a file behind"
    return caught.value.reason


def brightness(path: Path) -> list[int]:
    """The brightness of the middle pixel of each frame, 0 to 255."""
    crop = ["-vf", "crop=2:2", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough"]
    raw = subprocess.run([*command, *crop], check=True, capture_output=True).stdout
    return list(raw[::4])


@pytest.fixture
def stairs(tmp_path) -> Path:
    """3 s at 10 frames per second; frame n has brightness 40 + 5 n."""
    path = tmp_path / "stairs.mkv"
    picture = "nullsrc=s=64x64:r=10:d=3,geq=lum='40+5*N':cb=128:cr=128"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "ffv1", path)
    return path


@pytest.mark.parametrize("fps", ["12", "25", "30000/1001", "50"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [("320x240", (86, 64)), ("90x160", (64, 114)), ("48x48", (64, 64))],
)
def test_a_clip_has_the_frames_and_the_size_that_it_should(
    tmp_path, fps, size, expected
):
    source = tmp_path / "source.mp4"
    make_video(source, seconds=2, fps=fps, size=size)
    row = transcode(source, tmp_path)
    clip = media.probe(Path(row.path), decode=True)
    assert (row.width, row.height) == (clip.width, clip.height) == expected
    assert (clip.frames, clip.fps, row.frames, row.fps) == (50, 25, 50, 25)
    assert row.duration == 2
    assert row.bytes == Path(row.path).stat().st_size


def test_a_frame_stands_for_the_nearest_of_the_source(tmp_path, stairs):
    row = transcode(stairs, tmp_path)
    shown = brightness(Path(row.path))
    # ffmpeg's rule: source frame i goes to place floor(i * 25 / 10 + 1 / 2).
    places = [int(i * 2.5 + 0.5) for i in range(30)]
    standing = [max(i for i in range(30) if places[i] <= n) for n in range(75)]
    source = brightness(stairs)
    expected = [source[i] for i in standing]
    assert len(shown) == 75
    assert max(abs(a - b) for a, b in zip(shown, expected, strict=True)) <= 2


@pytest.mark.parametrize(("start", "end"), [(0.5, 2.0), (None, 1.2), (1.2, None)])
def test_a_segment_is_cut_exactly(tmp_path, stairs, start, end):
    row = transcode(stairs, tmp_path, ENCODING | {"fps": 10}, start=start, end=end)
    first, last = round((start or 0) * 10), round((end or 3) * 10)
    shown = brightness(Path(row.path))
    expected = brightness(stairs)[first:last]
    assert len(shown) == len(expected)
    assert max(abs(a - b) for a, b in zip(shown, expected, strict=True)) <= 2


def test_a_segment_that_ends_after_the_video_keeps_what_there_is(tmp_path, stairs):
    row = transcode(stairs, tmp_path, ENCODING | {"fps": 10}, start=2.0, end=9.0)
    assert row.frames == 10


def test_a_segment_behind_the_video_is_empty(tmp_path, stairs):
    assert reason(stairs, tmp_path, start=7.0, end=9.0) == "empty"


def test_the_original_encoding_leaves_a_whole_video_where_it_is(tmp_path, stairs):
    row = transcode(stairs, tmp_path, ORIGINAL)
    assert row.path == str(stairs)
    assert (row.frames, row.fps, row.width, row.height) == (30, 10, 64, 64)
    assert not (tmp_path / "clips").exists()


def test_the_original_encoding_cuts_a_segment_at_the_sources_rate(tmp_path, stairs):
    row = transcode(stairs, tmp_path, ORIGINAL, start=1.0, end=2.0)
    assert (row.frames, row.fps, row.width) == (10, 10, 64)


def test_pixels_become_square_and_rotated_videos_upright(tmp_path):
    source = tmp_path / "source.mp4"
    make_video(source, size="64x64")
    wide, turned = tmp_path / "wide.mp4", tmp_path / "turned.mp4"
    ffmpeg("-i", source, "-vf", "setsar=2", wide)
    options = subprocess.check_output(["ffmpeg", "-hide_banner", "-h", "full"])
    if b"-display_rotation" in options:
        ffmpeg("-display_rotation", "90", "-i", wide, "-c", "copy", turned)
    else:
        ffmpeg("-i", wide, "-c", "copy", "-metadata:s:v", "rotate=90", turned)
    shape = transcode(wide, tmp_path)
    assert (shape.width, shape.height) == (128, 64)
    shape = transcode(turned, tmp_path)
    assert (shape.width, shape.height) == (64, 128)


@pytest.mark.parametrize("audio", [True, False])
def test_sound_is_kept_or_dropped(tmp_path, audio):
    source = tmp_path / "source.mp4"
    tone = ["-f", "lavfi", "-i", "sine=duration=1"]
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x64:duration=1"]
    ffmpeg(*tone, *picture, "-pix_fmt", "yuv420p", source)
    row = transcode(source, tmp_path, ENCODING | {"audio": audio})
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type"]
    command += ["-of", "csv=p=0", row.path]
    kinds = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert ("audio" in kinds) == audio


def test_the_same_video_gives_the_same_bytes(tmp_path, stairs):
    first = Path(transcode(stairs, tmp_path).path).read_bytes()
    assert Path(transcode(stairs, tmp_path).path).read_bytes() == first


def test_a_missing_file_is_missing(tmp_path):
    assert reason(tmp_path / "nowhere.mp4", tmp_path) == "missing"


def test_an_empty_file_is_empty(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert reason(tmp_path / "empty.mp4", tmp_path) == "empty"


def test_a_text_is_no_video(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>Please sign in</html>" * 100)
    assert reason(tmp_path / "page.mp4", tmp_path) == "not_video"


def test_sound_alone_has_no_video_stream(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "sound.mp4")
    assert reason(tmp_path / "sound.mp4", tmp_path) == "no_video_stream"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "webm"])
def test_a_video_cut_off_in_the_middle_is_no_clip(tmp_path, suffix):
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    fast = ["-movflags", "+faststart"] if suffix == "mp4" else []
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x96:duration=8", *fast, whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    assert reason(cut, tmp_path) == "corrupt"
    assert reason(cut, tmp_path, ORIGINAL) == "corrupt"


@pytest.mark.parametrize("options", [ENCODING, ORIGINAL])
def test_a_playlist_does_not_reach_the_files_that_it_points_at(tmp_path, options):
    secret = tmp_path / "secret.ts"
    make_video(secret)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nfile://{}\n"
    for name, text in {
        "list.mp4": playlist.format(secret) + "#EXT-X-ENDLIST\n",
        "list.avi": f"ffconcat version 1.0\nfile {secret.name}\n",
    }.items():
        (tmp_path / name).write_text(text)
        assert reason(tmp_path / name, tmp_path, options) == "not_video"


@pytest.mark.parametrize(
    "name", ["-i.mp4", 'it\'s a "clip".mp4', "100%d.mp4", "two\nlines.mp4", "a:b.mp4"]
)
def test_odd_names_are_names(tmp_path, name):
    source = tmp_path / "videos" / name
    make_video(tmp_path / "plain.mp4")
    source.parent.mkdir()
    (tmp_path / "plain.mp4").rename(source)
    row = transcode_clip(Row(name, path=str(source)), tmp_path / "clips", ENCODING)
    assert row.frames == 25
    assert Path(row.path).parent == tmp_path / "clips"


def test_a_program_ended_by_a_signal_is_not_the_videos_fault_for_ever():
    with pytest.raises(Failure) as caught:
        processes.run(["sh", "-c", "kill -KILL $$"])
    assert caught.value.reason == "killed"


@pytest.mark.parametrize("name", ["short.mpg", "short.ts"])
def test_a_handful_of_frames_has_a_rate(tmp_path, name):
    picture = "testsrc=size=64x64:rate=25:duration=0.08"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "mpeg2video", tmp_path / name)
    row = transcode(tmp_path / name, tmp_path, ORIGINAL)
    assert (row.fps, row.duration) == (25, row.frames / 25)


@pytest.fixture
def images(tmp_path, stairs) -> Path:
    """The frames of the stairs as a folder, under a name that globs and formats."""
    folder = tmp_path / "[1] 50%d {a,b}" / "00001"
    folder.mkdir(parents=True)
    ffmpeg("-i", stairs, tmp_path / "frame%05d.png")
    for image in tmp_path.glob("frame*.png"):
        image.rename(folder / image.name)
    (folder / "Thumbs.db").write_bytes(b"x")
    return folder


def test_a_folder_of_images_becomes_a_clip(tmp_path, images):
    clip = transcode(images, tmp_path, fps=10.0, frames=30)
    assert (clip.fps, clip.frames, clip.duration) == (25, 75, 3)
    steps = brightness(Path(clip.path))
    assert steps == sorted(steps)
    assert len(set(steps)) == 30


@pytest.mark.parametrize("options", [ORIGINAL, ORIGINAL | {"short_side": 32}])
def test_a_folder_of_images_keeps_its_rate_and_can_be_cut(tmp_path, images, options):
    clip = transcode(images, tmp_path, options, fps=10.0, frames=30, start=1.0, end=2.0)
    assert (clip.fps, clip.frames) == (10, 10)


def test_a_broken_image_is_a_row(tmp_path, images):
    (images / "frame00005.png").write_bytes(b"no image")
    assert reason(images, tmp_path, fps=10.0, frames=30) == "corrupt"


def test_a_full_disk_is_not_the_videos_fault(tmp_path, stairs):
    (tmp_path / "clips").mkdir()
    unfinished = tmp_path / "clips" / f".tmp-{os.getpid()}-a=20video.mp4"
    unfinished.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        transcode(stairs, tmp_path)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_a_broken_video_that_is_called_like_a_full_disk_is_broken(tmp_path, suffix):
    whole = tmp_path / f"whole.{suffix}"
    cut = tmp_path / f"No space left on device.{suffix}"
    fast = ["-movflags", "+faststart"] if suffix == "mp4" else []
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x96:duration=8", *fast, whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    assert reason(cut, tmp_path) == "corrupt"

"""What a model sees in a video: on the terminal, in a picture, in the video itself."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import models
from scripts import infer
from scripts.common import media
from scripts.common.engine.decoding import Frames
from scripts.common.judging import captions
from scripts.infer import Seen
from tests.projects import make_video

MODEL = "r2plus1d_18_k400"
RANDOM = ("--model", MODEL, "--checkpoint", "random", "--stack", "4", "--threads", "1")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "it's [a] video.mp4"
    make_video(path, seconds=1, fps=10, size="162x121")
    return path


def test_classes_are_printed_by_window_and_for_the_whole_video(video, capsys):
    infer.main([*RANDOM, str(video), "--top", "3"])
    note, *lines = capsys.readouterr().out.splitlines()
    assert note == "note: random weights: classes mean nothing"
    times = [line[:24].split(" s to ") for line in lines[:-1]]
    assert [float(start) for start, _ in times] == [0.0, 0.4, 0.6]
    assert lines[-1].strip().startswith("whole video  ")
    assert all(line.count(", ") == 2 for line in lines)


def test_a_picture_shows_classes_over_time(video, tmp_path):
    infer.main([*RANDOM, str(video), "--output", str(tmp_path / "seen.png")])
    with Image.open(tmp_path / "seen.png") as picture:
        assert min(picture.size) > 300
    assert [path.name for path in tmp_path.iterdir()] == ["seen.png"]


def test_a_video_has_the_classes_written_into_it(video, tmp_path):
    infer.main([*RANDOM, str(video), "--output", str(tmp_path / "seen.mp4")])
    found = media.probe(tmp_path / "seen.mp4", decode=True)
    assert (found.frames, found.fps, found.width) == (10, 10, 162)
    assert differs(video, tmp_path / "seen.mp4", frame=5)[-40:].mean() > 10


def differs(video: Path, other: Path, frame: int) -> np.ndarray:
    """Return how much each row of a frame differs, in levels of 256."""
    pictures = (Frames(path).read([frame])[0].float() for path in (video, other))
    one, two = (picture[:, :120, :162] for picture in pictures)
    return (one - two).abs().mean(dim=(0, 2)).numpy()


def test_captions_stand_where_their_time_is_and_are_never_commands(tmp_path):
    path = tmp_path / "black.mp4"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i"]
    command += ["color=black:size=320x240:rate=10:duration=2", str(path)]
    subprocess.run(command, check=True)
    texts = [r"{\alpha&HFF&}gone, not; 'it'\N%{pts}", "", ""]
    spans = np.array([[0.5, 1.0], [1.0, 1.5], [1.5, 2.0]])
    captions.burn(path, tmp_path / "out.mp4", spans, texts, note="")
    bright = [
        float(frame.float().max())
        for frame in Frames(tmp_path / "out.mp4").read(list(range(20)))
    ]
    assert [level > 200 for level in bright] == [False] * 5 + [True] * 5 + [False] * 10


def test_a_network_with_classes_of_its_own_says_them(video, tmp_path, capsys):
    own = ["jump", "{run}", "walk"]
    network = models.create(MODEL, classes=own).network
    content = {"model": MODEL, "classes": own, "state_dict": network.state_dict()}
    torch.save(content, tmp_path / "model.pt")
    arguments = ["--model", MODEL, "--checkpoint", str(tmp_path / "model.pt")]
    infer.main([*arguments, "--stack", "4", "--threads", "1", str(video)])
    lines = capsys.readouterr().out.splitlines()
    assert "random" not in lines[0]
    for line in lines:
        assert all(f"{name} 0." in line for name in own)


def test_what_another_network_learnt_is_refused(video, tmp_path):
    own = ["jump", "walk"]
    clips = {"frames": 4, "stride": 1, "sampling": "uniform", "fps": None, "size": 64}
    state = models.create(MODEL, classes=own).network.state_dict()
    content = {"model": MODEL, "classes": own, "state_dict": state, "options": clips}
    torch.save(content, tmp_path / "model.pt")
    arguments = ["--model", "s3d_k400", "--checkpoint", str(tmp_path / "model.pt")]
    with pytest.raises(SystemExit) as error:
        infer.main([*arguments, str(video)])
    assert "it is of another model" in error.value.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "s3dd_k400", "VIDEO"], "did you mean 's3d_k400'"),
        ([*RANDOM, "no.mp4"], "there is no video no.mp4"),
        (["--model", MODEL, "--checkpoint", "no.pt", "VIDEO"], "no checkpoint no.pt"),
        ([*RANDOM, __file__], "error: "),
    ],
)
def test_a_mistake_is_one_line(video, arguments, message):
    arguments = [str(video) if a == "VIDEO" else a for a in arguments]
    with pytest.raises(SystemExit) as error:
        infer.main(arguments)
    assert message in error.value.code
    assert "\n" not in error.value.code


def test_an_output_of_no_known_kind_is_refused_before_anything_runs(video, capsys):
    with pytest.raises(SystemExit):
        infer.main([*RANDOM, str(video), "--output", "seen.txt"])
    assert "'seen.txt' ends with none of" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--threads", "--stride", "--step", "--stack"])
def test_a_number_that_cannot_be_is_refused(video, capsys, argument):
    with pytest.raises(SystemExit):
        infer.main([*RANDOM, str(video), argument, "0"])
    assert "'0' is no whole number of 1 or more" in capsys.readouterr().err


def test_captions_end_where_the_next_window_begins():
    times = np.array([[0.0, 2.0], [1.0, 3.0], [4.0, 6.0]])
    seen = Seen(times, np.zeros((3, 2)), ("a", "b"))
    assert seen.spans().tolist() == [[0, 1], [1, 3], [4, 6]]

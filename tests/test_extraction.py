"""The engine, with a network small enough to check by hand."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models
from models.cards.base import Resize
from models.zoo import Extractor
from scripts.common.decoding import Frames, read_windows
from scripts.common.extraction import Machine, Settings, extract
from scripts.common.tables import Failure, Row
from scripts.common.windows import Sampling
from tests.projects import ROOT, make_video

CARD = replace(
    models.card("r2plus1d_18_k400"),
    resize=Resize(short=16),
    crop=16,
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
)


class Average(nn.Module):
    """Features are the mean colour of each frame."""

    def forward(self, clips):
        return {"features": clips.mean(dim=(3, 4)).flatten(1), "logits": clips[:, 0]}


def settings(**changes) -> Settings:
    return replace(Settings(Sampling(4, 1, 4, "pad"), batch_size=3), **changes)


def run(
    rows: list[Row], threads: int = 2, network=Average, **changes
) -> dict[str, dict | Failure]:
    runs = {"one": (Extractor(CARD, network(), "none"), settings(**changes))}
    tasks = [(row, ("one",)) for row in rows]
    results = extract(tasks, runs, Machine(threads=threads))
    return {row.id: result for _, row, result in results}


def expected(path: str, sampling: Sampling) -> np.ndarray:
    """The same, one window at a time."""
    return np.stack(
        [
            models.prepare(window.frames, CARD).mean(dim=(2, 3)).flatten().numpy()
            for window in read_windows(Path(path), sampling)
        ]
    )


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[Row]:
    folder = tmp_path_factory.mktemp("videos")
    shapes = [("64x48", 10), ("48x64", 25), ("32x32", 12), ("64x48", 3)]
    rows = []
    for number, (size, frames) in enumerate(shapes):
        path = folder / f"{number}.mp4"
        make_video(path, seconds=frames / 25, fps=25, size=size)
        rows.append(Row(f"video{number}", path=str(path)))
    return rows


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_that_cross_videos_give_what_single_windows_give(
    rows, batch_size, threads
):
    results = run(rows, batch_size=batch_size, threads=threads)
    assert len(results) == len(rows)
    for row in rows:
        features = results[row.id]["features"]
        reference = expected(row.path, settings().sampling)
        np.testing.assert_allclose(features, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step", [1, 3, 4, 9])
@pytest.mark.parametrize("stride", [1, 2])
def test_windows_may_overlap_or_leave_gaps(rows, step, stride):
    sampling = Sampling(4, stride, step, "last")
    frames = Frames(Path(rows[1].path)).read(list(range(25)))
    means = models.prepare(frames, CARD).mean(dim=(2, 3))
    features = run(rows[1:2], sampling=sampling)["video1"]["features"]
    for start, feature in zip(range(0, 25, step), features[:-1], strict=False):
        window = means[:, start : start + sampling.span(25) : stride].flatten()
        np.testing.assert_allclose(feature, window, rtol=1e-5, atol=1e-6)


def test_times_are_those_of_the_original_video(rows):
    row = replace(rows[0], start=100.0, end=100.4)
    times = run([row])["video0"]["timestamps"]
    np.testing.assert_allclose(
        times, [[100, 100.16], [100.16, 100.32], [100.32, 100.4]]
    )


def test_another_frame_rate_shows_what_ffmpegs_filter_shows(tmp_path):
    source, converted = tmp_path / "source.mp4", tmp_path / "converted.mkv"
    make_video(source, seconds=2, fps="19.62", size="64x48")
    command = ["ffmpeg", "-v", "error", "-i", source, "-vf", "fps=25"]
    subprocess.run([*command, "-c:v", "ffv1", converted], check=True)
    ours, theirs = Frames(source, fps=25), Frames(converted)
    assert ours.count == theirs.count
    numbers = list(range(ours.count))
    assert torch.equal(ours.read(numbers), theirs.read(numbers))


def test_a_video_that_cannot_be_read_costs_no_other_its_features(rows, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    bad = Row("bad", path=str(tmp_path / "text.mp4"))
    results = run([rows[0], bad, *rows[1:]])
    assert results["bad"].reason == "not_video"
    assert "cpp" not in str(results["bad"])
    good = run(rows)
    for row in rows:
        np.testing.assert_allclose(
            results[row.id]["features"], good[row.id]["features"], rtol=1e-5, atol=1e-6
        )


def test_a_video_that_breaks_off_has_no_features_at_all(rows, monkeypatch):
    def broken_in_the_end(video, numbers):
        if video.count == 25 and numbers[-1] > 10:
            raise Failure("corrupt", "broken off")
        return read(video, numbers)

    read = Frames.read
    monkeypatch.setattr(Frames, "read", broken_in_the_end)
    results = run(rows)
    assert results.pop("video1").reason == "corrupt"
    for row in (rows[0], rows[2], rows[3]):
        reference = expected(row.path, settings().sampling)
        features = results[row.id]["features"]
        np.testing.assert_allclose(features, reference, rtol=1e-5, atol=1e-6)


def test_features_can_be_stored_as_float16(rows):
    features = run(rows[:1], dtype="float16")["video0"]["features"]
    assert features.dtype == np.float16


def test_a_bug_in_the_network_is_not_taken_for_a_bad_video(rows):
    class Bug(nn.Module):
        def forward(self, clips):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(rows, network=Bug)


PEAK = """
import resource, sys
from tests.test_extraction import Row, Sampling, run
for path in sys.argv[1:]:
    run([Row(path, path=path)], sampling=Sampling(16, 1, 4, "drop"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path):
    for seconds in (4, 80):
        make_video(tmp_path / f"{seconds}.mp4", seconds, fps=25, size="320x240")
    command = [sys.executable, "-c", PEAK, tmp_path / "4.mp4", tmp_path / "80.mp4"]
    short, long = map(int, subprocess.check_output(command, cwd=ROOT).split())
    # All frames of the long one would take 460,800 kB, its windows four times that.
    assert long - short < 100_000

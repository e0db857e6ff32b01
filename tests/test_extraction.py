"""The engine, with a network small enough to check by hand."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import nn

import models
from models.cards.base import Feature, Resize
from models.chunks import Field
from models.sampling import uniform_twice
from models.transforms import resize
from models.views import views
from models.zoo import Extractor
from scripts.common.engine.decoding import Frames, read_pieces, read_windows
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.engine.networks import Network, clips_that_fit
from scripts.common.engine.parts import joined
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.engine.windows import Sampling, Unsuited
from scripts.common.tables import Failure, Row
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
    results = joined(extract(tasks, runs, Machine(threads=threads)))
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU that decodes")
def test_what_a_gpu_does_not_decode_is_decoded_all_the_same(rows, tmp_path):
    path = Path(rows[0].path)
    numbers = list(range(10))
    expected = Frames(path).read(numbers)
    assert torch.equal(Frames(path, device="cuda").read(numbers), expected)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(Failure):
        Frames(tmp_path / "text.mp4", device="cuda")


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


def test_a_bug_in_what_reads_a_video_ends_all_at_once(rows, tmp_path):
    make_video(tmp_path / "long.mp4", seconds=100, fps=25, size="64x48")

    def read(row: Row, samplings):
        if row.id == "video0":
            raise ZeroDivisionError
        yield from read_pieces(row, samplings)

    runs = {"one": (Extractor(CARD, Average(), "none"), settings())}
    long = Row("long", path=str(tmp_path / "long.mp4"))
    tasks = [(row, ("one",)) for row in (long, rows[0])]
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError):
        list(extract(tasks, runs, Machine(threads=2), watch, read))
    assert watch.windows < 600  # of 625
    assert not [thread for thread in threading.enumerate() if "Pool" in thread.name]


def test_waiting_threads_of_torch_leave_the_cores_to_those_that_decode():
    program = (
        "import os, sys, scripts.extract_features;"
        "print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    said = subprocess.check_output(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, text=True
    )
    assert said.split() == ["False", "passive"]


THREADS = """
import sys
import torch
from tests.test_extraction import *

class Threads(nn.Module):
    def forward(self, clips):
        print(torch.get_num_threads())
        return {"features": clips[:, :, 0, 0, 0]}

run([Row(path, path=path) for path in 2 * sys.argv[1:]], 2, Threads)
"""


def test_decode_workers_leave_the_network_its_threads(rows):
    program = [sys.executable, "-c", THREADS, rows[1].path]
    said = subprocess.check_output(program, cwd=ROOT, text=True)
    assert set(said.split()) == {"2"}


def test_features_can_be_stored_as_float16(rows):
    features = run(rows[:1], dtype="float16")["video0"]["features"]
    assert features.dtype == np.float16


def test_a_bug_in_the_network_is_not_taken_for_a_bad_video(rows):
    class Bug(nn.Module):
        def forward(self, clips):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(rows, network=Bug)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_give_what_plain_calls_give(bias):
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(16, 5, bias)

        def forward(self, clips):
            return {"features": self.layer(clips.transpose(1, 3))}

    extractor = Extractor(CARD, Linear(), "none")
    clip = torch.rand(3, 8, 16, 16)
    with torch.inference_mode():
        expected = extractor(clip[None])["features"][0]
    network = Network(extractor, ["features"], "cpu", batch_size=1)
    ((_, found),) = network.add(0, list(clip.permute(1, 2, 3, 0)))
    np.testing.assert_allclose(found["features"], expected, rtol=1e-5, atol=1e-6)


class Scarce(Average):
    """Has memory for two clips at a time."""

    def forward(self, clips):
        if len(clips) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(clips)


def test_a_batch_too_large_for_the_memory_is_halved_and_nothing_lost(rows, capsys):
    results = run(rows, network=Scarce, batch_size=8)
    assert capsys.readouterr().out.count("memory is full") == 2
    for row in rows:
        reference = expected(row.path, settings().sampling)
        features = results[row.id]["features"]
        np.testing.assert_allclose(features, reference, rtol=1e-5, atol=1e-6)


def test_a_single_window_too_large_for_the_memory_is_an_error(rows):
    class Full(Average):
        def forward(self, clips):
            raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        run(rows[:1], network=Full)


@pytest.mark.parametrize(
    ("free", "one", "two", "fit"),
    [(1000, 100, 150, 19), (1000, 100, 100, 19), (50, 100, 200, 1), (10**6, 1, 2, 64)],
)
def test_as_many_windows_are_taken_as_the_memory_holds(free, one, two, fit):
    assert clips_that_fit(free, one, two) == fit


def test_frames_in_bgr_reach_the_network_so(rows):
    bgr = Extractor(replace(CARD, colour="BGR"), Average(), "none")
    tasks = [(rows[0], ("one", "two"))]
    rgb = Extractor(CARD, Average(), "none")
    runs = {"one": (rgb, settings()), "two": (bgr, settings())}
    results = joined(extract(tasks, runs, Machine()))
    found = {name: out["features"] for name, _, out in results}
    colours = found["one"].reshape(-1, 3, 4)
    np.testing.assert_array_equal(found["two"].reshape(-1, 3, 4), colours[:, ::-1])


SAMPLINGS = {
    "dense": Sampling(4, 1, 4, "pad"),
    "sparse": Sampling(3, 2, 7, "drop"),
    "slower": Sampling(4, 1, 2, "last", fps=12),
    "picked": Sampling(None, 1, 1, "drop", picked=4),
}


def many(rows: list[Row], names, threads: int = 2) -> dict:
    runs = {
        name: (Extractor(CARD, Average(), "none"), settings(sampling=SAMPLINGS[name]))
        for name in names
    }
    tasks = [(row, tuple(names)) for row in rows]
    results = joined(extract(tasks, runs, Machine(threads=threads)))
    return {(name, row.id): result for name, row, result in results}


def test_models_on_the_same_frames_give_what_each_gives_alone(rows):
    together = many(rows, SAMPLINGS)
    assert len(together) == len(rows) * len(SAMPLINGS)
    for name in SAMPLINGS:
        for key, arrays in many(rows, [name]).items():
            for array, values in arrays.items():
                np.testing.assert_array_equal(together[key][array], values)


def test_models_on_the_same_frames_fail_as_each_fails_alone(rows, monkeypatch):
    def broken_in_the_end(video, numbers):
        if video.count == 25 and numbers[-1] > 22:
            raise Failure("corrupt", "broken off")
        return read(video, numbers)

    read = Frames.read
    monkeypatch.setattr(Frames, "read", broken_in_the_end)
    names = ("dense", "sparse", "picked")
    outcomes = [many(rows, names), *(many(rows, [name]) for name in names)]
    failed = [
        {key for key, result in found.items() if isinstance(result, Failure)}
        for found in outcomes
    ]
    assert failed[0] == {("dense", "video1")} == failed[1] | failed[2] | failed[3]


def test_each_frame_is_decoded_once_for_all_that_overlap(rows, monkeypatch):
    decoded = []
    read = Frames.read

    def counted(video, numbers):
        decoded.extend(numbers)
        return read(video, numbers)

    monkeypatch.setattr(Frames, "read", counted)
    run(rows[1:2], sampling=Sampling(8, 1, 1, "drop"))
    assert decoded == list(range(25))
    decoded.clear()
    run(rows[1:2], sampling=Sampling(None, 1, 1, "drop", picked=4))
    assert decoded == [3, 9, 15, 21]


def test_a_whole_video_in_pieces_equals_one_pass(tmp_path):
    make_video(tmp_path / "a.mp4", seconds=5.4, fps=25, size="64x48")
    extractor = models.create("i3d_rgb_k400")
    card = replace(extractor.card, resize=Resize(short=32), crop=32)
    extractor = Extractor(card, extractor.network, "random")
    frames = Frames(tmp_path / "a.mp4").read(list(range(135)))
    with torch.inference_mode():
        once = extractor(models.prepare(frames, card)[None])
    names = ("features", "fc", "map", "logits")
    sampling = Sampling(None, 1, 1, "drop", fps=25)
    row = Row("a", path=str(tmp_path / "a.mp4"), start=100.0)
    run = (extractor, Settings(sampling, names, batch_size=1))
    results = extract([(row, ("i3d",))], {"i3d": run}, Machine())
    ((_, _, arrays),) = joined(results)
    for name in names:
        one = once[name].numpy()
        found = arrays[name] if name in ("features", "logits") else arrays[name][None]
        np.testing.assert_allclose(found, one, rtol=1e-4, atol=1e-4 * one.max())
    assert arrays["fc"].shape == (16, 1024)
    assert arrays["timestamps"].tolist() == [[100.0, 105.4]]
    assert arrays["step_timestamps"].shape == (16, 2)
    np.testing.assert_allclose(arrays["step_timestamps"][0], [100.16, 100.48])
    np.testing.assert_allclose(np.diff(arrays["step_timestamps"][:-1], axis=0), 0.32)


def test_a_network_that_takes_clips_only_does_not_get_whole_videos(rows):
    with pytest.raises(Unsuited, match="cannot take a whole video at once"):
        run(rows, sampling=Sampling(None, 1, 1, "drop"))


@pytest.mark.parametrize("crops", [1, 3, 5, 10])
def test_each_window_is_seen_in_each_crop(rows, crops):
    frames = resize(
        Frames(Path(rows[0].path)).read(list(range(10))).float() / 255, CARD.resize
    )
    sampling = Sampling(4, 1, 1, "drop", clips=3)
    found = run(rows[:1], sampling=sampling, crops=crops)["video0"]["features"]
    assert len(found) == 3 * crops
    # Of 10 frames the second clip of 4 begins in the middle: at frame 3.
    cut = views(frames[None, 3:7], CARD.crop, crops)
    means = cut.mean(dim=(3, 4)).transpose(1, 2).flatten(1)
    np.testing.assert_allclose(found[crops : 2 * crops], means, rtol=1e-5, atol=1e-6)


def test_clips_of_a_test_may_go_back_in_time(rows):
    sampling = Sampling(None, 1, 1, "drop", picked=4, clips=2, spread="twice")
    found = run(rows, sampling=sampling)
    for row in rows:
        video = Frames(Path(row.path))
        frames = models.prepare(video.read(list(range(video.count))), CARD)
        means = frames.mean(dim=(2, 3))
        expected = [means[:, n].flatten() for n in uniform_twice(video.count, 4)]
        np.testing.assert_allclose(
            found[row.id]["features"], np.stack(expected), rtol=1e-5, atol=1e-6
        )


def test_steps_in_time_have_times(rows):
    class Steps(nn.Module):
        def forward(self, clips):
            fc = clips.mean(dim=(3, 4)).transpose(1, 2)[:, ::2]
            return {"features": fc.mean(dim=1), "fc": fc}

    card = replace(
        CARD,
        features={**CARD.features, "fc": Feature(3, "mean colours", ("time",))},
    )
    runs = {"one": (Extractor(card, Steps(), "none"), settings(features=("fc",)))}
    ((_, _, arrays),) = joined(extract([(rows[0], ("one",))], runs, Machine()))
    assert arrays["fc"].shape == (3, 2, 3)
    expected = [[[0, 0.08], [0.08, 0.16]], [[0.16, 0.24], [0.24, 0.32]]]
    np.testing.assert_allclose(arrays["step_timestamps"][:2], expected)


def test_where_the_time_goes_is_told(rows, tmp_path):
    watch = Stopwatch()
    runs = {"one": (Extractor(CARD, Average(), "none"), settings())}
    list(extract([(row, ("one",)) for row in rows], runs, Machine(), watch))
    assert watch.windows == 3 + 7 + 3 + 1
    watch.record(tmp_path / "times.tsv")
    head, figures = (tmp_path / "times.tsv").read_text().splitlines()
    assert {"windows", "seconds", "decode", "network"} < set(head.split("\t"))
    assert figures.split("\t")[head.split("\t").index("windows")] == "14"


class Steps(nn.Module):
    """Means of colours over pairs of frames, as an I3D has its features in time."""

    field = Field(stride=2, before=0, after=1)

    def steps(self, frames: int) -> int:
        return frames // 2

    def forward(self, clips):
        fc = clips.mean(dim=(3, 4)).unfold(2, 2, 2).mean(dim=3).transpose(1, 2)
        return {"features": fc.mean(dim=1), "fc": fc}


STEPS = replace(
    CARD,
    frames=4,
    features={
        **CARD.features,
        "features": Feature(3, "mean of all"),
        "fc": Feature(3, "mean colours", ("time",)),
    },
)


@pytest.mark.parametrize("stack", [4, None])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_arrays_that_come_in_parts_are_those_that_come_whole(
    rows, monkeypatch, stack, dtype
):
    chosen = Settings(
        Sampling(stack, 1, 4, "last"), ("features", "fc"), dtype=dtype, batch_size=1
    )
    runs = {"one": (Extractor(STEPS, Steps(), "none"), chosen)}

    def parts() -> list:
        return list(extract([(row, ("one",)) for row in rows], runs, Machine()))

    whole = {row.id: part.arrays for _, row, part in parts()}
    monkeypatch.setattr("scripts.common.engine.outputs.PART_BYTES", 1)
    found = parts()
    assert len(found) > len(rows)
    assert sum(part.is_last for _, _, part in found) == len(rows)
    for _, row, arrays in joined(found):
        assert arrays.keys() == whole[row.id].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, whole[row.id][name], strict=True)
    for _, row, part in found:
        for name in part.arrays:
            assert part.rows[name] == len(whole[row.id][name])


PEAK = """
import resource, sys
from tests.test_extraction import Row, Sampling, run
for path in sys.argv[1:]:
    run([Row(path, path=path)], sampling=Sampling(16, 1, 4, "drop"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peaks(program: str, *arguments) -> list[int]:
    """Return what a program says of the memory that it has needed so far, in kB."""
    command = [sys.executable, "-c", program, *arguments]
    return list(map(int, subprocess.check_output(command, cwd=ROOT).split()))


def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path):
    for seconds in (4, 40):
        make_video(tmp_path / f"{seconds}.mp4", seconds, fps=25, size="320x240")
    short, long = peaks(PEAK, tmp_path / "4.mp4", tmp_path / "40.mp4")
    # All frames of the long one would take 230,400 kB, its windows four times that.
    assert long - short < 100_000


WIDE = """
import resource, sys
from pathlib import Path
from tests.test_extraction import *
from scripts.common.engine.feature_shards import ShardStore
from scripts.common.runner import Job

class Wide(nn.Module):
    def forward(self, clips):
        return {"features": clips.mean(dim=(3, 4)).flatten(1).repeat(1, 12_000)}

for path in map(Path, sys.argv[1:]):
    store = ShardStore(Job("extract_features", path, path.with_suffix(".tsv"), {}))
    runs = {"one": (Extractor(CARD, Wide(), "none"), settings())}
    rows = [Row(path.name, path=str(path))]
    for _, row, part in extract([(rows[0], ("one",))], runs, Machine()):
        done = store.add(row, part)
    store.merge([done], {"model": "", "weights": ""})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_features_of_a_video(tmp_path):
    for seconds in (4, 64):
        make_video(tmp_path / f"{seconds}.mp4", seconds, fps=25, size="64x48")
    short, long = peaks(WIDE, tmp_path / "4.mp4", tmp_path / "64.mp4")
    features = h5py.File(tmp_path / "64.h5")["64.mp4/features"]
    assert features.shape == (400, 144_000)  # 230,400 kB
    assert features[-1, 0] != 0
    assert long - short < 60_000

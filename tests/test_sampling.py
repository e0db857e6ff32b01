"""Frames that networks get of a whole video, against the programs that chose them so.

The rules of temporal-shift-module itself are in test_models_tsm.py; its dense one is
IBM's too.
"""

import json
from pathlib import Path

import pytest

from models.sampling import consecutive, dense, shifted

IBM = json.loads((Path(__file__).parent / "data" / "ibm_sampling.json").read_text())
SHARED = Path(__file__).parents[2] / "shared" / "parity" / "tsm" / "sampling.json"


@pytest.mark.parametrize(
    ("frames", "count", "last"),
    [
        (60, 1, [4, 12, 20, 28, 36, 44, 52, 59]),  # wants frame 60, and gets 59
        (61, 1, [4, 12, 20, 28, 36, 44, 52, 60]),
        (100, 1, [4, 12, 20, 28, 36, 44, 52, 60]),
        (124, 2, [68, 76, 84, 92, 100, 108, 116, 123]),  # wants frame 124
        (125, 2, [68, 76, 84, 92, 100, 108, 116, 124]),
        (200, 3, [132, 140, 148, 156, 164, 172, 180, 188]),
        (420, 6, [324, 332, 340, 348, 356, 364, 372, 380]),
    ],
)
def test_windows_are_those_of_videofeatures_tvg(frames, count, last):
    windows = consecutive(frames, segments=8, span=64)
    assert len(windows) == count
    assert windows[-1] == last
    if count > 1:
        assert windows[0] == [4, 12, 20, 28, 36, 44, 52, 60]


def test_a_video_shorter_than_a_window_repeats_its_last_frame():
    assert consecutive(30, segments=5, span=64) == [[6, 19, 29, 29, 29]]
    assert consecutive(1, segments=3, span=4) == [[0, 0, 0]]


@pytest.mark.skipif(not SHARED.is_file(), reason="the golden file is not here")
def test_windows_equal_all_that_videofeatures_tvg_can_read():
    cases = json.loads(SHARED.read_text())["seed003_windows"]["cases"]
    readable = [case for case in cases if not case["index_out_of_range"]]
    assert len(readable) == 42
    for case in readable:
        span = case["num_frames_option"] ** 2
        ours = consecutive(case["total_frames"], case["test_segments"], span)
        assert ours == case["windows"], case


def test_clips_of_a_test_are_those_of_ibm():
    for rule, clips, frames, stride, length, numbers in IBM["cases"]:
        if rule == "uniform":
            views = shifted(length, frames, clips)
        else:
            views = dense(length, frames, clips, frames * stride)
        taken = [number + 1 for view in views for number in view]
        assert taken == numbers, (rule, clips, frames, stride, length)

"""The generated videos of actions are what networks can be judged by."""

from collections import Counter
from pathlib import Path

import numpy as np

from scripts.common import index, tables
from scripts.common.engine.decoding import Frames
from tests.actions import MOTIONS, index_actions, make_actions, video


def test_a_frame_by_itself_looks_the_same_in_all_classes():
    looks = {}
    for motion in MOTIONS:
        rng = np.random.default_rng(3)
        videos = [video(rng, motion, 8, 32) for _ in range(400)]
        for frame in (0, 7):
            looks[motion, frame] = np.mean([v[frame].mean(-1) for v in videos], axis=0)
    spread = np.ptp(list(looks.values()), axis=0)
    assert spread.max() < 20  # of the 60 to 70 of each mean


def test_left_played_backwards_is_right():
    def away(motion):
        frames = video(np.random.default_rng(5), motion, 8, 32)
        return [tuple(frame.max(axis=(0, 2))) for frame in frames]

    left, right = away("left"), away("right")
    assert left[0] == right[0]
    assert len(set(left)) == len(set(right)) == 8
    assert not set(left[1:4]) & set(right[1:4])


def test_videos_labels_and_splits_are_there(tmp_path):
    make_actions(tmp_path, train=8, val=4)
    folder, clips = index_actions(tmp_path)
    entries = index.read_videos(folder / "videos.tsv")
    sizes = Counter((e.splits["default"], *e.labels) for e in entries)
    assert sizes == {
        (split, motion): count
        for split, count in (("train", 2), ("val", 1))
        for motion in MOTIONS
    }
    assert index.read_classes(folder / "classes.txt") == sorted(MOTIONS)
    rows = list(tables.read_all(sorted(clips.glob("*.tsv"))))
    assert [Frames(Path(row.path)).count for row in rows] == 12 * [16]
    assert sum(row.frames for row in rows) == 12 * 16

import csv
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs import draw_windows
from scripts.common.engine.windows import (
    PICKS,
    TAILS,
    Sampling,
    Unsuited,
    needed_frames,
    window_count,
    window_frames,
    window_starts,
    window_times,
)
from scripts.common.engine.windows import windows as cut
from tests.projects import ROOT
from tests.recipe import PARITY

samplings = st.builds(
    Sampling,
    stack=st.integers(1, 70),
    stride=st.integers(1, 5),
    step=st.integers(1, 90),
    tail=st.sampled_from(TAILS),
)
lengths = st.integers(1, 1000)


def windows(frames: int, sampling: Sampling) -> list[list[int]]:
    starts = window_starts(frames, sampling)
    return [window_frames(start, frames, sampling) for start in starts]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("drop", [[0, 1, 2, 3], [4, 5, 6, 7]]),
        ("pad", [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 9, 9]]),
        ("last", [[0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9]]),
    ],
)
def test_the_picture_in_the_documentation(tail, expected):
    assert windows(10, Sampling(4, 1, 4, tail)) == expected


@pytest.mark.parametrize("tail", TAILS)
def test_a_short_video_is_padded_to_one_window(tail):
    assert windows(3, Sampling(5, 1, 5, tail)) == [[0, 1, 2, 2, 2]]


def test_as_many_windows_as_video_features_has():
    # Its stacks on the sample of 451 and of 355 frames.
    assert len(windows(451, Sampling(64, 1, 64, "drop"))) == 7
    assert [len(windows(355, Sampling(n, 1, n, "drop"))) for n in (16, 32, 8)] == [
        22,
        11,
        44,
    ]


@given(lengths, samplings)
def test_every_window_has_its_frames_inside_the_video(frames, sampling):
    for window in windows(frames, sampling):
        assert len(window) == sampling.stack
        assert window[0] >= 0
        assert window[-1] < frames
        steps = {b - a for a, b in itertools.pairwise(window)}
        assert steps <= {sampling.stride} or window[-1] == frames - 1


@given(lengths, samplings)
def test_windows_begin_in_order_and_a_step_apart_but_for_the_last(frames, sampling):
    starts = window_starts(frames, sampling)
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert all(gap == sampling.step for gap in gaps[:-1])
    assert all(0 < gap <= sampling.step or sampling.tail == "last" for gap in gaps)


@given(lengths, samplings)
def test_only_drop_leaves_frames_behind_the_last_window(frames, sampling):
    starts = window_starts(frames, sampling)
    end = starts[-1] + sampling.span(frames)
    if sampling.tail == "drop":
        assert (
            len(starts) == max(0, frames - sampling.span(frames)) // sampling.step + 1
        )
    elif sampling.step <= sampling.span(frames):
        assert end >= frames
    if sampling.tail == "last" and frames >= sampling.span(frames):
        assert end == frames


@given(lengths, samplings, st.sampled_from([12.0, 25.0, 30000 / 1001]))
def test_times_lie_inside_the_video(frames, sampling, fps):
    for start in window_starts(frames, sampling):
        begin, end = window_times(start, frames, sampling, fps)
        assert 0 <= begin < end <= frames / fps + 1e-9
        assert end - begin <= sampling.span(frames) / fps + 1e-9


def test_a_video_without_frames_has_no_windows():
    with pytest.raises(ValueError, match="without frames"):
        window_starts(0, Sampling(4, 1, 4, "pad"))


def test_models_that_take_frames_from_everywhere_take_those_of_upstream():
    with (PARITY / "picked_frames.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["rule"] for row in rows} == {"middle", "drawn"}
    for row in rows:
        frames, count = int(row["frames"]), int(row["count"])
        sampling = Sampling(None, 1, 1, "drop", picked=count, pick=row["rule"])
        (window,) = windows(frames, sampling)
        assert window == [int(number) for number in row["numbers"].split()], row


def test_pyslowfasts_frames_are_in_the_middle_of_rounded_parts():
    # 11 frames in 4 parts: borders at 0, 2.5, 5, 7.5 and 10, rounded to even.
    assert PICKS["rounded"](11, 4) == [1, 3, 6, 9]
    assert PICKS["rounded"](1, 4) == [0, 0, 0, 0]


@pytest.mark.parametrize("rule", PICKS)
def test_frames_are_picked_of_each_window(rule):
    sampling = Sampling(32, 1, 16, "pad", picked=8, pick=rule)
    first, second, third = windows(50, sampling)
    assert first == PICKS[rule](32, 8)
    assert second == [16 + number for number in first]
    assert third == [min(32 + number, 49) for number in first]


picking = st.builds(
    Sampling,
    stack=st.none() | st.integers(1, 70),
    stride=st.integers(1, 5),
    step=st.integers(1, 90),
    tail=st.sampled_from(TAILS),
    picked=st.integers(1, 40),
    pick=st.sampled_from(sorted(PICKS)),
)


@given(st.integers(1, 100), samplings | picking, st.integers(0, 20))
def test_windows_may_begin_behind_the_first_frames(frames, sampling, first):
    later = replace(sampling, first=first)
    expected = windows(frames, sampling)
    moved = windows(first + frames, later)
    assert moved == [[number + first for number in window] for window in expected]
    starts = window_starts(first + frames, later)
    for start, before in zip(starts, window_starts(frames, sampling), strict=True):
        times = window_times(start, first + frames, later, fps=8)
        shifted = window_times(before, frames, sampling, fps=8)
        assert times == tuple(second + first / 8 for second in shifted)


@given(st.integers(1, 300), samplings | picking, st.integers(0, 5), st.integers(2, 6))
def test_neighbours_stand_in_place_of_a_frame(frames, sampling, first, several):
    sampling = replace(sampling, first=first)
    frames += first
    with_neighbours = replace(sampling, consecutive=several)
    found = list(cut(frames, with_neighbours, 8))
    assert len(found) == window_count(frames, with_neighbours)
    # Those of a video that ends where the last neighbours begin.
    shorter = max(frames - several + 1, first + 1)
    for (start, taken, times), (_, numbers, _) in zip(
        found, cut(shorter, sampling, 8), strict=True
    ):
        expected = [number + n for number in numbers for n in range(several)]
        assert taken == [min(number, frames - 1) for number in expected]
        assert start <= min(taken)
        assert first / 8 <= times[0] < times[1] <= frames / 8


def test_segments_of_flow_are_those_of_tsm():
    # 21 flows, 5 neighbours: 17 places in 3 segments, each at int(17 / 3 * (n + 1/2)).
    sampling = Sampling(None, 1, 1, "drop", picked=3, first=1, consecutive=5)
    ((_, numbers, times),) = cut(22, sampling, 10)
    starts = [3, 9, 15]
    assert numbers == [start + n for start in starts for n in range(5)]
    assert times == (0.1, 2.2)


@given(lengths, samplings | picking, st.integers(0, 20))
def test_the_frames_to_decode_are_those_of_the_windows(frames, sampling, first):
    frames, sampling = first + frames, replace(sampling, first=first)
    wanted = {number for window in windows(frames, sampling) for number in window}
    assert set(needed_frames(frames, sampling).nonzero()[0].tolist()) == wanted


@given(lengths, picking)
def test_frames_picked_lie_in_their_window_and_in_order(frames, sampling):
    for start in window_starts(frames, sampling):
        picked = window_frames(start, frames, sampling)
        assert len(picked) == sampling.picked
        assert picked == sorted(picked)
        assert start <= picked[0]
        assert picked[-1] < min(start + sampling.span(frames), frames)


def clips(frames: int, sampling: Sampling) -> list[tuple]:
    return list(cut(frames, sampling, fps=10))


def test_clips_of_a_test_lie_at_equal_distances_over_the_video():
    dense = Sampling(4, 2, 1, "drop", clips=3)
    assert clips(20, dense) == [
        (0, [0, 2, 4, 6], (0.0, 0.7)),
        (6, [6, 8, 10, 12], (0.6, 1.3)),
        (12, [12, 14, 16, 18], (1.2, 1.9)),
    ]
    ((_, middle, _),) = clips(20, Sampling(4, 2, 1, "drop", clips=1))
    assert middle == [6, 8, 10, 12]
    ((_, short, _),) = clips(5, Sampling(4, 2, 1, "drop", clips=1))
    assert short == [0, 2, 4, 1]


def test_uniform_clips_are_some_frames_apart_or_those_of_tsm():
    uniform = Sampling(None, 1, 1, "drop", picked=4, clips=2)
    assert [numbers for _, numbers, _ in clips(20, uniform)] == [
        [2, 7, 12, 17],
        [3, 8, 13, 18],
    ]
    twice = Sampling(None, 1, 1, "drop", picked=4, clips=2, spread="twice")
    # The second begins earlier: neither may lose its frames to the other.
    assert [(start, numbers) for start, numbers, _ in clips(20, twice)] == [
        (0, [2, 7, 12, 17]),
        (0, [0, 5, 10, 15]),
    ]
    with pytest.raises(Unsuited, match="1 or 2 uniform clips, not 3"):
        clips(20, Sampling(None, 1, 1, "drop", picked=4, clips=3, spread="twice"))


spreading = st.builds(
    Sampling,
    stack=st.integers(1, 70),
    stride=st.integers(1, 5),
    step=st.just(1),
    tail=st.just("drop"),
    picked=st.none() | st.integers(1, 40),
    clips=st.integers(1, 12),
)


@given(lengths, spreading)
def test_clips_of_a_test_have_their_frames_inside_the_video(frames, sampling):
    found, wanted = clips(frames, sampling), set()
    assert len(found) == sampling.clips
    for start, numbers, (begin, end) in found:
        assert len(numbers) == (sampling.picked or sampling.stack)
        assert start <= min(numbers) <= max(numbers) < frames
        assert 0 <= begin < end <= frames / 10 + 1e-9
        wanted |= set(numbers)
    assert [start for start, _, _ in found] == sorted(start for start, _, _ in found)
    assert set(needed_frames(frames, sampling).nonzero()[0].tolist()) == wanted


def test_the_picture_shows_the_windows_as_they_are():
    drawn = (ROOT / "docs" / "windows.svg").read_text()
    assert drawn == "\n".join(draw_windows.draw()) + "\n"

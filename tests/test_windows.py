import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.windows import (
    TAILS,
    Sampling,
    window_frames,
    window_starts,
    window_times,
)

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

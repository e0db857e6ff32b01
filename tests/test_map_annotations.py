import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import map_annotations
from scripts.common import files, index, store, tables
from scripts.common.annotations.base import Event
from scripts.common.index import Entry
from scripts.common.tables import Row
from scripts.map_annotations import mapped, position, share, touched
from tests.features import write_part
from tests.projects import Project, make_video

FIGURES = Path(__file__).parent / "data" / "tau.json"


def spans(count: int, length: float = 2.0, step: float = 2.0) -> np.ndarray:
    starts = np.arange(count) * step
    return np.stack([starts, starts + length], axis=1)


def test_the_share_is_that_of_the_original():
    golden = json.loads(FIGURES.read_text())
    assert len(golden) > 3
    for case in golden:
        n, fps, frames = case["number_features"], case["fps"], case["number_frames"]
        for side in ("start", "end"):
            found = share(case[f"time_{side}"], n, fps, frames)
            assert found == pytest.approx(case[f"feature_{side}"], rel=1e-12)


@given(st.integers(1, 50), st.floats(0, 200), st.sampled_from([1.0, 2.0, 3.0]))
def test_a_position_is_on_the_axis_and_in_order(count, seconds, step):
    windows = spans(count, step=step)
    here = position(seconds, windows)
    assert 0 <= here <= count
    assert here <= position(seconds + 0.1, windows)
    if seconds < windows[-1, 0]:
        assert here == pytest.approx(seconds / step)


@given(st.integers(1, 30), st.floats(0, 80), st.floats(0, 20))
def test_the_touched_windows_are_those_that_share_a_moment(count, start, length):
    windows = spans(count, length=3.0)
    end = start + length
    sharing = [
        k for k, (begin, stop) in enumerate(windows) if begin <= end and stop > start
    ]
    found = touched(start, end, windows)
    assert found == ((sharing[0], sharing[-1]) if sharing else None)


def row_of(event: Event, **row) -> dict:
    video = Row("v", fps=10.0, frames=100, duration=10.0, **row)
    return mapped(event, video, spans(4))


def test_an_event_in_the_middle():
    row = row_of(Event(1.0, 4.5, "run", "he runs"))
    assert (row["windows"], row["first"], row["last"]) == (4, 0, 2)
    assert (row["feature_start"], row["feature_end"]) == (0.5, 2.25)
    assert (row["share_start"], row["share_end"]) == (0.4, 1.8)
    assert row["status"] == "ok"


def test_events_without_times_last_from_end_to_end():
    row = row_of(Event(text="all of it"))
    assert (row["feature_start"], row["feature_end"]) == (0, 4)


def test_events_of_a_segment_count_from_its_beginning():
    event = Event(1.0, 4.5)
    segment = Row("v", start=60.0, end=68.0, fps=10.0, frames=80)
    whole = Row("v", fps=10.0, frames=80)
    assert mapped(event, segment, spans(4) + 60) == mapped(event, whole, spans(4))


def test_what_the_windows_do_not_reach_is_said():
    row = row_of(Event(9.0, 12.0))
    assert (row["first"], row["last"], row["status"]) == (None, None, "outside")
    assert row["share_end"] == 4, "clamped to the number of features"


@pytest.mark.parametrize("layout", ["grouped", "flat"])
def test_the_table_has_every_event_in_order(tmp_path, layout):
    entries = [
        Entry(Row("a b/ü.mp4"), events=(Event(0, 3, "run"), Event(3, 5, "fall", "he"))),
        Entry(Row("broken.mp4"), events=(Event(0, 1, "run"),)),
        Entry(Row("quiet.mp4")),
    ]
    files.write_text(tmp_path / "events.tsv", index.render_events(entries))
    rows = [
        Row("a b/ü.mp4", path="x", fps=10.0, frames=100),
        Row("broken.mp4").failed("corrupt", "cut"),
        Row("quiet.mp4", path="x", fps=10.0, frames=100),
    ]
    tables.write(tmp_path / "m.tsv", rows)
    parts = []
    for row in rows:
        if row.ok:
            part = tmp_path / f"{len(parts)}.h5"
            arrays = {"features": np.zeros((4, 8)), "timestamps": spans(4)}
            write_part(part, row.id, "k", arrays)
            parts.append((part, [row.id]))
    write = store.flatten if layout == "flat" else store.merge
    write(tmp_path / "m.h5", parts, {"model": "m", "weights": "w"})
    arguments = ["--events", "events.tsv", "--features", "m.h5", "--table", "m.tsv"]
    paths = [str(tmp_path / a) if n % 2 else a for n, a in enumerate(arguments)]
    map_annotations.main([*paths, "--mapped", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())
    assert [(row["id"], row["label"], row["status"]) for row in found] == [
        ("a b/ü.mp4", "run", "ok"),
        ("a b/ü.mp4", "fall", "ok"),
        ("broken.mp4", "run", "corrupt"),
    ]
    assert (found[1]["first"], found[1]["last"]) == (1, 2)


def test_a_users_own_table_of_sentences_goes_to_features(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        make_video(tmp_path / "videos" / name, seconds=4)
    (tmp_path / "grounding.csv").write_text(
        "video,start,end,sentence\n"
        "a.mp4,0.5,1.5,he runs\n"
        "b.mp4,,,all of it\n"
        "a.mp4,2.2,90,he falls\n"
    )
    columns = {"path": "video", "event_start": "start", "event_end": "end"}
    window = {"fps": "source", "stack": 4, "stride": 1, "step": 4, "tail": "pad"}
    project = Project(tmp_path)
    project.configure(
        {
            "datasets": {
                "own": {
                    "source": {"folder": "videos"},
                    "annotations": "grounding.csv",
                    "columns": columns | {"caption": "sentence"},
                    "shards": 1,
                }
            },
            "encodings": {"original": {}},
            "models": {
                "x3d_xs_k400": window
                | {"encoding": "original", "checkpoint": "random"},
            },
        }
    )
    target = "results/own/features/x3d_xs_k400.events.json"
    project.run(target)
    keys = "id", "text", "windows", "first", "last", "feature_start", "feature_end"
    found = [
        tuple(row[key] for key in keys)
        for row in json.loads((tmp_path / target).read_text())
    ]
    # 40 frames at 10 fps are 10 windows of 0.4 s.
    assert found == [
        ("a.mp4", "he runs", 10, 1, 3, pytest.approx(1.25), pytest.approx(3.75)),
        ("a.mp4", "he falls", 10, 5, 9, pytest.approx(5.5), 10),
        ("b.mp4", "all of it", 10, 0, 9, 0, 10),
    ]

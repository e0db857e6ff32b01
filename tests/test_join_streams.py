"""Two streams: from videos to features side by side."""

import numpy as np
import pytest

from scripts import join_streams, show_results
from scripts.common import store, tables
from scripts.common.config import ConfigError, resolve
from scripts.common.tables import Row
from tests.features import write_part
from tests.moving import MINE
from tests.projects import Project, make_video

MODEL = {"checkpoint": "random", "stack": "video", "features": ["fc", "map"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """I3D over both streams of two videos, and of one that is a single frame."""
    result = Project(tmp_path_factory.mktemp("streams"))
    for name, frames in (("a", 18), ("b", 27), ("still", 1)):
        path = result.folder / f"videos/{name}.mp4"
        make_video(path, seconds=frames / 25, fps=25, size="80x64")
    flow = {"quick": {"algorithm": "farneback", "layout": "hdf5", "storage": "png16"}}
    result.configure(
        {
            "datasets": {
                "two": {
                    "source": {"folder": "videos"},
                    "labels": "none",
                    "shards": 1,
                    "max_failed": 1.0,
                }
            },
            "encodings": {"default": {"short_side": 64}},
            "flow": flow,
            "models": {
                "rgb": MODEL | {"model": "i3d_rgb_k400", "first": 1},
                "flow": MODEL
                | {"model": "i3d_flow_k400", "flow": "quick", "any_flow": True},
            },
            "streams": {"i3d": ["rgb", "flow"]},
        }
    )
    result.run("features")
    return result


def features_of(project: Project, name: str) -> store.FeatureStore:
    return store.FeatureStore(project.folder / f"results/two/features/{name}.h5")


def test_both_streams_go_from_videos_to_features_side_by_side(project):
    rgb, flow, both = (features_of(project, name) for name in ("rgb", "flow", "i3d"))
    assert both.ids == ["a.mp4", "b.mp4"]
    for video_id, steps in (("a.mp4", 2), ("b.mp4", 3)):
        assert both.read(video_id, "fc").shape == (steps, 2048)
        assert both.read(video_id, "map").shape == (steps, 7, 7, 2048)
        assert both.read(video_id).shape == (1, 2048)
        for name in ("fc", "map"):
            halves = np.split(both.read(video_id, name), 2, axis=-1)
            for half, stream in zip(halves, (rgb, flow), strict=True):
                np.testing.assert_array_equal(half, stream.read(video_id, name))
    assert both.read("b.mp4", "timestamps").tolist() == [[0.04, 27 / 25]]
    rows = tables.read(project.folder / "results/two/features/i3d.tsv")
    assert [row.status for row in rows] == ["ok", "ok", "too_short"]
    told = both.provenance
    assert told["weights"] == "random, seed 0"
    assert [stream["name"] for stream in told["streams"]] == ["rgb", "flow"]
    assert told["streams"][1]["flow"]["algorithm"] == "farneback"
    assert told["first"] == 1
    results = project.folder / "results/two"
    line = f"Features  {results}/features/i3d.h5: rgb, flow, side by side"
    assert line in list(show_results.describe(results))


def test_flow_made_on_the_fly_changes_its_own_features_alone_and_hardly(project):
    before = features_of(project, "i3d")["b.mp4"]
    config = project.config
    config["flow"]["quick"]["dump"] = False
    project.configure(config)
    assert project.executed("features") == {
        "extract_features/two.flow.00000",
        "aggregate_features/two.flow",
        "join_streams/two.i3d",
    }
    after = features_of(project, "i3d")["b.mp4"]
    np.testing.assert_array_equal(after["timestamps"], before["timestamps"])
    for name in ("fc", "map"):
        difference = np.linalg.norm(after[name] - before[name])
        assert 0 < difference < 1e-3 * np.linalg.norm(before[name])


def write(path, videos: dict, layout: str) -> None:
    """Write features of videos, each (T, D), as a model's file with its table."""
    parts = []
    for video_id, (start, array) in videos.items():
        times = start + np.stack([np.arange(len(array)), np.arange(len(array)) + 1], 1)
        arrays = {"features": array, "logits": array[:, :3], "timestamps": times}
        parts.append(path.with_name(f"{path.stem}-{video_id}.part"))
        write_part(parts[-1], video_id, "k", arrays)
    put = {"grouped": store.merge, "flat": store.flatten}[layout]
    sources = [(part, [name]) for part, name in zip(parts, videos, strict=True)]
    put(path, sources, {"model": path.stem, "weights": path.stem, "step": 4})
    rows = [Row(name, key=f"{path.stem}{name}") for name in videos]
    tables.write(path.with_suffix(".tsv"), [*rows, Row("gone", "corrupt", "cut")])


def join(folder) -> store.FeatureStore:
    arguments = ["--streams", str(folder / "rgb.h5"), str(folder / "flow.h5")]
    arguments += ["--features", str(folder / "both.h5")]
    join_streams.main([*arguments, "--table", str(folder / "both.tsv")])
    return store.FeatureStore(folder / "both.h5")


@pytest.mark.parametrize("layout", store.LAYOUTS)
def test_features_are_concatenated_and_scores_averaged(tmp_path, layout, monkeypatch):
    monkeypatch.setattr(join_streams, "BLOCK_NUMBERS", 20)
    random = np.random.default_rng(0).random
    rgb = {f"v{n}": (0.5, random((n, 4))) for n in (1, 7, 9)}
    flow = {name: (0.5, random((len(array), 5))) for name, (_, array) in rgb.items()}
    write(tmp_path / "rgb.h5", rgb, layout)
    write(tmp_path / "flow.h5", flow, layout)
    both = join(tmp_path)
    assert both.layout == layout
    assert sorted(both.ids) == ["v1", "v7", "v9"]
    for name in rgb:
        pair = rgb[name][1], flow[name][1]
        np.testing.assert_array_equal(both.read(name), np.concatenate(pair, axis=1))
        mean = (pair[0][:, :3] + pair[1][:, :3]) / 2
        np.testing.assert_allclose(both.read(name, "logits"), mean)
        assert both.read(name, "timestamps")[0].tolist() == [0.5, 1.5]
    assert [row.status for row in tables.read(tmp_path / "both.tsv")] == [
        "corrupt",
        *["ok"] * 3,
    ]


@pytest.mark.parametrize("other", [(0.5, np.zeros((6, 4))), (0.54, np.zeros((7, 4)))])
def test_streams_that_do_not_lie_side_by_side_are_not_joined(tmp_path, other):
    write(tmp_path / "rgb.h5", {"v": (0.5, np.zeros((7, 4)))}, "grouped")
    write(tmp_path / "flow.h5", {"v": other}, "grouped")
    with pytest.raises(SystemExit, match="the timestamps of 'v' are not the same"):
        join(tmp_path)
    assert not (tmp_path / "both.h5").exists()
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("models", "line"),
    [
        (
            {"rgb": {"model": "i3d_rgb_k400"}},
            "streams.both: `first` is 0 of 'rgb', and 1 of 'flow'; give both the same",
        ),
        (
            {"rgb": {"model": "i3d_rgb_k400", "first": 1, "step": 32}},
            "streams.both: `step` is 32 of 'rgb', and 64 of 'flow'; give both the same",
        ),
        (
            {"rgn": {"model": "i3d_rgb_k400"}},
            "streams.both: 'rgb' is not under `models`; did you mean 'rgn'?",
        ),
        (
            {
                "rgb": {"model": "i3d_rgb_k400", "first": 1},
                "both": {"model": "s3d_k400"},
            },
            "streams.both: a model has this name; give another",
        ),
    ],
)
def test_streams_of_models_that_do_not_fit_get_one_line(models, line):
    models = models | {"flow": {"model": "i3d_flow_k400", "flow": "tvl1"}}
    config = {"flow": {"tvl1": {}}, "models": models}
    with pytest.raises(ConfigError) as caught:
        resolve(MINE | config | {"streams": {"both": ["rgb", "flow"]}})
    assert str(caught.value) == line

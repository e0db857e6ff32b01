"""Probes tell good features from bad ones, and what they were tested on."""

import json
from pathlib import Path

import numpy as np
import pytest

from scripts import build_index, probe_features
from scripts.common import store
from scripts.common.annotations.base import DEFAULT_SET
from scripts.common.index import Entry
from scripts.common.judging.projection import projected, sampled
from scripts.common.tables import Row
from tests.features import write_part

CLASSES = ("jump", "run", "walk")
WEIGHTS = {"model": "r2plus1d_18_k400", "weights": "random, seed 0"}


def vectors(rng: np.random.Generator, number: int, told: bool) -> np.ndarray:
    """Return the features of a video's windows, (windows, 16).

    told: the class can be seen, under a common direction that says nothing.
    """
    windows = rng.normal(size=(rng.integers(1, 4), 16))
    windows[:, 3] += 100
    if told:
        windows[:, 4 + number] += 3
    return windows.astype(np.float32)


class Dataset:
    """Features of videos and their index."""

    def __init__(
        self, folder: Path, told: bool = True, lists=("train", "test"), labels=CLASSES
    ):
        rng, folder = np.random.default_rng(0), folder / "data"
        entries, parts = [], []
        for n in range(120 + 40 * (len(lists) - 1)):
            video = f"{n:03d}.mp4"
            number = n % len(labels)
            split = lists[0] if n < 120 else lists[1 + n % (len(lists) - 1)]
            row = Row(video, path=video, key=video)
            names = tuple(labels[number].split("|"))
            entries.append(Entry(row, names, {DEFAULT_SET: split}))
            arrays = {"features": vectors(rng, number, told)}
            if n == 121:
                arrays["features"][0, 0] = np.nan
            if n != 122:
                parts.append((folder / f"{n}.h5", [video]))
                write_part(parts[-1][0], video, video, arrays)
        self.folder, self.features = folder, folder / "features.h5"
        store.flatten(self.features, parts, WEIGHTS)
        names = sorted({name for label in labels for name in label.split("|")})
        self.index = folder / "index"
        build_index.write_index(entries, names, 1, self.index)

    def probe(self, split: str = "test", **changes) -> Path:
        options = {"feature": "features", "method": "linear", "title": "a probe"}
        options |= {"strengths": [0.001, 0.1], "neighbours": 5, "seed": 0}
        chosen = {"set": DEFAULT_SET, "splits": "annotations", "split": split}
        options |= {"list": chosen} | changes
        arguments = ["--features", self.features, "--index", self.index]
        arguments += ["--probe", self.folder / "probe"]
        arguments += ["--options", json.dumps(options), "--threads", 1]
        probe_features.main(list(map(str, arguments)))
        return self.folder / "probe"


def table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def figures(folder: Path) -> dict[str, str]:
    return dict(table(folder / "metrics.tsv"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return Dataset(tmp_path_factory.mktemp("told"))


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_a_probe_finds_what_features_tell(dataset, method):
    found = figures(dataset.probe(method=method))
    assert float(found["top-1 accuracy"]) > 90 or method == "knn"
    assert float(found["top-1 accuracy"]) > 55
    assert found["top-5 accuracy"] == "100.00"
    assert found["training videos"] == "120"
    assert found["part of the largest class"] == "33.33"
    assert found["weights"] == "random, seed 0"


def test_a_probe_finds_nothing_where_features_tell_nothing(tmp_path):
    found = figures(Dataset(tmp_path, told=False).probe())
    assert 10 < float(found["top-1 accuracy"]) < 60


def test_videos_without_sound_features_are_told_and_not_tested(dataset):
    folder = dataset.probe()
    assert figures(folder)["videos"] == "38"
    assert figures(folder)["videos without scores"] == "2"
    lost = [row[:2] for row in table(folder / "missing.tsv")]
    assert lost[1:] == [["121.mp4", "not_finite"], ["122.mp4", "no_features"]]


def test_a_probe_shows_its_videos(dataset):
    folder = dataset.probe()
    for name in ("projection.png", "confusion.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    rows = table(folder / "classes.tsv")
    assert [row[0] for row in rows[1:]] == list(CLASSES)
    assert sum(int(row[1]) for row in rows[1:]) == 38


@pytest.mark.parametrize("split", ["test", "val"])
def test_regularisation_is_chosen_on_videos_of_their_own(tmp_path, capsys, split):
    dataset = Dataset(tmp_path, lists=("train", "val", "test"))
    # Where `val` itself is tested, a part of `train` serves.
    found = figures(dataset.probe(split, strengths=[10.0, 1e-4, 0.1]))
    assert found["training videos"] == "120"
    tried = [
        line.removeprefix("C ").removesuffix(" %").split(": ")
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("C ")
    ]
    assert [strength for strength, _ in tried] == ["0.0001", "0.1", "10"]
    best = max(float(accuracy) for _, accuracy in tried)
    first = next(strength for strength, value in tried if float(value) == best)
    assert float(found["inverse regularisation"]) == float(first)


def test_several_labels_of_a_video_are_refused(tmp_path):
    dataset = Dataset(tmp_path, labels=("jump", "run|walk"))
    with pytest.raises(SystemExit, match="has 2 labels; a probe tells one class"):
        dataset.probe()


def test_a_list_that_is_not_there_is_named(dataset):
    with pytest.raises(SystemExit, match="has no list 'val'; it has test, train"):
        dataset.probe("val")


def test_a_class_without_training_videos_is_never_found():
    class Classifier:
        classes_ = np.array(["b"])

        def predict_proba(self, vectors):
            return np.ones((len(vectors), 1))

    scores = probe_features.scores_of(Classifier(), np.zeros((2, 3)), ["a", "b"])
    assert scores.tolist() == [[0, 1], [0, 1]]


def test_a_projection_is_the_same_at_each_call_and_tells_groups_apart():
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(40, 12))
    groups[:20] += 20
    places, method = projected(groups, seed=0)
    assert method == "t-SNE"
    np.testing.assert_array_equal(places, projected(groups, seed=0)[0])
    centres = places[:20].mean(axis=0), places[20:].mean(axis=0)
    nearer = [
        np.linalg.norm(place - centres[0]) < np.linalg.norm(place - centres[1])
        for place in places
    ]
    assert nearer == [True] * 20 + [False] * 20
    assert projected(groups[:8], seed=0)[1] == "PCA"
    assert projected(groups[:2], seed=0)[0].shape == (2, 2)


def test_a_sample_is_drawn_without_repetition():
    chosen = sampled(100, seed=1, most=30)
    assert len(set(chosen.tolist())) == 30
    assert chosen.max() < 100
    assert sampled(5, seed=0).tolist() == [0, 1, 2, 3, 4]

"""A model on a list of videos: scores, averaged and resumed, and what they tell."""

import copy
import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models.transforms import resize
from models.views import average, views
from scripts import evaluate_model, fetch_checkpoint, score_videos
from scripts.common import tables
from scripts.common.annotations.base import DEFAULT_SET
from scripts.common.engine.decoding import Frames
from scripts.common.engine.features import Model, compute
from scripts.common.engine.parts import joined
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.judging import scoring
from scripts.common.store import FeatureStore
from scripts.common.training.augmentation import seen_at
from tests.actions import index_actions, make_actions

MODEL = "r2plus1d_18_k400"
# Classes that a network of Kinetics knows, in other spellings.
NAMES = {"down": "Archery", "left": "air_drumming", "right": "zumba", "up": "YOGA"}
VIEWS = {"sampling": "dense", "clips": 2, "crops": 3, "size": 32, "average": None}


def ticket(folder: Path, **more) -> Path:
    path = folder / "ticket.json"
    content = {"model": MODEL, "file": None, "weights": "random, seed 0", **more}
    path.write_text(json.dumps(content))
    return path


def asked(**changes) -> dict:
    """Return the options of score_videos, as the workflow makes them."""
    options = {"model": MODEL, "fps": "model", "stack": 4, "stride": None}
    options |= {"step": None, "tail": "drop", "features": ["logits"]}
    options |= {"precision": "float32", "dtype": "float32", "decoder": "cpu"}
    return options | {"views": VIEWS} | changes


def listing(split: str = "val") -> dict:
    return {"set": DEFAULT_SET, "splits": "annotations", "split": split}


class Dataset:
    """Videos with an index and clips, as the workflow makes them."""

    def __init__(self, folder: Path):
        make_actions(folder, train=4, val=8, frames=12)
        table = folder / "annotations.csv"
        with table.open(newline="") as file:
            head, *rows = csv.reader(file)
        rows = [(path, NAMES[label], split) for path, label, split in rows]
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
        self.folder = folder
        self.index, self.clips = index_actions(folder)

    def relabelled(self, folder: Path, old: str, new: str) -> "Dataset":
        """Return a copy in whose index videos have another label, or none."""
        shutil.copytree(self.folder, folder)
        copied = copy.copy(self)
        copied.folder, copied.index = folder, folder / "index"
        table = copied.index / "videos.tsv"
        text = re.sub(rf"\t({old})\t", f"\t{new}\t", table.read_text())
        table.write_text(text)
        return copied

    def score(self, options: dict, split: str = "val") -> list[Path]:
        manifests = []
        for table in sorted(self.clips.glob("*.tsv")):
            manifest = self.folder / "scores" / table.name
            arguments = ["--table", table, "--manifest", manifest]
            arguments += ["--index", self.index, "--ticket", ticket(self.folder)]
            given = {"list": listing(split), **options}
            arguments += ["--options", json.dumps(given), "--threads", 2]
            score_videos.main(list(map(str, arguments)))
            manifests.append(manifest)
        return manifests

    def evaluate(self, options: dict, split: str = "val", **more) -> Path:
        target = self.folder / "evaluation"
        arguments = ["--index", self.index, "--scores", self.folder / "scores"]
        arguments += ["--ticket", ticket(self.folder, **more), "--evaluation", target]
        given = {"list": listing(split), "scores": options, "title": "a test"}
        arguments += ["--options", json.dumps(given)]
        evaluate_model.main(list(map(str, arguments)))
        return target


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    dataset = Dataset(tmp_path_factory.mktemp("actions"))
    dataset.score(asked())
    return dataset


def expected(path: Path) -> torch.Tensor:
    """Return a video's scores by hand: two clips of 4 frames, three crops of each."""
    frames = resize(Frames(path).read(list(range(12))).float() / 255, CARD.resize)
    clips = torch.stack([frames[0:4], frames[8:12]])
    clips = views(clips, 32, 3).transpose(1, 2)
    with torch.inference_mode():
        return average(models.create(MODEL)(clips)["logits"], 6)[0]


CARD = models.card(MODEL)


def test_a_score_is_the_mean_over_clips_and_crops_of_those_in_the_list(dataset):
    manifests = sorted((dataset.folder / "scores").glob("0*[0-9].tsv"))
    rows = list(tables.read_all(manifests))
    assert sorted(row.id for row in rows) == [f"{n:04d}.mp4" for n in range(4, 12)]
    for path in manifests:
        store = FeatureStore(path.with_suffix(".h5"))
        assert store.provenance["views"]["clips"] == 2
        for video in store:
            score = expected(dataset.folder / "videos" / video)
            (found,) = store.read(video, "scores")
            np.testing.assert_allclose(found, score, rtol=1e-3, atol=1e-5)


def test_what_is_scored_is_not_scored_again(dataset, capsys):
    dataset.score(asked())
    assert capsys.readouterr().out.count(" 0 to do") == 2


def test_an_evaluation_tells_how_good_a_model_is(dataset):
    folder = dataset.evaluate(asked())
    figures = table(folder / "metrics.tsv")
    assert figures[0] == ["metric", "value"]
    figures = dict(figures[1:])
    store = FeatureStore(folder / "scores.h5")
    names = (folder / "model_classes.txt").read_text().splitlines()
    assert len(names) == 400
    with (folder / "videos.csv").open(newline="") as file:
        videos = list(csv.DictReader(file))
    assert [video["id"] for video in videos] == sorted(store)
    right = {"Archery": "archery", "air_drumming": "air drumming"}
    right |= {"zumba": "zumba", "YOGA": "yoga"}
    for video in videos:
        (scores,) = store.read(video["id"], "scores")
        order = np.argsort(-scores)
        own = names.index(right[video["label"]])
        assert video["class 1"] == names[order[0]]
        assert int(video["place"]) == order.tolist().index(own) + 1
        assert float(video["score 5"]) == pytest.approx(scores[order[4]], rel=1e-4)
    places = [int(video["place"]) for video in videos]
    hits = 100 * np.mean([place <= 5 for place in places])
    assert float(figures["top-5 accuracy"]) == pytest.approx(hits, abs=0.01)
    assert figures["videos"] == "8"
    assert figures["videos without scores"] == "0"
    classes = table(folder / "classes.tsv")
    assert [row[:2] for row in classes[1:]] == [[n, "2"] for n in sorted(right)]
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "submission.csv").exists()


def table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_classes_that_the_model_does_not_know_are_named(dataset):
    names = [f"class {number}" for number in range(400)]
    with pytest.raises(SystemExit, match=r"4 of the dataset's 4 classes .* 'YOGA'"):
        dataset.evaluate(asked(), classes=names)


def test_a_list_that_is_not_there_is_an_error_of_one_line(dataset):
    with pytest.raises(SystemExit, match="has no list 'test'; it has train, val"):
        dataset.evaluate(asked(), split="test")


def test_videos_without_labels_give_a_file_to_hand_in(dataset, tmp_path):
    dataset = dataset.relabelled(tmp_path / "test", "|".join(NAMES.values()), "")
    folder = dataset.evaluate(asked())
    lines = (folder / "submission.csv").read_text().splitlines()
    assert len(lines) == 8
    name, *numbers = lines[0].split(";")
    assert name == "0004"
    assert sorted(numbers) == ["0", "1", "2", "3"]
    assert not (folder / "metrics.tsv").exists()


def test_a_class_that_the_model_does_not_know_is_told_before_anything_is_scored(
    dataset, tmp_path
):
    dataset = dataset.relabelled(tmp_path / "unknown", "YOGA", "levitating")
    shutil.rmtree(dataset.folder / "scores", ignore_errors=True)
    with pytest.raises(SystemExit) as error:
        dataset.score(asked())
    assert "are none of the model's 400: 'levitating'" in error.value.code
    assert not list((dataset.folder / "scores").glob("*.h5"))


def test_videos_of_several_labels_get_average_precision(dataset, tmp_path):
    dataset = dataset.relabelled(tmp_path / "several", "YOGA", "zumba|YOGA")
    folder = dataset.evaluate(asked())
    figures = dict(table(folder / "metrics.tsv"))
    assert 0 < float(figures["mean average precision"]) <= 100
    assert "top-1 accuracy" not in figures
    classes = dict(row[:2] for row in table(folder / "classes.tsv"))
    del classes["class"]
    assert classes == {"Archery": "2", "YOGA": "2", "air_drumming": "2", "zumba": "4"}


@pytest.mark.parametrize(
    ("model", "asked_views", "found"),
    [
        ("ibm_k400_tam_resnet_50_f32", {}, ("dense", 10, 3, "logits")),
        ("ibm_ssv2_tam_resnet_50_f32", {}, ("uniform", 2, 3, "logits")),
        ("ibm_mini_ssv2_i3d_f8", {}, ("uniform", 1, 1, "logits")),
        ("slowfast_8x8_r50_k400", {}, ("dense", 10, 3, "probabilities")),
        ("slowfast_16x8_r50_charades", {}, ("dense", 10, 3, "maximum")),
        ("slowfast_16x8_r50_multigrid_ssv2", {}, ("uniform", 1, 1, "logits")),
        ("slowfast_8x8_r50_k400", {"clips": 2}, ("dense", 2, 3, "probabilities")),
        ("s3d_k400", {}, ("dense", 1, 1, "logits")),
        ("s3d_k400", {"sampling": "uniform"}, ("uniform", 1, 1, "logits")),
    ],
)
def test_views_are_those_of_the_published_accuracy(model, asked_views, found):
    nothing = dict.fromkeys(("sampling", "clips", "crops", "size", "average"))
    views = scoring.views_of(nothing | asked_views, models.card(model))
    assert tuple(views[k] for k in ("sampling", "clips", "crops", "average")) == found


def test_scores_of_views_are_averaged_as_their_authors_do():
    logits = np.array([[0.0, 4.0, 1.0], [3.0, 0.0, 1.0]], dtype=np.float32)
    assert scoring.one_score(logits, "logits").tolist() == [[1.5, 2.0, 1.0]]
    assert scoring.one_score(logits, "maximum").tolist() == [[3.0, 4.0, 1.0]]
    probabilities = torch.from_numpy(logits).softmax(dim=1).mean(dim=0)
    (found,) = scoring.one_score(logits, "probabilities")
    np.testing.assert_allclose(found, probabilities, rtol=1e-6)


def test_a_network_trained_here_is_tested_on_what_it_learnt_from(dataset, tmp_path):
    name = "ibm_mini_k400_resnet_18_f8"
    own = list(NAMES.values())
    network = models.create(name, classes=own).network
    clips = {"frames": 4, "stride": 1, "sampling": "uniform", "fps": None, "size": 32}
    content = {"model": name, "classes": own, "options": clips}
    torch.save(content | {"state_dict": network.state_dict()}, tmp_path / "model.pt")
    given = fetch_checkpoint.ticket(name, str(tmp_path / "model.pt"), tmp_path)
    assert (given["classes"], given["clips"]) == (own, clips)
    nothing = dict.fromkeys(("sampling", "clips", "crops", "size", "average"))
    options = asked(model=name, stack=None, views=nothing)
    full = scoring.complete(options, given["weights"], given["clips"])
    assert (full["picked"], full["size"], full["fps"]) == (4, 32, None)
    assert full["views"]["clips"] == full["views"]["crops"] == 1
    path = dataset.folder / "videos" / "0005.mp4"
    model = {"one": Model(full, given["file"])}
    tasks = [(tables.Row("0005.mp4", path=str(path)), ("one",))]
    ((_, _, found),) = joined(compute(tasks, model, 1, Stopwatch()))
    card = seen_at(models.card(name), 4, 32)
    assert card.resize.short == 37
    clip = models.prepare(Frames(path).read([1, 4, 7, 10]), card)
    extractor = models.create(name, tmp_path / "model.pt")
    with torch.inference_mode():
        expected = extractor(clip[None])["logits"].numpy()
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-3, atol=1e-4)

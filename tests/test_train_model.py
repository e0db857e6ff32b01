"""Training, on videos whose class is a motion: it learns, resumes, and says what."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import models
from scripts import build_index, train_model
from scripts.common import index, interruptions, journal
from scripts.common.annotations.base import Event
from tests.actions import actions_config, index_actions, make_actions
from tests.projects import Project
from tests.trainings import TAM, TSN, command, start, training


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """Sixteen videos to learn from and eight to judge by, of four motions."""
    folder = tmp_path_factory.mktemp("few")
    make_actions(folder, train=16, val=8)
    index_actions(folder)
    return folder


def content(folder: Path) -> dict:
    return torch.load(folder / "model.pt", weights_only=True)


def rows(folder: Path) -> list[dict[str, str]]:
    lines = (folder / "curves.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def same(first: Path, second: Path) -> None:
    """Assert that two trainings went the same way to the same network."""
    assert (first / "curves.tsv").read_text() == (second / "curves.tsv").read_text()
    one, two = content(first), content(second)
    assert one.keys() == two.keys()
    for key, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][key]), key


def test_a_killed_training_goes_on_to_the_same_curve(few, tmp_path):
    options = training(TSN, epochs=4, dropout=0.5)
    peace, war = tmp_path / "peace", tmp_path / "war"
    assert start(command(few, peace, options)).wait() == 0

    job = start(command(few, war, options))
    until = time.monotonic() + 240
    while not (war / "last.pt").exists():
        assert time.monotonic() < until
        assert job.poll() is None
        time.sleep(0.01)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not (war / "model.pt").exists()
    job = start(command(few, war, options))
    while "going on in epoch" not in (war / "log.txt").read_text():
        assert time.monotonic() < until
        assert job.poll() is None
        time.sleep(0.01)
    job.terminate()
    assert job.wait() == 143
    assert not (war / "model.pt").exists()
    assert start(command(few, war, options)).wait() == 0

    log = (war / "log.txt").read_text()
    assert log.count("going on in epoch") == 2
    assert log.count("stopped; run again") == 1
    assert "Traceback" not in log
    same(peace, war)
    # Nothing is left of what was only for going on, and there is what shows the way.
    assert {path.name for path in war.iterdir()} == {
        *("model.pt", "metrics.tsv", "curves.tsv", "curves.png"),
        *("logs", "log.txt", "ticket.json"),
    }
    assert "Warning" not in (war / "log.txt").read_text()
    assert list((war / "logs").glob("events.out.tfevents.*"))


def test_a_training_stops_where_its_snakemake_died_and_the_next_one_waits_for_it(
    few, tmp_path, monkeypatch
):
    gone = subprocess.Popen(["true"])
    gone.wait()
    arguments = command(few, tmp_path / "run", training(TSN, epochs=2))
    with monkeypatch.context() as patch:
        patch.setenv(interruptions.PARENT, str(gone.pid))
        assert start(arguments).wait() == 1
    log = tmp_path / "run" / "log.txt"
    assert "the snakemake that started this job is gone" in log.read_text()
    with journal.locked(tmp_path / "run.lock"):
        second = start(arguments)
        until = time.monotonic() + 240
        while "waiting for process" not in log.read_text():
            assert time.monotonic() < until
            assert second.poll() is None
            time.sleep(0.05)
    assert second.wait() == 0
    assert "going on in epoch 2" in log.read_text()


def test_two_processes_learn_what_one_does(few, tmp_path):
    # Norms have the statistics of their own process; without them nothing differs.
    options = training(TSN, epochs=1, frozen_norms="all", accumulate=2)
    alone, two = tmp_path / "alone", tmp_path / "two"
    both = [
        start(command(few, alone, options)),
        start(command(few, two, options, "--devices", "2")),
    ]
    assert [job.wait() for job in both] == [0, 0], (two / "log.txt").read_text()
    assert "Warning" not in (two / "log.txt").read_text()
    one, other = content(alone)["state_dict"], content(two)["state_dict"]
    begin = models.create(TSN, classes=content(alone)["classes"]).network.state_dict()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-3, atol=1e-4)
    assert not torch.equal(one["fc.weight"], begin["fc.weight"])
    (row,), (twin,) = rows(alone), rows(two)
    for name, figure in row.items():
        assert float(twin[name]) == pytest.approx(float(figure), rel=1e-3), name


@pytest.fixture(scope="module")
def motions(tmp_path_factory) -> Path:
    """Videos of two motions; of all four, and more of them, where time does not count.

    Each is another's reversal: what looks at the frames one by one, in whatever order,
    cannot tell them apart.
    """
    folder = tmp_path_factory.mktemp("motions")
    if "REELSET_SLOW" in os.environ:
        make_actions(folder, train=160, val=40)
    else:
        make_actions(folder, train=96, val=32, motions=("left", "right"))
    index_actions(folder)
    return folder


@pytest.mark.parametrize(("model", "learns"), [(TAM, True), (TSN, False)])
def test_motion_is_learnt_by_a_network_that_sees_the_order_of_frames(
    motions, tmp_path, model, learns
):
    options = training(model, epochs=10, crop="centre")
    train_model.main(command(motions, tmp_path, options))
    top1 = [float(row["val_top1"]) for row in rows(tmp_path)]
    if learns:
        assert max(top1) > 90
        kept = content(tmp_path)["metrics"]["val_top1"]
        assert kept == pytest.approx(max(top1))
    else:
        assert max(top1) < 75


@pytest.fixture
def events(few, tmp_path) -> Path:
    """The few videos with two classes each, one of them for a part of the time."""
    shutil.copytree(few, tmp_path / "events")
    folder = tmp_path / "events" / "index"
    entries = [
        replace(
            entry,
            labels=(*entry.labels, "moves"),
            events=(Event(0, 0.3, *entry.labels), Event(0.2, None, "moves")),
        )
        for entry in index.read_videos(folder / "videos.tsv")
    ]
    build_index.write_index(
        entries, [*index.read_classes(folder / "classes.txt"), "moves"], 2, folder
    )
    return tmp_path / "events"


@pytest.mark.parametrize("loss", ["bce", "per_frame"])
def test_several_classes_may_be_true_at_a_time(events, tmp_path, loss):
    options = training(TSN, epochs=1, loss=loss)
    train_model.main(command(events, tmp_path / "run", options))
    found = content(tmp_path / "run")
    assert found["classes"] == ["down", "left", "right", "up", "moves"]
    # One of the five classes is always true.
    assert 20 < found["metrics"]["val_map"] <= 100
    figures = (tmp_path / "run/metrics.tsv").read_text()
    assert f"val_map\t{found['metrics']['val_map']:.4g}" in figures


def test_one_of_several_classes_cannot_be_learnt(events, tmp_path):
    with pytest.raises(SystemExit, match=r"has 2 classes; .* say `loss: bce`"):
        train_model.main(command(events, tmp_path / "run", training(TSN)))


def test_a_set_of_splits_without_train_is_refused(few, tmp_path):
    lists = {"val": str(few / "val.txt")}
    options = training(TSN) | {"splits": {"set": "own", "splits": lists}}
    with pytest.raises(SystemExit, match="'own' has no list `train`"):
        train_model.main(command(few, tmp_path, options))


def test_without_a_validation_list_the_last_epoch_is_kept(few, tmp_path):
    lists = {"train": str(few / "train.txt")}
    options = training(TSN, epochs=2)
    options["splits"] = {"set": "own", "splits": lists}
    train_model.main(command(few, tmp_path, options))
    assert content(tmp_path)["epoch"] == 2
    assert not any("val" in name for name in rows(tmp_path)[0])


def test_what_was_learnt_can_be_learnt_on_from(few, tmp_path):
    options = training(TSN, epochs=1, checkpoint="file")
    train_model.main(command(few, tmp_path / "first", options))
    weights = tmp_path / "first/model.pt"
    quiet = options | {"optimizer": {**options["optimizer"], "lr": 1e-12}}
    quiet["frozen_norms"] = "all"
    train_model.main(command(few, tmp_path / "second", quiet, weights=weights))
    first, second = content(tmp_path / "first"), content(tmp_path / "second")
    for key, value in first["state_dict"].items():
        torch.testing.assert_close(second["state_dict"][key], value)


@pytest.mark.parametrize(
    ("classes", "flips"),
    [
        (["run", "jump"], True),
        (["Pushing something from left to right", "Tearing"], False),
        (["left"], False),
        (["bright lights"], True),
    ],
)
def test_mirrored_clips_are_for_classes_without_left_and_right(classes, flips):
    assert train_model.complete(training(TSN), classes)["flip"] is flips
    assert train_model.complete(training(TSN, flip=True), classes)["flip"] is True


def test_the_workflow_trains_and_knows_when_to_train_again(tmp_path):
    make_actions(tmp_path, train=8, val=4)
    project = Project(tmp_path)
    config = {
        "datasets": {"motions": actions_config(tmp_path)},
        "encodings": {"original": {"fps": None, "short_side": None}},
        "lists": {"encoding": "original"},
        "trainings": {
            "small": {
                **{"model": TSN, "encoding": "original", "checkpoint": "random"},
                **{"size": 32, "epochs": 1, "batch_size": 4},
            }
        },
    }
    project.configure(config)
    project.run("trainings")
    assert content(tmp_path / "results/motions/trainings/small")["model"] == TSN
    assert project.planned("trainings") == {}

    config["trainings"]["small"]["devices"] = 2
    project.configure(config)
    assert project.planned("trainings") == {}
    config["trainings"]["small"]["optimizer"] = {"lr": 0.5}
    project.configure(config)
    again = {"train_model": 1, "trainings": 1, "total": 2}
    assert project.planned("trainings") == again
    (tmp_path / "train.txt").write_text("0000.mp4\n0001.mp4\n")
    assert "train_model" in project.planned("trainings")

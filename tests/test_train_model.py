"""Training, on videos whose class is a motion: it learns, resumes, and says what."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

import models
from scripts import train_model
from tests.actions import index_actions, make_actions
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
    assert start(command(few, war, options)).wait() == 0

    assert "going on in epoch" in (war / "log.txt").read_text()
    same(peace, war)
    # Nothing is left of what was only for going on, and there is what shows the way.
    assert {path.name for path in war.iterdir()} == {
        *("model.pt", "metrics.tsv", "curves.tsv", "curves.png"),
        *("logs", "log.txt", "ticket.json"),
    }
    assert "Warning" not in (war / "log.txt").read_text()
    assert list((war / "logs").glob("events.out.tfevents.*"))


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
        assert content(tmp_path)["metrics"]["val_top1"] == max(top1)
    else:
        assert max(top1) < 75

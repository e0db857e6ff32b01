"""Training, on videos whose class is a motion: it learns, resumes, and says what."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.actions import index_actions, make_actions
from tests.trainings import TSN, command, start, training


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
        *("model.pt", "curves.tsv", "curves.png", "logs", "log.txt", "ticket.json")
    }
    assert "Warning" not in (war / "log.txt").read_text()
    assert list((war / "logs").glob("events.out.tfevents.*"))

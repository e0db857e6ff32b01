"""Dumped frames as a network's input, in place of clips."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import models
from models.cards.base import Resize
from models.zoo import Extractor
from scripts import dump_frames
from scripts.common import tables
from scripts.common.config import ConfigError, resolve
from scripts.common.engine.decoding import read_pieces
from scripts.common.engine.dumped import dumped
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.engine.parts import joined
from scripts.common.engine.windows import Sampling, Unsuited
from scripts.common.tables import Row
from tests.moving import texture, write_clip

CARD = replace(models.card("s3d_k400"), resize=Resize(short=96), crop=96, min_frames=1)
DUMP = {"quality": 2, "short_side": None, "fps": None, "every": 1, "version": 1}


class Average(nn.Module):
    """Features are the mean colours of each frame of a window."""

    def forward(self, clips):
        return {"features": clips.mean(dim=(3, 4)).transpose(1, 2).flatten(1)}


def run(row: Row, read, fps: float | None = None) -> dict:
    settings = Settings(Sampling(4, 1, 3, "last", fps), batch_size=3)
    runs = {"one": (Extractor(CARD, Average(), ""), settings)}
    tasks = [(row, ("one",))]
    results = joined(extract(tasks, runs, Machine(threads=2), read=read))
    return next(result for _, _, result in results)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Row:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, texture(12, (3, -2)))


def dump(folder: Path, clip: Row, layout: str, **changes) -> Row:
    tables.write(folder / "clips.tsv", [clip])
    options = {**DUMP, "layout": layout, **changes}
    argv = ["--table", str(folder / "clips.tsv"), "--options", json.dumps(options)]
    dump_frames.main([*argv, "--manifest", str(folder / "frames.tsv")])
    return tables.read(folder / "frames.tsv")[0]


@pytest.mark.parametrize("layout", ["folders", "tar", "hdf5"])
def test_dumped_frames_are_those_of_the_clip_but_for_jpeg(tmp_path, clip, layout):
    expected = run(clip, read_pieces)
    with dumped() as read:
        found = run(dump(tmp_path, clip, layout), read)
    np.testing.assert_array_equal(found["timestamps"], expected["timestamps"])
    assert found["features"].shape == expected["features"].shape == (4, 12)
    assert np.abs(found["features"] - expected["features"]).max() < 0.02


def test_frames_of_another_rate_are_refused(tmp_path, clip):
    row = dump(tmp_path, clip, "folders", every=2)
    with dumped() as read, pytest.raises(Unsuited, match="what is dumped has 12"):
        run(row, read, fps=25)
    with dumped() as read:
        assert run(row, read)["timestamps"][-1, 1] == pytest.approx(12 / 25)


def test_a_frame_that_is_gone_is_a_reason(tmp_path, clip):
    row = dump(tmp_path, clip, "folders")
    (Path(row.path) / "00003.jpg").unlink()
    with dumped() as read:
        assert run(row, read).reason == "corrupt"


def test_a_model_may_read_frames_that_are_dumped():
    dataset = {"mine": {"source": {"folder": "videos"}}}
    entry = {"model": "s3d_k400", "read": "frames"}
    with pytest.raises(ConfigError, match="'default' are not dumped; add it under"):
        resolve({"datasets": dataset, "models": {"s3d": entry}})
    frames = {"encodings": ["default"]}
    config = resolve({"datasets": dataset, "models": {"s3d": entry}, "frames": frames})
    assert config["models"]["s3d"]["read"] == "frames"

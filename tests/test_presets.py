"""Configurations of models that are to be laid over a dataset."""

import json
from pathlib import Path

import pytest
import yaml

import models
from scripts.common.config import resolve
from scripts.common.config.recipes import CLASSES
from scripts.common.features import complete, sampling_of
from scripts.common.windows import windows

FOLDER = CLASSES.parent / "models"
CASES = json.loads((Path(__file__).parent / "data" / "tvg_sampling.json").read_text())


def preset(name: str) -> dict:
    """The resolved configuration of a preset over a folder of videos."""
    overlay = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return resolve(overlay | {"datasets": {"mine": {"source": {"folder": "/"}}}})


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_preset_fits_any_dataset(path):
    config = preset(path.stem)
    for name, entry in config["models"].items():
        models.card(entry["model"])
        assert entry["encoding"] in config["encodings"], name


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['frames']}/{c['window']}")
def test_tvg_takes_the_frames_that_the_original_takes(case):
    entries = preset("tvg")["models"].values()
    for entry in (entry for entry in entries if entry["stack"] == case["window"]):
        sampling = sampling_of(complete(entry, "weights"))
        assert sampling.fps is None
        found = [frames for _, frames, _ in windows(case["frames"], sampling, 25.0)]
        assert len(found) == case["n_fixed"]
        for number, frames in case["clips"].items():
            whole = (int(number) + 1) * case["window"] <= case["frames"]
            # The original fills its last window by chance.
            kept = case["window"] if whole else case["frames"] % case["window"]
            assert found[int(number)][:kept] == frames[:kept], entry["model"]


def test_tvg_has_a_window_for_each_of_the_originals_lengths():
    lengths = {entry["stack"] for entry in preset("tvg")["models"].values()}
    assert {case["window"] for case in CASES} <= lengths

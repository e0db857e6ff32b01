"""Configurations of models that are to be laid over a dataset."""

import json
from pathlib import Path

import pytest
import yaml

import models
from scripts.common.config import resolve
from scripts.common.config.recipes import CLASSES
from scripts.common.engine.features import complete, sampling_of
from scripts.common.engine.windows import windows

FOLDER = CLASSES.parent / "models"
TRAININGS = CLASSES.parent / "trainings"
CASES = json.loads((Path(__file__).parent / "data" / "tvg_sampling.json").read_text())
SHARED = Path(__file__).parents[2] / "shared" / "parity" / "tsm" / "sampling.json"


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


@pytest.mark.parametrize("path", sorted(TRAININGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_recipe_of_training_fits_any_dataset(path):
    overlay = yaml.safe_load(path.read_text())
    config = resolve(overlay | {"datasets": {"mine": {"source": {"folder": "/"}}}})
    assert {entry["encoding"] for entry in config["trainings"].values()} == {"default"}


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


def tvg_windows(model: str, frames: int) -> list[list[int]]:
    """The frames of each window that the preset takes of a video."""
    sampling = sampling_of(complete(preset("tvg")["models"][model], "weights"))
    return [numbers for _, numbers, _ in windows(frames, sampling, 25.0)]


def test_tvg_spreads_the_frames_of_tsn_and_tsm_over_64():
    middles = [4, 12, 20, 28, 36, 44, 52, 60]
    second = [64 + number for number in middles]
    tsm = "tsm_resnet50_k400_8seg"
    assert tvg_windows(tsm, 128) == [middles, second]
    assert tvg_windows(tsm, 124) == [middles, [*second[:-1], 123]]
    # The original drops what is left there, and fails for a shorter video.
    assert tvg_windows(tsm, 80) == [middles, [68, 76, 79, 79, 79, 79, 79, 79]]
    tsn = "tsn_resnet50_k400_5seg"
    assert tvg_windows(tsn, 30) == [[6, 19, 29, 29, 29]]


@pytest.mark.skipif(not SHARED.is_file(), reason="the golden file is not here")
@pytest.mark.parametrize(
    ("model", "segments"),
    [("tsn_resnet50_k400_5seg", 5), ("tsm_resnet50_k400_8seg", 8)],
)
def test_tvg_takes_all_that_the_original_reads_for_tsn_and_tsm(model, segments):
    cases = [
        case
        for case in json.loads(SHARED.read_text())["seed003_windows"]["cases"]
        if (case["num_frames_option"], case["test_segments"]) == (8, segments)
        and not case["index_out_of_range"]
    ]
    assert len(cases) == 13
    for case in cases:
        found = tvg_windows(model, case["total_frames"])
        assert found[: len(case["windows"])] == case["windows"], case
        assert len(found) == -(-case["total_frames"] // 64)


def test_tvg_has_a_window_for_each_of_the_originals_lengths():
    lengths = {entry["stack"] for entry in preset("tvg")["models"].values()}
    assert {case["window"] for case in CASES} <= lengths

"""Flow as a network's input: from files and on the fly, and beside the pictures."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models
from models import raft
from models.cards.base import Resize
from models.zoo import Extractor
from scripts.common.config import ConfigError, resolve
from scripts.common.engine import features
from scripts.common.engine.decoding import read_pieces
from scripts.common.engine.extraction import Machine, Settings, extract
from scripts.common.engine.parts import joined
from scripts.common.engine.windows import Sampling, Unsuited
from scripts.common.flow import reading
from scripts.common.flow.making import complete, estimator
from scripts.common.tables import Failure, Row
from scripts.fetch_checkpoint import ticket
from tests.moving import MINE, computed, options, texture, write_clip

SMALL = {"resize": Resize(short=96), "crop": 96, "mean": (0.0, 0.0), "std": (1.0, 1.0)}
FLOW = replace(models.card("i3d_flow_k400"), **SMALL)
SHIFT = (3, -2)


class Average(nn.Module):
    """Features are the means of x and of y of each flow, at least 16 pixels inside."""

    def forward(self, clips):
        inside = clips[..., 16:-16, 16:-16]
        return {"features": inside.mean(dim=(3, 4)).transpose(1, 2).flatten(1)}


def run(rows: list[Row], read, card=FLOW, network=None, **changes) -> dict:
    settings = Settings(Sampling(4, 1, 4, "last", first=1), batch_size=3)
    runs = {"one": (Extractor(card, network or Average(), ""), settings)}
    runs["one"] = (runs["one"][0], replace(settings, **changes))
    tasks = [(row, ("one",)) for row in rows]
    results = joined(extract(tasks, runs, Machine(threads=2), read=read))
    return {row.id: result for _, row, result in results}


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Row:
    """A clip of 12 frames that moves by SHIFT."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, texture(12, SHIFT))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights of RAFT."""
    path = tmp_path_factory.mktemp("weights") / "raft.pth"
    torch.save(raft.create("raft_small").network.state_dict(), path)
    return path


def on_the_fly(clip: Row, algorithm: str, weights: Path | None = None, **more) -> dict:
    made = options(algorithm=algorithm, **more)
    estimate = estimator(complete(made, None), weights)
    read = reading.computed(estimate, made["bound"], batch_size=5)
    return run([clip], read)[clip.id]


def from_files(folder: Path, clip: Row, weights: Path | None = None, **more) -> dict:
    arguments = []
    if weights:
        told = ticket("raft_small", str(weights), folder)
        (folder / "ticket.json").write_text(json.dumps(told))
        arguments = ["--ticket", str(folder / "ticket.json")]
    (row,) = computed(folder, [clip], *arguments, **more)
    with reading.stored({}) as read:
        return run([row], read)[clip.id]


@pytest.mark.parametrize("layout", ["tsn", "ibm", "tar", "hdf5"])
def test_flow_from_files_is_that_on_the_fly_but_for_its_rounding(
    tmp_path, clip, layout
):
    made = {"algorithm": "farneback", "layout": layout}
    expected = on_the_fly(clip, **made)
    exact = from_files(tmp_path / "png", clip, storage="png16", **made)
    close = from_files(tmp_path / "jpg", clip, quality=100, **made)
    for arrays in (exact, close):
        np.testing.assert_array_equal(arrays["timestamps"], expected["timestamps"])
    # A level of 16 bits, and one of 8: half of it, and what JPEG leaves out.
    assert np.abs(exact["features"] - expected["features"]).max() < 1 / 65535
    assert np.abs(close["features"] - expected["features"]).max() < 1 / 255


def test_rafts_flow_too_is_the_same_from_files_and_on_the_fly(tmp_path, clip, weights):
    made = {"algorithm": "raft_small", "raft": {"updates": 2}, "bound": 60}
    expected = on_the_fly(clip, weights=weights, **made)["features"]
    found = from_files(tmp_path, clip, weights, storage="png16", **made)
    assert expected.std() > 0.001
    assert np.abs(found["features"] - expected).max() < 1e-4


def test_a_moved_picture_reaches_the_network_as_the_flow_that_moved_it(clip):
    found = on_the_fly(clip, "tvl1")["features"]
    # Windows of 4 flows, the last one aligned with the end: x and y of each.
    assert found.shape == (3, 8)
    pixels = (found.reshape(-1, 2) - 0.5) * 40
    assert np.abs(pixels - SHIFT).max() < 0.2


def test_what_moves_beyond_the_bound_is_cut_off(clip):
    found = on_the_fly(clip, "farneback", bound=1)["features"].reshape(-1, 2)
    assert np.abs(found - (1, 0)).max() < 0.05


def test_only_flow_that_a_window_wants_is_made(clip, monkeypatch):
    asked = []
    read = reading.Frames.read

    def noted(video, numbers):
        asked.extend(numbers)
        return read(video, numbers)

    monkeypatch.setattr(reading.Frames, "read", noted)
    estimate = estimator(complete(options(algorithm="farneback"), None), None)
    gaps = Sampling(2, 1, 5, "drop", first=1)
    reader = reading.computed(estimate, 20, batch_size=8)
    found = run([clip], reader, sampling=gaps)[clip.id]
    assert asked == [0, 1, 2, 5, 6, 7]
    assert found["timestamps"].tolist() == [[0.04, 0.12], [0.24, 0.32]]


def test_frames_may_be_resized_before_and_flow_is_in_pixels_of_the_new_size(clip):
    estimate = estimator(complete(options(algorithm="tvl1"), None), None)
    read = reading.computed(estimate, 20, batch_size=5, short_side=192)
    pixels = (run([clip], read)[clip.id]["features"].reshape(-1, 2) - 0.5) * 40
    assert np.abs(pixels - 2 * np.array(SHIFT)).max() < 0.4


@pytest.mark.parametrize("frames", [9, 25, 26])
def test_both_streams_have_the_same_steps_at_the_same_times(tmp_path, frames):
    clip = write_clip(tmp_path / "clip.mp4", texture(frames, SHIFT, size=(64, 64)))
    small = {"resize": Resize(short=64), "crop": 64}
    estimate = estimator(complete(options(algorithm="farneback"), None), None)
    found = {}
    for name, read in (
        ("i3d_rgb_k400", read_pieces),
        ("i3d_flow_k400", reading.computed(estimate, 20, batch_size=8)),
    ):
        extractor = models.create(name)
        found[name] = run(
            [clip],
            read,
            replace(extractor.card, **small),
            extractor.network,
            sampling=Sampling(None, 1, 1, "drop", first=1),
            features=("features", "fc", "map"),
        )[clip.id]
    rgb, flow = found.values()
    # Of x flows there are floor((x - 1) / 8) steps, and one at least.
    assert len(flow["fc"]) == max(1, (frames - 2) // 8)
    assert flow["fc"].shape == rgb["fc"].shape
    assert flow["map"].shape == rgb["map"].shape
    for times in ("timestamps", "step_timestamps"):
        np.testing.assert_array_equal(rgb[times], flow[times])
    assert flow["timestamps"].tolist() == [[0.04, frames / 25]]


def test_rgb_frames_that_begin_with_the_second_image_stand_beside_their_flow():
    given = features.complete(asked("i3d_rgb_k400", first=1), "w")
    taken = features.complete(asked("i3d_flow_k400"), "w")
    rgb, flow = features.sampling_of(given), features.sampling_of(taken)
    assert rgb == flow
    assert flow.first == 1


def asked(model: str, **more) -> dict:
    keys = dict.fromkeys(("stack", "stride", "step"))
    return {"model": model, "tail": "drop", "first": 0} | keys | more


def test_a_clip_of_one_frame_is_too_short_for_flow(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", texture(1, SHIFT))
    estimate = estimator(complete(options(algorithm="farneback"), None), None)
    found = run([clip], reading.computed(estimate, 20, batch_size=8))[clip.id]
    assert isinstance(found, Failure)
    assert found.reason == "too_short"


def test_stored_flow_of_another_kind_or_rate_is_refused(tmp_path, clip):
    (row,) = computed(tmp_path, [clip], algorithm="farneback", bound=15)
    own = (
        "i3d_flow_k400 takes flow of tvl1 cut off at 20 pixels; this is of farneback"
        " cut off at 15; `any_flow: true` takes it all the same"
    )
    with (
        reading.stored({"one": FLOW}) as read,
        pytest.raises(Unsuited, match=re.escape(own)),
    ):
        run([row], read)
    with (
        reading.stored({}) as read,
        pytest.raises(Unsuited, match="takes 24 frames/s, and what is dumped has 25"),
    ):
        run([row], read, sampling=Sampling(4, 1, 4, "drop", 24, first=1))


def test_flow_that_is_gone_is_a_reason(tmp_path, clip):
    (row,) = computed(tmp_path, [clip], algorithm="farneback", layout="tar")
    Path(row.path).write_bytes(b"")
    with reading.stored({}) as read:
        found = run([row], read)[row.id]
    assert found.reason == "corrupt"


FARNEBACK = {"algorithm": "farneback"}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            {"model": "i3d_flow_k400"},
            "models.a: i3d_flow_k400 takes flow; give `flow`, a name under `flow`",
        ),
        (
            {"model": "i3d_rgb_k400", "flow": "tvl1"},
            "models.a.flow: i3d_rgb_k400 takes pictures, and no flow",
        ),
        (
            {"model": "i3d_flow_k400", "flow": "tv1"},
            "models.a.flow: 'tv1' is not under `flow`; did you mean 'tvl1'?",
        ),
        (
            {"model": "i3d_flow_k400", "flow": "quick"},
            "models.a.flow: i3d_flow_k400 takes flow of tvl1 cut off at 20 pixels;"
            " this is of farneback cut off at 20; `any_flow: true` takes it all the"
            " same",
        ),
        (
            {"model": "i3d_flow_k400", "flow": "tvl1", "encoding": "original"},
            "models.a.encoding: the flow 'tvl1' is of the clips 'default'; leave the"
            " key out",
        ),
    ],
)
def test_a_model_without_its_flow_gets_one_line(entry, line):
    config = MINE | {"flow": {"tvl1": {}, "quick": FARNEBACK}, "models": {"a": entry}}
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert str(caught.value) == line


def test_a_model_reads_the_clips_of_its_flow_and_another_kind_if_told_to():
    flow = {"quick": FARNEBACK | {"encoding": "original"}}
    entry = {"model": "i3d_flow_k400", "flow": "quick", "any_flow": True}
    config = resolve(MINE | {"flow": flow, "models": {"a": entry, "s3d_k400": {}}})
    assert config["models"]["a"]["encoding"] == "original"
    assert config["models"]["s3d_k400"]["encoding"] == "default"

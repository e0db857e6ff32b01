import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights

import models
from models import raft
from models.cards.raft import BY_NAME
from scripts.common import containers, tables
from scripts.common.config import ConfigError, resolve
from scripts.common.flow import algorithms
from scripts.common.flow.making import complete
from scripts.common.flow.quantisation import Quantisation
from scripts.common.flow.wheel import wheel
from scripts.common.journal import Journal
from scripts.common.report import pictures
from scripts.common.tables import Row
from scripts.fetch_checkpoint import ticket
from tests.moving import MINE, computed, entry, options, texture, write_clip
from tests.projects import ROOT, make_video
from tests.stages import shard_arguments

QUICK = {"num_levels": 3, "num_iters": 3}


def opencv(name: str) -> algorithms.Estimator:
    return algorithms.opencv(algorithms.OPENCV[name], entry(algorithm=name)[name])


@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-1.5, 2.25)])
@pytest.mark.parametrize(("name", "error"), [("tvl1", 0.1), ("farneback", 0.25)])
def test_a_moved_picture_has_the_flow_that_moved_it(name, error, shift):
    flows = list(opencv(name)([texture(2, shift), texture(4, shift)[2:]]))
    assert len(flows) == 3
    for flow in flows:
        assert (flow.shape, flow.dtype) == ((2, 96, 128), torch.float32)
        inside = flow[:, 16:-16, 16:-16].numpy()
        assert np.abs(inside.mean(axis=(1, 2)) - shift).max() < error
        off = np.hypot(*(inside - np.reshape(shift, (2, 1, 1))))
        assert np.quantile(off, 0.95) < 2 * error


@pytest.mark.parametrize("layout", ["tsn", "ibm", "tar", "hdf5"])
def test_a_clips_flow_can_be_read_back_right_to_a_level(tmp_path, layout):
    clip = write_clip(tmp_path / "clip.mp4", texture(5, (2, -1)))
    (row,) = computed(tmp_path / "flow", [clip], algorithm="farneback", layout=layout)
    assert (row.status, row.frames, row.width, row.fps) == ("ok", 4, 128, 25)
    with containers.of_row(row) as shard:
        flows = containers.flows(shard, clip.id)
        about = shard.about(clip.id)
    assert flows.shape == (4, 2, 96, 128)
    means = flows[:, :, 16:-16, 16:-16].mean(axis=(2, 3))
    assert np.abs(means - (2, -1)).max() < 0.3
    assert about["flow"] | {"direction": ""} == {
        "algorithm": "farneback",
        "parameters": entry(algorithm="farneback")["farneback"],
        "weights": None,
        "direction": "",
        **Quantisation(20).as_dict(),
    }


def test_a_clip_of_one_frame_has_no_flow_and_one_of_two_has_one(tmp_path):
    clips = [
        write_clip(tmp_path / f"{count}.mp4", texture(count, (1, 0)))
        for count in (1, 2, 10)
    ]
    rows = computed(tmp_path / "flow", clips, algorithm="farneback")
    assert [(row.status, row.frames) for row in rows] == [
        ("too_short", None),
        ("ok", 1),
        ("ok", 9),
    ]
    assert rows[0].message == "one frame has no flow to a next one"
    names = {path.name for path in Path(rows[1].path).iterdir()}
    assert names == {"flow_x_00001.jpg", "flow_y_00001.jpg", "flow.json"}


def test_pieces_change_nothing(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", texture(7, (2, -1), size=(136, 144)))
    weights = tmp_path / "random.json"
    weights.write_text(json.dumps(ticket("raft_small", "random", tmp_path)))
    found = []
    for size in ("1", "3", "16"):
        (row,) = computed(
            tmp_path / size,
            [clip],
            *("--batch-size", size, "--ticket", str(weights)),
            algorithm="raft_small",
            storage="png16",
            bound=100,
            raft={"updates": 2},
        )
        with containers.of_row(row) as shard:
            found.append(containers.flows(shard, clip.id))
            made = shard.about(clip.id)["flow"]
    assert found[0].shape == (6, 2, 136, 144)
    assert np.abs(found[0] - found[1]).max() < 0.01
    assert np.abs(found[0] - found[2]).max() < 0.01
    assert (made["weights"], made["parameters"]["updates"]) == ("random, seed 0", 2)


def test_a_damaged_clip_is_a_row(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", texture(5, (2, -1)))
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    more = Row("more", path=clip.path, frames=6)
    bad = Row("bad", path=str(text), frames=5)
    rows = computed(tmp_path / "flow", [more, bad], algorithm="farneback")
    assert [row.status for row in rows] == ["corrupt", "not_video"]
    assert rows[0].message == "5 of 6 frames came out"
    assert not list((tmp_path / "flow/made").iterdir())


@pytest.mark.parametrize("layout", ["tsn", "tar"])
def test_after_a_kill_the_next_job_goes_on_and_ends_like_an_undisturbed_one(
    tmp_path, layout
):
    clips = []
    for number in range(6):
        path = tmp_path / f"{number}.mp4"
        make_video(path, seconds=1, fps=25, size="192x144", seed=number)
        clips.append(Row(path.name, path=str(path), frames=25, key=path.name))
    (tmp_path / "killed").mkdir()
    chosen = options(algorithm="farneback", layout=layout)
    command = [sys.executable, "-m", "scripts.compute_flow"]
    command += shard_arguments(tmp_path / "killed", clips, chosen)

    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    journal = tmp_path / "killed/made.journal"
    until = time.monotonic() + 60
    while not (journal.exists() and Journal(journal).rows):
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < len(Journal(journal).rows) < 6
    output = subprocess.check_output(command, cwd=ROOT, text=True)

    assert " to do, 0 done before" not in output
    calm = computed(tmp_path / "calm", clips, algorithm="farneback", layout=layout)
    killed = tables.read(tmp_path / "killed/made.tsv")
    assert [row.key for row in killed] == [row.key for row in calm]
    for one, other in zip(killed, calm, strict=True):
        with containers.of_row(one) as a, containers.of_row(other) as b:
            for stream in "xy":
                assert a.pictures(one.id, range(24), stream) == b.pictures(
                    one.id, range(24), stream
                )
    assert not list(tmp_path.glob("killed/**/.tmp-*"))


def test_ctrl_c_does_not_wait_for_a_long_video(tmp_path):
    path = tmp_path / "long.mp4"
    make_video(path, seconds=20, fps=25, size="320x240")
    clip = Row("long", path=str(path), frames=500)
    command = [sys.executable, "-m", "scripts.compute_flow"]
    command += shard_arguments(tmp_path, [clip], options())
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(tmp_path.glob("made/.tmp-*/*.jpg")):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    # A minute of TV-L1 would take many.
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "0 finished videos of 1 are kept" in output


def plain_flows(network: raft.Raft, frames: torch.Tensor) -> torch.Tensor:
    """The flows that torchvision's own call gives, pair by pair."""
    images = frames / 127.5 - 1
    with torch.inference_mode():
        return torch.cat(
            [
                network.network(
                    images[n : n + 1],
                    images[n + 1 : n + 2],
                    num_flow_updates=network.updates,
                )[-1]
                for n in range(len(images) - 1)
            ]
        )


@pytest.mark.parametrize("name", ["raft_small", "raft_large"])
def test_raft_gives_what_torchvisions_own_call_gives(name):
    network = raft.create(name, updates=3)
    frames = texture(4, (2, -1), size=(128, 136))
    seen, first = network.step(None, frames[:2])
    _, rest = network.step(seen, frames[2:])
    expected = plain_flows(network, frames)
    found = torch.cat([first, rest])
    assert found.shape == (3, 2, 128, 136)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_two_videos_at_a_time_do_not_disturb_each_other():
    network = raft.create("raft_small", updates=2)
    clips = [texture(5, shift, size=(128, 136)) for shift in ((2, -1), (-1, 3))]
    alone = [network.step(None, clip)[1] for clip in clips]
    estimate = algorithms.raft(network)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda clip: list(estimate(clip.split(2))), clips))
    for flows, expected in zip(found, alone, strict=True):
        assert (torch.stack(flows) - expected).abs().max() < 1e-3


def test_raft_encodes_each_frame_once():
    network = raft.create("raft_small", updates=1)
    encoded = []
    encoder = network.network.feature_encoder
    encoder.register_forward_hook(lambda _, given, __: encoded.append(len(given[0])))
    seen = None
    for piece in texture(7, (1, 0), size=(128, 128)).split(3):
        seen, _ = network.step(seen, piece)
    assert encoded == [3, 3, 1]


@pytest.mark.parametrize("size", [(61, 50), (130, 141)])
def test_raft_takes_frames_of_any_size(size):
    network = raft.create("raft_small", updates=2)
    frames = texture(2, (2, 0), size=size)
    _, flows = network.step(None, frames)
    assert flows.shape == (1, 2, *size)
    left, _, top, _ = raft.margins(*size)
    whole = plain_flows(network, raft.padded(frames))
    expected = whole[..., top : top + size[0], left : left + size[1]]
    assert (flows - expected).abs().max() < 1e-4 * expected.abs().max()
    # Rounded to whole pixels of the frame: nothing of the border has moved inside.
    inside = raft.padded(frames)[..., top : top + size[0], left : left + size[1]]
    assert torch.equal(inside, frames.float())


def test_rafts_weights_are_those_that_torchvision_publishes():
    published = {
        "raft_large": Raft_Large_Weights.DEFAULT,
        "raft_sintel": Raft_Large_Weights.C_T_SKHT_V1,
        "raft_small": Raft_Small_Weights.DEFAULT,
    }
    for name, weights in published.items():
        assert BY_NAME[name].checkpoint.urls == (weights.url,)


def test_rafts_weights_load_from_a_file_and_no_others_do(tmp_path):
    other = raft.create("raft_small", seed=1)
    torch.save(other.network.state_dict(), tmp_path / "small.pth")
    loaded = raft.create("raft_small", tmp_path / "small.pth")
    for key, value in loaded.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[key])
    with pytest.raises(models.CheckpointError, match="does not fit RAFT"):
        raft.create("raft_large", tmp_path / "small.pth")


def test_the_number_of_updates_is_stored_where_it_is_the_networks_own():
    parameters = complete(options(algorithm="raft_sintel"), "sha")["parameters"]
    assert parameters["updates"] == 20


FLOWS = arrays.arrays(np.float32, (2, 3, 4), elements=st.floats(-1000, 1000, width=32))
BOUNDS = st.floats(0.01, 500)


@given(FLOWS, BOUNDS, st.sampled_from([8, 16]))
def test_levels_keep_flow_to_half_a_level(flow, bound, bits):
    quantisation = Quantisation(bound, bits)
    restored = quantisation.restore(quantisation.levels(flow))
    most = {8: bound / 255, 16: bound / 65534}[bits]
    assert np.abs(restored - flow.clip(-bound, bound)).max() <= most + 1e-6 * bound


@given(BOUNDS)
def test_no_motion_is_one_level_whatever_the_bound(bound):
    still = np.array([0.0, -0.0], np.float32)
    assert set(Quantisation(bound, 8).levels(still)) == {128}
    assert set(Quantisation(bound, 16).levels(still)) == {32768}
    assert Quantisation(bound, 16).restore(np.uint16([32768])) == 0


@given(FLOWS, st.integers(1, 60))
def test_eight_bits_are_those_of_denseflow(flow, bound):
    levels = Quantisation(bound).levels(flow)
    # denseflow's and TSN's formula, with OpenCV's own rounding.
    parts = 255 * (flow.astype(np.float64) + bound) / (2 * bound)
    expected = np.array([round(part) for part in parts.ravel()]).reshape(flow.shape)
    assert np.abs(levels - expected.clip(0, 255)).max() <= 1
    exact = np.abs(parts - np.floor(parts) - 0.5) > 1e-9
    assert np.array_equal(levels[exact], expected.clip(0, 255)[exact])


def test_the_ends_of_the_bound_are_the_ends_of_the_levels():
    ends = np.array([-1000, -20, 20, 1000], np.float32)
    assert Quantisation(20).levels(ends).tolist() == [0, 0, 255, 255]
    assert Quantisation(20, 16).levels(ends).tolist() == [1, 1, 65535, 65535]


def test_the_wheel_shows_direction_by_hue_and_speed_by_strength():
    flow = np.zeros((2, 1, 6), np.float32)
    flow[:, 0] = np.array([[0, 0], [5, 0], [50, 0], [-5, 0], [0, 5], [2.5, 0]]).T
    colours = wheel(flow, limit=5)[0].tolist()
    white, right, fast, left, down, slow = colours
    assert white == [255, 255, 255]
    assert right == fast == [255, 0, 0]
    assert left == [0, 255, 255]
    assert down == [128, 255, 0]
    assert slow == [255, 128, 128]


def test_a_strip_of_flow_is_a_picture_and_none_where_it_is_gone(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", texture(5, (2, -1)))
    (row,) = computed(tmp_path / "flow", [clip], algorithm="farneback", layout="tar")
    assert pictures.strip_of_flow(row).startswith("data:image/jpeg")
    Path(row.path).write_bytes(b"no tar")
    assert pictures.strip_of_flow(row) is None
    Path(row.path).unlink()
    assert pictures.strip_of_flow(row) is None


def test_only_the_parameters_of_the_algorithm_can_be_given():
    flow = {"a": {"algorithm": "farneback", "tvl1": {"tau": 0.2}, "encoding": "lost"}}
    with pytest.raises(ConfigError) as caught:
        resolve(MINE | {"flow": flow})
    assert str(caught.value).splitlines() == [
        "flow.a.encoding: 'lost' is not an encoding (there are: default, original)",
        "flow.a.tvl1: the algorithm is 'farneback'",
    ]
    assert "tvl1" in entry()
    assert "raft" not in entry()


def test_the_default_parameters_are_opencvs_own():
    for name, create in algorithms.OPENCV.items():
        algorithm = create()
        for key, value in entry(algorithm=name)[name].items():
            own = getattr(algorithm, "get" + key.title().replace("_", ""))()
            assert own == pytest.approx(value), key


def test_opencv_is_called_with_the_parameters_of_the_config():
    frames = texture(2, (2, 0))
    grey = [cv2.cvtColor(f.permute(1, 2, 0).numpy().copy(), 7) for f in frames]
    own = cv2.FarnebackOpticalFlow_create(numLevels=3, numIters=3)
    expected = own.calc(*grey, None)
    estimate = algorithms.opencv(algorithms.OPENCV["farneback"], QUICK)
    (flow,) = estimate([frames])
    assert np.array_equal(flow.permute(1, 2, 0), expected)

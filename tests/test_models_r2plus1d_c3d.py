"""R(2+1)D of 34 layers; leftthomas' R(2+1)D and C3D, and the frames that they take."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import models
from models import transforms
from models.leftthomas import central_clip, kept_every
from models.r2plus1d import R2Plus1D
from tests.recipe import MEDIA, PARITY, Golden, relative_l2

PREPROCESS = PARITY / "r2plus1d_c3d" / "preprocess"
ABOUT = json.loads((PREPROCESS / "videos.json").read_text())
CARD = models.card("c3d_ucf101_leftthomas")


# Networks


def test_the_layers_after_c3ds_convolutions_equal_the_upstream_ones():
    golden = Golden("r2plus1d_c3d/ucf101_c3d")
    extractor = models.create(models.resolve(golden.variant), checkpoint=golden.weights)
    with torch.inference_mode():
        ours = extractor(torch.from_numpy(golden.clip())[None])
    for name in ("fc6", "fc7"):
        assert relative_l2(ours[name], golden.output(name)) < 1e-5


@pytest.mark.parametrize(
    ("upstream", "name", "parameters"),
    [
        (
            "r21d/r2plus1d_34_32_ig65m_ft_kinetics",
            "r2plus1d_34_32_k400",
            63_697_175,
        ),
        ("r21d/r2plus1d_34_8_ig65m_ft_kinetics", "r2plus1d_34_8_k400", 63_697_175),
        (
            "r2plus1d_c3d/ucf101_r2plus1d",
            "r2plus1d_18_ucf101_leftthomas",
            33_220_990,
        ),
        (
            "r2plus1d_c3d/hmdb51_r2plus1d",
            "r2plus1d_18_hmdb51_leftthomas",
            33_195_340,
        ),
        (
            "r2plus1d_c3d/kinetics600_r2plus1d",
            "r2plus1d_18_k600_leftthomas",
            33_476_977,
        ),
        ("r2plus1d_c3d/ucf101_c3d", "c3d_ucf101_leftthomas", 78_409_573),
        ("r2plus1d_c3d/hmdb51_c3d", "c3d_hmdb51_leftthomas", 78_204_723),
        ("r2plus1d_c3d/kinetics600_c3d", "c3d_k600_leftthomas", 80_453_976),
    ],
)
def test_upstream_names_and_sizes(upstream, name, parameters):
    assert models.resolve(upstream) == name
    assert models.count_parameters(name) == parameters


def test_the_18_layers_of_torchvision_keep_their_widths_and_eps():
    with torch.device("meta"):
        ours = R2Plus1D((2, 2, 2, 2), classes=400)
        caffe2 = R2Plus1D((3, 4, 6, 3), classes=400, caffe2=True)
    widths = {
        network: [
            getattr(network, f"layer{stage}")[0].conv2[0][0].out_channels
            for stage in (2, 3, 4)
        ]
        for network in (ours, caffe2)
    }
    assert widths == {ours: [230, 460, 921], caffe2: [288, 576, 1152]}
    assert (ours.stem[1].eps, caffe2.stem[1].eps) == (1e-5, 1e-3)


# Which frames


def test_every_nth_frame_is_kept_as_in_the_original_program():
    for frames, every in ABOUT["extract_frequency"].items():
        assert kept_every(int(frames)) == every


@pytest.mark.parametrize("video", ABOUT["videos"])
def test_the_clip_of_a_video_is_the_original_programs_in_either_order(video):
    about = ABOUT["videos"][video]
    frames, every = about["frames"], about["every"]
    theirs = [every * position for position in about["kept_in_order"]]
    assert central_clip(frames, sorted_by_name=True) == theirs
    ours = central_clip(frames)
    kept = range(0, frames, every)
    if len(kept) >= 32:
        first = (len(kept) - 32) // 2
        assert ours == list(kept[first : first + 32])


@given(frames=st.integers(1, 3000))
def test_a_clip_goes_forward_and_turns_only_at_the_ends_of_a_short_video(frames):
    clip = central_clip(frames)
    assert len(clip) == 32
    assert set(clip) <= set(range(0, frames, kept_every(frames)))
    steps = {after - before for before, after in pairwise(clip)}
    if frames >= 32:
        assert steps == {kept_every(frames)}
    else:
        assert steps <= {1, 0, -1}
        assert clip[: 2 * frames] == [*range(frames), *range(frames)[::-1]][:32]


def test_a_video_without_frames_has_no_clip():
    with pytest.raises(ValueError, match="without frames"):
        central_clip(0)


# Pixels


@pytest.mark.parametrize("video", ABOUT["videos"])
def test_sizes_and_crops_are_the_original_programs(video):
    about = ABOUT["videos"][video]
    width, height = about["width_height"]
    size = transforms.resized(height, width, CARD.resize)
    assert list(size[::-1]) == about["resized_width_height"]
    places = torch.arange(size[0])[:, None] * 1000 + torch.arange(size[1])
    crop = transforms.centre_crop(places, CARD.crop, CARD.half_pixels)
    assert crop[0, 0] == about["top"] * 1000 + about["left"]
    assert crop.shape == (112, 112)


@given(height=st.integers(16, 2000), width=st.integers(16, 2000))
def test_any_frame_is_large_enough_for_the_crop(height, width):
    small, large = sorted(transforms.resized(height, width, CARD.resize))
    assert small >= 112
    assert large >= 128


def test_frames_become_blue_green_red():
    frames = torch.arange(3, dtype=torch.uint8)[None, :, None, None] * 100
    clip = models.prepare(frames.expand(2, 3, 128, 171), CARD)
    assert (clip[:, 0, 0, 0] * 255).round().tolist() == [200, 100, 0]


def test_the_clip_of_a_video_equals_the_original_programs_input():
    path = MEDIA / "v_GGSY1Qvo990.mp4"
    if not path.exists():
        pytest.skip(f"the sample video {path.name} is not on this machine")
    decoders = pytest.importorskip("torchcodec.decoders")
    decoder = decoders.VideoDecoder(path, seek_mode="exact")
    with np.load(PREPROCESS / f"{path.stem}.npz") as arrays:
        theirs = dict(arrays)

    for number, name in ((0, "frame0"), (8, "frame8")):
        frame = decoder[number : number + 1].float() / 255
        pixels = transforms.resize(frame, CARD.resize)[0].flip(0) * 255
        sample = pixels.permute(1, 2, 0)[3::16, 5::16].numpy()
        assert np.abs(sample - theirs[name]).max() < 1.01

    frames = [decoder[n] for n in central_clip(len(decoder), sorted_by_name=True)]
    clip = models.prepare(torch.stack(frames), CARD)
    assert clip.shape == (3, 32, 112, 112)
    # The original program's frames went through a JPEG file.
    difference = np.abs(clip[:, ::4, 5::23, 3::23].numpy() - theirs["tensor"])
    assert difference.mean() < 2 / 255
    assert difference.max() < 20 / 255

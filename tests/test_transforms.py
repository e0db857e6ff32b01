"""From frames to the network's input: against a reference, upstream, and properties."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import models
from models import transforms
from tests.recipe import MEDIA, PARITY, relative_l2

S3D = models.card("s3d_k400_video_features")
R2PLUS1D = models.card("r2plus1d_18_k400")
CARDS = [S3D, R2PLUS1D]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def bilinear(pixels: np.ndarray, axis: int, size: int, scale: float) -> np.ndarray:
    """Resample one axis as textbooks write it: pixel centres, edges repeated."""
    at = np.maximum((np.arange(size) + 0.5) / scale - 0.5, 0)
    last = pixels.shape[axis] - 1
    low = np.minimum(np.floor(at).astype(int), last)
    share = (at - low).reshape([-1 if a == axis else 1 for a in range(pixels.ndim)])
    below, above = pixels.take(low, axis), pixels.take(np.minimum(low + 1, last), axis)
    return below * (1 - share) + above * share


@pytest.mark.parametrize(
    ("height", "width", "size", "top", "left"),
    [
        (240, 320, (224, 298), 0, 37),
        (320, 240, (298, 224), 37, 0),
        (360, 480, (224, 298), 0, 37),
        (256, 341, (224, 298), 0, 37),
        (306, 408, (224, 298), 0, 37),
        (100, 140, (224, 313), 0, 44),
    ],
)
def test_the_short_side_rule_is_bilinear_at_the_ratio_of_the_short_sides(
    height, width, size, top, left
):
    frames = noise(2, 3, height, width)
    scale = 224 / min(height, width)
    expected = frames.numpy().astype(np.float64) / 255
    expected = bilinear(bilinear(expected, 2, size[0], scale), 3, size[1], scale)
    expected = expected[:, :, top : top + 224, left : left + 224].swapaxes(0, 1)
    assert np.abs(models.prepare(frames, S3D).numpy() - expected).max() < 2e-4


def test_the_exact_rule_ignores_the_aspect_ratio():
    frames = noise(2, 3, 240, 320)
    expected = frames.numpy().astype(np.float64) / 255
    expected = bilinear(bilinear(expected, 2, 128, 128 / 240), 3, 171, 171 / 320)
    expected = expected[:, :, 8:120, 30:142].swapaxes(0, 1)
    assert np.abs(models.prepare(frames, R2PLUS1D).numpy() - expected).max() < 2e-4


sides = st.integers(64, 1500)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
@given(height=sides, width=sides)
@example(height=306, width=408)
@example(height=318, width=318)
@example(height=443, width=332)
@example(height=380, width=507)
@settings(max_examples=30, deadline=None)
def test_any_frame_becomes_a_square_in_range(card, height, width):
    frames = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    frames[..., ::2] = 255
    clip = models.prepare(frames, card)
    assert clip.shape == (3, 1, card.crop, card.crop)
    assert clip.dtype == torch.float32
    assert clip.min() >= 0
    assert clip.max() <= 1


@given(side=st.integers(64, 4320), more=st.integers(0, 100))
@example(side=306, more=0)
@example(side=332, more=7)
@settings(max_examples=50, deadline=None)
def test_the_short_side_is_exact_and_the_long_one_rounded_down(side, more):
    for shape in ((side, side + more), (side + more, side)):
        frames = torch.zeros(1, 1, *shape)
        short, long = sorted(transforms.resize(frames, S3D.resize).shape[-2:])
        assert short == 224
        assert abs(long - 224 * (side + more) / side + 0.5) <= 0.5 + 1e-9


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_constant_frames_stay_constant(card):
    for value in (0, 17, 255):
        frames = torch.full((1, 3, 97, 131), value, dtype=torch.uint8)
        torch.testing.assert_close(
            models.prepare(frames, card),
            torch.full((3, 1, card.crop, card.crop), value / 255),
        )


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_frames_do_not_depend_on_each_other_nor_on_the_batch(card):
    frames = noise(2, transforms.CHUNK + 1, 3, 70, 90)
    clips = models.prepare(frames, card)
    assert clips.shape == (2, 3, transforms.CHUNK + 1, card.crop, card.crop)
    assert torch.equal(clips[1], models.prepare(frames[1], card))
    assert torch.equal(clips[1, :, -1:], models.prepare(frames[1, -1:], card))


def test_frames_in_a_decoders_memory_order_give_the_same_clip():
    frames = noise(3, 3, 120, 160)
    packed = frames.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert not packed.is_contiguous()
    torch.testing.assert_close(
        models.prepare(packed, S3D), models.prepare(frames, S3D), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", ["s3d_k400", "i3d_rgb_k400", "x3d_s_k400"])
@given(height=sides, width=sides)
@example(height=1080, width=1920)
@example(height=255, width=255)
@settings(max_examples=10, deadline=None)
def test_a_crop_has_the_very_pixels_of_the_whole_frame(name, height, width):
    card = models.card(name)
    frames = noise(1, 3, height, width)
    whole = models.prepare(frames, card, cropped=False)
    cut = transforms.centre_crop(whole, card.crop, card.half_pixels)
    assert torch.equal(models.prepare(frames, card), cut)


def test_frames_are_left_alone():
    frames = noise(2, 3, 224, 224)
    copy = frames.clone()
    models.prepare(frames, S3D)
    assert torch.equal(frames, copy)


@pytest.mark.parametrize(
    "frames",
    [torch.zeros(2, 3, 64, 64), torch.zeros(3, 64, 64, dtype=torch.uint8)],
    ids=["float", "no time"],
)
def test_other_frames_are_refused(frames):
    with pytest.raises(ValueError, match="frames are uint8"):
        models.prepare(frames, S3D)


@pytest.mark.parametrize("name", ["i3d_flow_k400", "i3d_flow_k400_video_features"])
@pytest.mark.parametrize("size", [(256, 300), (120, 160)])
def test_flow_that_was_not_rounded_is_prepared_as_its_levels_are(name, size):
    levels = noise(3, 2, *size)
    unrounded = levels / 255
    copy = unrounded.clone()
    card = models.card(name)
    torch.testing.assert_close(
        models.prepare(unrounded, card), models.prepare(levels, card)
    )
    assert torch.equal(unrounded, copy)


@pytest.mark.parametrize(
    ("card", "golden", "video"),
    [
        (S3D, "s3d_v_GGSY1Qvo990", "v_GGSY1Qvo990_25fps_video_features.mp4"),
        (
            R2PLUS1D,
            "r21d_r2plus1d_18_16_kinetics_v_GGSY1Qvo990",
            "v_GGSY1Qvo990.mp4",
        ),
    ],
    ids=["s3d", "r2plus1d"],
)
def test_the_first_window_of_a_video_equals_the_upstream_input(card, golden, video):
    if not (MEDIA / video).exists():
        pytest.skip(f"the sample video {video} is not on this machine")
    decoders = pytest.importorskip("torchcodec.decoders")
    decoder = decoders.VideoDecoder(MEDIA / video, seek_mode="exact")
    clip = models.prepare(decoder[: card.frames], card)
    mean, std = torch.tensor([card.mean, card.std])[..., None, None, None]
    clip = (clip - mean) / std  # the upstream input is normalised
    with np.load(PARITY / "e2e_video_features" / f"{golden}.npz") as upstream:
        frame = upstream["first_stack_input_frame0"]
        means = upstream["first_stack_input_frame_means"]
    assert np.abs(clip[:, 0, ::8, ::8].numpy() - frame).max() < 1e-5
    assert relative_l2(clip.mean((2, 3)).T, means) < 1e-5

"""I3D: outputs in time, both published forms, flow, and long videos in pieces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import models
from models.chunks import Field, chunks, in_chunks
from models.i3d import I3D
from tests.recipe import Golden, clip, relative_l2

RGB = "i3d_piergiaj/rgb"


# Parity


@pytest.mark.parametrize("variant", [RGB, "i3d_piergiaj/flow"])
def test_outputs_in_time_equal_those_of_the_upstream_model(variant):
    """In short clips; the whole ones, and the vectors, are in test_models."""
    about = Golden(variant).about
    # As PyTorch 0.3 wrote checkpoints: it did not count batches.
    weights = {k: v for k, v in Golden(variant).weights.items() if "num_b" not in k}
    extractor = models.create(models.resolve(variant), checkpoint=weights)
    for case in about["more_cases"]:
        golden = Golden(variant, case)
        with torch.inference_mode():
            ours = extractor(torch.from_numpy(golden.clip())[None])
        sample = ours["map"].flatten()[:: about["strides"][case]]
        assert relative_l2(sample, golden.output("map")) < 1e-5
        for name in ("fc", "step_logits"):
            assert relative_l2(ours[name], golden.output(name)) < 1e-5


def test_a_file_of_an_old_pytorch_gives_the_same_outputs(tmp_path):
    golden = Golden(RGB, "t9")
    state = {k: torch.tensor(v) for k, v in golden.weights.items() if "num_b" not in k}
    path = tmp_path / "rgb_imagenet.pt"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    extractor = models.create("i3d_rgb_k400", checkpoint=path)
    with torch.inference_mode():
        ours = extractor(torch.from_numpy(golden.clip())[None])
    assert relative_l2(ours["features"], golden.output("features")) < 1e-5


@pytest.mark.parametrize(
    ("upstream", "name", "parameters"),
    [
        ("i3d_piergiaj/rgb", "i3d_rgb_k400", 12_697_264),
        ("i3d_piergiaj/flow", "i3d_flow_k400", 12_675_312),
        ("i3d_piergiaj/rgb_imagenet", "i3d_rgb_k400", 12_697_264),
        ("i3d_piergiaj/flow_imagenet", "i3d_flow_k400", 12_675_312),
        ("i3d_piergiaj/rgb_charades", "i3d_rgb_charades", 12_448_189),
        ("i3d_piergiaj/flow_charades", "i3d_flow_charades", 12_426_237),
        ("i3d_hassony/rgb", "i3d_rgb_k400_video_features", 12_697_264),
        ("i3d_hassony/flow", "i3d_flow_k400_video_features", 12_675_312),
    ],
)
def test_upstream_names_and_sizes(upstream, name, parameters):
    assert models.resolve(upstream) == name
    assert models.count_parameters(name) == parameters
    card = models.card(name)
    assert len(card.mean) == (2 if "flow" in name else 3)
    assert card.features["step_logits"].dim == (157 if "charades" in name else 400)


# The contract


@pytest.fixture(scope="module")
def flow() -> models.Extractor:
    return models.create("i3d_flow_charades")


def test_a_flow_model_takes_two_channels_in_their_order(flow):
    frames = torch.zeros(9, 2, 256, 300, dtype=torch.uint8)
    frames[:, 1] = 255
    prepared = models.prepare(frames, flow.card)
    assert prepared.shape == (2, 9, 224, 224)
    assert prepared[0].max() == 0
    assert prepared[1].min() == 1
    features = flow(prepared[None])
    shapes = {name: tuple(value.shape[1:]) for name, value in features.items()}
    assert shapes == {
        "features": (1024,),
        "fc": (1, 1024),
        "map": (1, 7, 7, 1024),
        "step_logits": (1, 157),
        "logits": (157,),
    }
    with pytest.raises(ValueError, match=r"takes clips \(N, 2, T, H, W\)"):
        flow(torch.zeros(1, 3, 9, 64, 64))


def test_vectors_are_means_over_time_and_space(flow):
    outputs = flow(torch.from_numpy(clip("flow", (2, 33, 64, 64)))[None])
    assert relative_l2(outputs["fc"], outputs["map"].mean(dim=(2, 3))) < 1e-6
    assert relative_l2(outputs["features"], outputs["fc"].mean(dim=1)) < 1e-6
    assert relative_l2(outputs["logits"], outputs["step_logits"].mean(dim=1)) < 1e-6


@pytest.mark.parametrize(("form", "shortest"), [("piergiaj", 9), ("hassony", 10)])
def test_there_is_a_step_for_every_eight_frames(form, shortest):
    network = I3D(5, form=form).eval()
    with torch.inference_mode():
        for frames in (1, 8, 9, 10, 17, 24, 25, 26):
            found = network(torch.zeros(1, 3, frames, 16, 16))["fc"].shape[1]
            # In the form "hassony", the last of an odd number of frames adds no step.
            counted = frames - frames % 2 if form == "hassony" else frames
            assert found == max(1, (counted - 1) // 8) == network.steps(frames)
        short = torch.rand(1, 3, 4, 16, 16)
        padded = torch.cat([short, *[short[:, :, -1:]] * (shortest - 4)], dim=2)
        assert torch.equal(network(short)["fc"], network(padded)["fc"])


# Long videos


@given(
    frames=st.integers(1, 20_000),
    size=st.integers(1, 300),
    field=st.builds(
        Field, st.integers(1, 40), st.integers(0, 200), st.integers(0, 200)
    ),
)
@settings(max_examples=200, deadline=None)
def test_pieces_hold_all_that_their_steps_see(frames, size, field):
    steps = max(1, (frames - 1) // field.stride)
    kept = []
    for chunk in chunks(frames, steps, size, field):
        first = chunk.start // field.stride
        mine = range(first + chunk.keep.start, first + chunk.keep.stop)
        kept.extend(mine)
        assert len(mine) <= size
        assert 0 <= chunk.start < chunk.stop <= frames
        assert chunk.start % field.stride == 0
        assert (chunk.stop - chunk.start - frames) % field.stride == 0
        assert chunk.start <= max(0, mine[0] * field.stride - field.before)
        assert chunk.stop > min(frames - 1, mine[-1] * field.stride + field.after)
        seen = len(mine) * field.stride + field.before + field.after
        assert chunk.stop - chunk.start <= seen + field.stride
    assert kept == list(range(steps))


@pytest.mark.parametrize(
    ("name", "frames", "size", "dtype", "tolerance"),
    [
        # A minute at 25 fps; rounding alone gives 7e-7.
        ("i3d_rgb_k400", 1501, 64, torch.float32, 2e-6),
        ("i3d_rgb_k400", 5, 64, torch.float32, 2e-6),
        # Where rounding hides nothing.
        ("i3d_rgb_k400", 150, 9, torch.float64, 1e-12),
        ("i3d_rgb_k400_video_features", 155, 9, torch.float64, 1e-12),
    ],
)
def test_a_long_video_in_pieces_equals_one_pass(name, frames, size, dtype, tolerance):
    extractor = models.create(name).to(dtype)
    random = torch.Generator().manual_seed(0)
    video = torch.rand(3, frames, 16, 16, generator=random)
    lengths = []

    def read(start, stop):
        lengths.append(stop - start)
        return video[:, start:stop]

    with torch.inference_mode():
        whole = extractor(video[None])
        pieces = list(in_chunks(extractor, read, frames, size))
    assert len(pieces) == len(lengths) == max(1, -(-whole["fc"].shape[1] // size))
    assert max(lengths) <= size * 8 + 107 + 16
    assert pieces[0].keys() == {"fc", "map", "step_logits"}
    for key in pieces[0]:
        joined = torch.cat([piece[key] for piece in pieces])
        assert relative_l2(joined, whole[key][0]) < tolerance


def test_a_model_without_steps_is_not_taken_in_pieces():
    extractor = models.create("r2plus1d_18_k400")
    with pytest.raises(ValueError, match="r2plus1d_18_k400 has no features in time"):
        next(in_chunks(extractor, lambda start, stop: None, 100))


# Preparation as in video_features


@pytest.mark.parametrize(("height", "width"), [(240, 320), (360, 203), (256, 300)])
def test_frames_are_resized_as_pillow_does_it(height, width):
    card = models.card("i3d_rgb_k400_video_features")
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    frames = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    scale = 256 / min(height, width)
    size = (int(width * scale), 256) if width > height else (256, int(height * scale))
    theirs = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    left, top = ((side - 224) // 2 for side in size)
    theirs = theirs[top : top + 224, left : left + 224].transpose(2, 0, 1)
    ours = models.prepare(frames, card)[:, 0].numpy() * 255
    assert np.abs(ours - theirs).max() < 1.01
    assert np.abs(ours - theirs).mean() < 0.2

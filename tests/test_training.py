"""The parts of training: frames, regions, rates, losses, and networks that learn."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import models
from models.transforms import resized
from scripts.common.training import losses, tuning
from scripts.common.training.augmentation import Crop, Region, clip_of, seen_at
from scripts.common.training.batches import Plan
from scripts.common.training.losses import Metrics, Target, loss_of, scores
from scripts.common.training.sampling import FrameRule
from scripts.common.training.schedule import Plateau, factor
from scripts.common.training.videos import TrainingError, Video
from tests.trainings import TAM, TSN

RNG = np.random.default_rng


# Frames


@pytest.mark.parametrize("count", [1, 3, 8, 61])
@pytest.mark.parametrize("sampling", ["dense", "uniform"])
def test_a_clip_has_its_frames_in_order_from_within_the_video(count, sampling):
    rule = FrameRule(8, 2, sampling)
    clips = [rule.drawn(count, RNG(seed)) for seed in range(50)] + [rule.central(count)]
    for clip in clips:
        assert len(clip) == 8
        assert clip == sorted(clip)
        assert 0 <= clip[0] <= clip[-1] < count


def test_every_start_and_every_frame_of_a_part_is_drawn():
    dense, uniform = FrameRule(4, 2, "dense"), FrameRule(4, 1, "uniform")
    starts = {dense.drawn(10, RNG(seed))[0] for seed in range(200)}
    assert starts == {0, 1, 2, 3}
    assert dense.central(10) == [1, 3, 5, 7]
    drawn = np.array([uniform.drawn(12, RNG(seed)) for seed in range(200)])
    parts = [set(column) for column in drawn.T]
    assert parts == [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {9, 10, 11}]
    assert uniform.central(12) == [1, 4, 7, 10]


# Regions


@pytest.mark.parametrize("name", ["r2plus1d_18_k400", "s3d_k400", TSN])
def test_a_central_region_is_what_judging_sees(name):
    card = seen_at(models.card(name), 16, 64)
    assert card.crop == 64
    # A smooth picture: other filters at the borders do not show.
    line = torch.linspace(0, 255, 340)
    frames = line.expand(16, 3, 256, 340).to(torch.uint8)
    region = Crop("centre", (1, 1), False).drawn(256, 340, card, RNG(0))
    clip = clip_of(region.cut(frames), False, card)
    assert clip.shape == (3, 16, 64, 64)
    torch.testing.assert_close(clip, models.prepare(frames, card), atol=0.02, rtol=0)


@pytest.mark.parametrize("kind", ["random", "multi_scale"])
def test_regions_are_inside_and_of_the_sizes_that_are_asked_for(kind):
    card = seen_at(models.card(TSN), None, None)
    crop = Crop(kind, (1.0, 1.25), True)
    regions = [crop.drawn(240, 320, card, RNG(seed)) for seed in range(400)]
    for region in regions:
        assert 0 <= region.top <= 240 - region.height
        assert 0 <= region.left <= 320 - region.width
    assert {region.mirrored for region in regions} == {True, False}
    tall, _ = resized(240, 320, card.resize)
    sides = {region.height for region in regions}
    if kind == "random":
        assert math.isclose(max(sides), 240 * 224 / tall, abs_tol=1)
        assert math.isclose(min(sides), 240 * 224 / tall / 1.25, abs_tol=1)
    else:
        assert sides == {240, 210, 180, 158}
        pairs = {(region.height, region.width) for region in regions}
        assert len(pairs) == 10  # equal, or next to each other


def test_mirrored_clips_are_mirrored_and_colours_in_the_cards_order():
    frames = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    frames[:, 0, :, :16] = 255  # red on the left
    card = seen_at(models.card("c3d_ucf101_leftthomas"), 8, 32)
    assert card.colour == "BGR"
    clip = clip_of(Region(0, 0, 32, 32).cut(frames), True, card)
    assert clip[2, :, :, 20:].min() == 1
    assert clip.sum() == clip[2].sum()


# Batches


def test_devices_and_parts_divide_each_batch_and_an_interruption_changes_nothing():
    plan = Plan(videos=22, batch_size=8, parts=2, seed=3)
    assert plan.steps == 2
    alone = list(Plan(22, 8, 1, 3).batches(range(3), 0, 0, 1))
    shares = [list(plan.batches(range(3), 0, rank, 2)) for rank in (0, 1)]
    for number, batch in enumerate(alone):
        parts = [share[2 * number + part] for share in shares for part in (0, 1)]
        assert sorted(place for part in parts for place in part) == sorted(batch)
        assert len({video for _, video in batch}) == 8
    assert alone[0] != alone[2]
    assert list(Plan(22, 8, 1, 3).batches(range(1, 3), 1, 0, 1)) == alone[3:]


def test_few_videos_fill_a_batch_by_repeating():
    (batch,) = Plan(3, 8, 1, 0).batches(range(1), 0, 0, 1)
    assert len(batch) == 8
    assert {video for _, video in batch} == {0, 1, 2}


# The learning rate


def schedule(name, **own):
    fixed = {"warmup": 0, "period": 2, "milestones": [2, 5], "gamma": 0.1}
    return {"name": name, "patience": 1, **fixed, **own}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1, 1]),
        ("step", [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("multistep", [1, 1, 0.1, 0.1, 0.1, 0.01]),
        ("cosine", [(1 + math.cos(math.pi * n / 6)) / 2 for n in range(6)]),
    ],
)
def test_schedules(name, expected):
    found = [factor(schedule(name), epoch, 6) for epoch in range(6)]
    assert found == pytest.approx(expected)


def test_a_warm_up_grows_evenly():
    warm = schedule("constant", warmup=2)
    found = [factor(warm, epoch, 6) for epoch in (0, 1, 2, 3)]
    assert found == pytest.approx([0.01, 0.505, 1, 1])


def test_a_plateau_lowers_the_rate_after_its_patience():
    plateau, falls = Plateau(), []
    for loss in (3, 2, 2, 2.5, 1, 1, 1):
        plateau.see(loss, schedule("plateau"))
        falls.append(plateau.factor)
    assert falls == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])


# Losses and figures


def test_events_are_true_in_their_own_seconds():
    video = Video("a", "a.mp4", (0,), ((0.0, 1.0, 0), (0.5, math.inf, 2)))
    found = Target("per_frame", 3).of(video, [0, 1, 2, 3], fps=2.0)
    assert found.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]]
    assert Target("bce", 3).of(video, [0], 1.0).tolist() == [1, 0, 0]


def test_the_loss_of_frames_is_that_of_each_and_of_the_whole_clip():
    logits = torch.tensor([[[2.0, -1.0], [0.0, 0.0]]])
    targets = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    each = torch.tensor([2.0, 1.0, 0.0, 0.0]).neg().exp().log1p()
    whole = torch.tensor([2.0, 0.0]).neg().exp().log1p()
    expected = (each.mean() + whole.mean()) / 2
    torch.testing.assert_close(loss_of("per_frame", logits, targets), expected)


def test_steps_are_stretched_to_the_frames_of_the_clip():
    card = models.card("i3d_rgb_charades")
    outputs = {"step_logits": torch.rand(2, 3, 157), "logits": torch.rand(2, 157)}
    assert scores(outputs, "per_frame", card, 24).shape == (2, 157, 24)
    with pytest.raises(TrainingError, match="s3d_k400 gives no logits for each step"):
        losses.step_logits(models.card("s3d_k400"))


def test_figures_are_counted_over_batches():
    metrics = Metrics("cross_entropy", 3, torch.device("cpu"))
    logits = torch.tensor([[9.0, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]])
    metrics.add(logits[:3], torch.tensor([0, 1, 1]))
    metrics.add(logits[3:], torch.tensor([0]))
    result = metrics.result()
    assert result["top1"] == 75
    assert result["mean_class"] == pytest.approx(75)
    many = Metrics("bce", 3, torch.device("cpu"))
    targets = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    many.add(torch.tensor([[2.0, 1, 0], [1, 2, 0]]), targets)
    assert many.result()["map"] == 100  # the class that is never true does not count


# Networks


FAMILIES = {
    card.network: card.name
    for card in map(models.card, sorted(models.names(), reverse=True))
    if card.colour != "flow" and "101" not in card.name and "_l_" not in card.name
}


@pytest.mark.parametrize("name", FAMILIES.values(), ids=FAMILIES)
def test_every_network_learns_with_all_that_it_has(name):
    frames = max(models.card(name).min_frames, 8)
    extractor = models.create(name, classes=("a", "b", "c"))
    card = seen_at(extractor.card, frames, 64)
    optimizer = tuning.learning(
        extractor,
        {"name": "sgd", "lr": 1e-3, "momentum": 0.9, "nesterov": False}
        | {"weight_decay": 1e-4, "decay_norms": False, "head_lr": 10},
        "none",
    )
    tuning.set_training(extractor, "none")
    torch.manual_seed(0)
    clips = torch.rand(2, 3, frames, card.crop, card.crop)
    logits = extractor(clips)["logits"]
    loss_of("cross_entropy", logits, torch.tensor([0, 2])).backward()
    for key, parameter in extractor.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    before = {k: v.detach().clone() for k, v in extractor.named_parameters()}
    optimizer.step()
    moved = [not torch.equal(v, before[k]) for k, v in extractor.named_parameters()]
    assert sum(moved) > 0.9 * len(moved)


def test_dropout_comes_before_the_head():
    extractor = models.create(TAM)
    tuning.set_dropout(extractor, 0.25)
    fc, seen = extractor.network.fc, []
    fc.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    tuning.set_training(extractor, "none")
    fc(torch.ones(1, 1, 512))
    assert 0.1 < (seen[0] == 0).float().mean() < 0.4
    extractor.eval()
    fc(torch.ones(1, 1, 512))
    assert (seen[1] == 1).all()


def test_dropouts_that_a_network_has_get_the_chance():
    extractor = models.create("c3d_ucf101_leftthomas")
    tuning.set_dropout(extractor, 0.25)
    own = [m.p for m in extractor.modules() if isinstance(m, nn.Dropout)]
    assert own == [0.25, 0.25]


@pytest.mark.parametrize(("frozen", "learn"), [("all", 0), ("all_but_first", 1)])
def test_frozen_norms_keep_their_statistics_and_do_not_learn(frozen, learn):
    extractor = models.create(TSN)
    options = {"name": "adam", "lr": 1e-3, "weight_decay": 0, "decay_norms": True}
    optimizer = tuning.learning(extractor, options | {"head_lr": 1}, frozen)
    tuning.set_training(extractor, frozen)
    norms = [m for m in extractor.modules() if isinstance(m, nn.BatchNorm3d)]
    assert [norm.training for norm in norms] == learn * [True] + (20 - learn) * [False]
    learning = {id(p) for group in optimizer.param_groups for p in group["params"]}
    found = [id(norm.weight) in learning for norm in norms]
    assert found == [norm.training for norm in norms]


def test_the_head_may_learn_faster_and_norms_not_decay():
    extractor = models.create(TSN)
    options = {"name": "adamw", "lr": 1.0, "weight_decay": 0.1, "decay_norms": False}
    optimizer = tuning.learning(extractor, options | {"head_lr": 10}, "none")
    tuning.set_rate(optimizer, 0.5)
    head = extractor.network.fc
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            in_head = parameter is head.weight or parameter is head.bias
            assert group["lr"] == (5 if in_head else 0.5)
            assert group["weight_decay"] == (0.1 if parameter.dim() > 1 else 0)

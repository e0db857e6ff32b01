"""The zoo: parity with the upstream networks, the contract, the registry, the cards."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models import __main__, cards, checkpoints, fetching, listing, networks, zoo
from tests.recipe import Golden, clip, goldens, relative_l2

S3D = Golden("s3d_kylemin/s3d_kylemin", "t16")
R2PLUS1D = Golden("r21d/r2plus1d_18_16_kinetics", "t8")
SHORT = [S3D, R2PLUS1D]


@lru_cache(maxsize=3)
def with_recipe_weights(variant: str) -> models.Extractor:
    name = models.resolve(variant)
    return models.create(name, checkpoint=Golden(variant).weights)


def outputs(extractor: models.Extractor, golden: Golden) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        return extractor(torch.from_numpy(golden.clip())[None])


# Parity


@pytest.mark.parametrize("golden", goldens(), ids=str)
def test_outputs_equal_those_of_the_upstream_model(golden):
    ours = outputs(with_recipe_weights(golden.variant), golden)
    for name in ("features", "logits"):
        assert relative_l2(ours[name], golden.output(name)) < 1e-5


@pytest.mark.parametrize("variant", sorted({golden.variant for golden in goldens()}))
def test_keys_shapes_and_parameters_are_those_of_the_published_checkpoint(variant):
    golden = Golden(variant)
    state = with_recipe_weights(variant).network.state_dict()
    shapes = {key: list(value.shape) for key, value in state.items()}
    assert shapes == golden.about["state_dict"]
    name = models.resolve(variant)
    assert models.count_parameters(name) == golden.about["params"]


@pytest.mark.parametrize("golden", SHORT, ids=str)
@pytest.mark.parametrize("nest", [None, "state_dict", "model_state"])
def test_a_file_in_a_published_layout_gives_the_same_outputs(golden, nest, tmp_path):
    state = {f"module.{k}": torch.tensor(v) for k, v in golden.weights.items()}
    path = tmp_path / "published.pt"
    torch.save({nest: state, "epoch": 7} if nest else state, path)
    extractor = models.create(models.resolve(golden.variant), checkpoint=path)
    assert extractor.checkpoint == fetching.sha256(path)
    ours = outputs(extractor, golden)
    for name in ("features", "logits"):
        assert relative_l2(ours[name], golden.output(name)) < 1e-5


@pytest.mark.parametrize("golden", SHORT, ids=str)
def test_channels_last_gives_the_same_outputs(golden):
    name = models.resolve(golden.variant)
    extractor = models.create(name, checkpoint=golden.weights)
    extractor = extractor.to(memory_format=torch.channels_last_3d)
    ours = outputs(extractor, golden)
    for name in ("features", "logits"):
        assert relative_l2(ours[name], golden.output(name)) < 1e-5


# The contract of an extractor


# One variant of each network: a family can have hundreds.
NETWORKS = {models.card(name).network: name for name in models.names()}


@pytest.fixture(scope="module", params=NETWORKS.values())
def extractor(request) -> models.Extractor:
    return models.create(request.param)


def random_clips(extractor, clips=2, frames=None, size=64) -> torch.Tensor:
    frames = frames or extractor.card.min_frames
    shape = (len(extractor.card.mean), frames, size, size)
    arrays = [clip(f"clip {n}", shape) for n in range(clips)]
    return torch.from_numpy(np.stack(arrays))


def test_an_extractor_returns_what_its_card_says(extractor):
    card = extractor.card
    found = extractor(random_clips(extractor, clips=2))
    assert set(found) == set(card.features)
    for name, feature in card.features.items():
        assert (len(found[name]), found[name].shape[-1]) == (2, feature.dim)
        assert found[name].dim() == 2 + len(feature.axes)
    if card.classes == "kinetics400":
        assert card.features["logits"].dim == len(models.class_names(card.classes))


def test_an_extractor_is_frozen_and_in_evaluation_mode(extractor):
    assert not any(module.training for module in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())
    clips = random_clips(extractor)
    before = {key: value.clone() for key, value in extractor.state_dict().items()}
    assert not extractor(clips)["features"].requires_grad
    for key, value in extractor.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_a_clips_features_do_not_depend_on_its_batch(extractor):
    clips = random_clips(extractor, clips=3)
    together = extractor(clips)["features"]
    alone = torch.cat([extractor(clip[None])["features"] for clip in clips])
    assert relative_l2(together, alone) < 1e-5


def test_an_extractor_leaves_its_input_alone(extractor):
    clips = random_clips(extractor, clips=1)
    copy = clips.clone()
    extractor(clips)
    assert torch.equal(clips, copy)


def test_the_shortest_clip_passes_and_a_shorter_one_is_named(extractor):
    shortest = extractor.card.min_frames
    clips = random_clips(extractor, frames=shortest)
    assert extractor(clips)["features"].isfinite().all()
    with pytest.raises(ValueError, match=f"needs {shortest} frames or more"):
        extractor(clips[:, :, : shortest - 1])


def test_clips_of_another_shape_or_dtype_are_refused(extractor):
    clips = random_clips(extractor)
    with pytest.raises(ValueError, match=r"takes clips \(N, 3, T, H, W\)"):
        extractor(clips[0])
    with pytest.raises(ValueError, match=r"takes clips \(N, 3, T, H, W\)"):
        extractor(clips.transpose(1, 2))
    with pytest.raises(ValueError, match=r"not torch.uint8"):
        extractor(clips.to(torch.uint8))


def test_normalisation_is_the_cards():
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, clips):
            seen.append(clips)
            return {}

    for name in models.names():
        card = models.card(name)
        frames = card.min_frames * card.consecutive
        clips = torch.rand(1, len(card.mean), frames, 4, 4)
        models.Extractor(card, Spy(), "spy")(clips)
        mean, std = torch.tensor([card.mean, card.std])[..., None, None, None]
        expected = zoo.folded((clips - mean) / std, card.consecutive)
        assert relative_l2(seen[-1], expected) < 1e-6


def test_half_precision_weights_take_float_clips():
    extractor = models.create("s3d_k400").to(torch.bfloat16)
    clips = random_clips(extractor)
    exact = models.create("s3d_k400")(clips)["features"]
    half = extractor(clips)["features"]
    assert half.dtype == torch.bfloat16
    assert relative_l2(half.float(), exact) < 0.05


# Random weights


def test_random_weights_follow_from_the_seed(extractor):
    name = extractor.card.name
    clips = random_clips(extractor)
    first = extractor(clips)["features"]
    assert extractor.checkpoint == "random-seed-0"
    assert torch.equal(models.create(name)(clips)["features"], first)
    other = models.create(name, seed=1)
    assert other.checkpoint == "random-seed-1"
    assert relative_l2(other(clips)["features"], first) > 0.1


def test_random_weights_tell_clips_apart(extractor):
    for name, value in extractor(random_clips(extractor)).items():
        assert 1e-3 < value.std() < 1e3, name
        assert relative_l2(value[0], value[1]) > 0.01, name


@pytest.mark.parametrize("checkpoint", [None, S3D.weights], ids=["random", "mapping"])
def test_creating_a_model_leaves_the_global_generator_alone(checkpoint):
    torch.manual_seed(123)
    expected = torch.rand(4)
    torch.manual_seed(123)
    models.create("s3d_k400", checkpoint=checkpoint)
    assert torch.equal(torch.rand(4), expected)


# Weights that do not fit


def test_a_mapping_is_named_as_the_origin():
    assert with_recipe_weights(S3D.variant).checkpoint == "mapping"


def test_missing_unexpected_and_misshapen_weights_are_all_named():
    weights = dict(S3D.weights)
    weights["fc.0.extra"] = weights.pop("base.0.conv_s.weight")
    weights["fc.0.bias"] = np.zeros(7, np.float32)
    with pytest.raises(checkpoints.CheckpointError) as caught:
        models.create("s3d_k400", checkpoint=weights)
    message = str(caught.value)
    assert "base.0.conv_s.weight missing" in message
    assert "fc.0.extra unexpected" in message
    assert "fc.0.bias (7,), not (400,) of another shape" in message


def test_the_checkpoint_of_another_network_gives_a_short_error():
    with pytest.raises(checkpoints.CheckpointError, match=r"and \d+ more") as caught:
        models.create("s3d_k400", checkpoint=R2PLUS1D.weights)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", sorted(NETWORKS.values()))
def test_weights_of_another_network_are_recognised(name):
    other = "x3d_xs_k400" if name.startswith("s3d") else "s3d_k400"
    with torch.device("meta"):
        state = networks.build(models.card(name)).state_dict()
        network = networks.build(models.card(other))
    with pytest.raises(checkpoints.CheckpointError, match="looks like") as caught:
        checkpoints.load_strict(network, state)
    (example,) = re.findall(r"looks like .*\((\w+)\)", str(caught.value))
    assert models.card(example).network == models.card(name).network


def test_weights_of_the_same_network_look_like_nothing_else():
    short = dict(S3D.weights)
    del short["fc.0.bias"]
    with pytest.raises(checkpoints.CheckpointError) as caught:
        models.create("s3d_k400", checkpoint=short)
    assert "looks like" not in str(caught.value)


def test_only_the_batch_counters_may_be_missing():
    old = {k: v for k, v in S3D.weights.items() if "num_batches_tracked" not in k}
    extractor = models.create("s3d_k400", checkpoint=old)
    assert relative_l2(outputs(extractor, S3D)["logits"], S3D.output("logits")) < 1e-5
    del old["base.0.bn_s.running_mean"]
    with pytest.raises(checkpoints.CheckpointError, match="running_mean missing"):
        models.create("s3d_k400", checkpoint=old)


# Names


def test_names_are_sorted_and_unique():
    assert models.names() == sorted(set(models.names()))
    assert {"r2plus1d_18_k400", "s3d_k400"} < set(models.names())


@pytest.mark.parametrize("golden", sorted({g.variant for g in goldens()}))
def test_upstream_names_resolve(golden):
    assert models.resolve(golden) in models.names()


def test_the_two_scalings_of_s3d_are_two_variants():
    author = models.resolve("s3d_kylemin/s3d_kylemin")
    program = models.resolve("s3d_kylemin/s3d_video_features")
    assert (author, program) == ("s3d_k400", "s3d_k400_video_features")


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        ("pyslowfast/MViTv2-S 16x4", "mvitv2_s_16x4_k400"),
        ("pyslowfast/rev-MViT", "rev_mvit_b_16x4_k400"),
        ("pyslowfast/SlowFast 16x8 R50 (Charades)", "slowfast_16x8_r50_charades"),
        ("pyslowfast/X3D_M__native__nlscaled", "x3d_m_k400"),
        ("SLOWFAST_32x2_R101_50_50", "slowfast_8x8_r101_ava"),
        ("r2plus1d_c3d/HMDB51 C3D", "c3d_hmdb51_leftthomas"),
    ],
)
def test_the_spelling_of_an_upstream_name_does_not_matter(upstream, name):
    assert models.resolve(upstream) == name


def test_a_short_name_that_two_upstreams_share_is_unknown():
    assert models.resolve("i3d_hassony/RGB") != models.resolve("i3d_piergiaj/RGB")
    with pytest.raises(models.UnknownModel):
        models.resolve("rgb")


def test_a_name_resolves_to_itself():
    assert [models.resolve(name) for name in models.names()] == models.names()


@pytest.mark.parametrize("function", [models.card, models.create, models.resolve])
def test_an_unknown_name_is_answered_with_the_nearest(function):
    with pytest.raises(KeyError) as caught:
        function("s3dd_k400")
    assert isinstance(caught.value, models.UnknownModel)
    message = "'s3dd_k400' is not in the zoo; did you mean 's3d_k400'?"
    assert str(caught.value) == message


def test_a_name_like_no_other_is_answered_with_where_the_names_are():
    with pytest.raises(models.UnknownModel, match="`python -m models` lists it"):
        models.card("qqqqqqqq")
    with pytest.raises(models.UnknownModel, match="`python -m models i3d` lists those"):
        models.card("i3d")


@pytest.mark.parametrize("taken", ["s3d_k400", "s3d_kylemin/s3d_kylemin"])
def test_a_taken_name_or_alias_is_an_error(taken):
    new = replace(models.card("s3d_k400"), name="new", aliases=(taken,))
    with pytest.raises(ValueError, match="in the zoo already"):
        cards.register([models.card("s3d_k400"), new])


def test_names_and_cards_need_no_torch():
    code = (
        "import models, sys; models.card('s3d_k400'); sys.exit('torch' in sys.modules)"
    )
    root = Path(models.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


# Cards

S3D_CARD = models.card("s3d_k400")


@pytest.mark.parametrize("name", models.names())
def test_a_card_is_json_and_says_everything(name):
    card = models.card(name)
    record = card.as_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["name"] == name
    assert record["features"]["features"]["dim"] == card.features["features"].dim
    assert record["checkpoint"]["urls"] == list(card.checkpoint.urls)


def test_the_figures_of_the_cards():
    def figures(name):
        card = models.card(name)
        rule = card.resize.short or card.resize.exact
        return card.frames, card.stride, card.fps, rule, card.crop, card.min_frames

    assert figures("s3d_k400") == (64, 1, 25, 224, 224, 13)
    assert figures("s3d_k400_video_features") == (64, 1, 25, 224, 224, 13)
    assert figures("r2plus1d_18_k400") == (16, 1, None, (128, 171), 112, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "S3D K400"}, "use a-z"),
        ({"aliases": ("a", "a")}, "stands twice"),
        ({"frames": 0}, "frames and stride"),
        ({"stride": 0}, "frames and stride"),
        ({"min_frames": 65}, "min_frames"),
        ({"fps": 0}, "fps"),
        ({"crop": 225}, "crop fits"),
        ({"mean": (0.5,)}, "per channel"),
        ({"std": (0.5, 0.0, 0.5)}, "std is positive"),
        ({"colour": "GBR"}, "colour"),
        ({"colour": "flow"}, "takes flow says which"),
        ({"consecutive": 0}, "consecutive"),
        ({"half_pixels": "odd"}, "half_pixels"),
        ({"features": {"logits": S3D_CARD.features["logits"]}}, "no 'features'"),
        ({"features": {"features": S3D_CARD.features["features"]}}, "no 'logits'"),
        ({"published": {"top-1": 101}}, "percentage"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_card_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(S3D_CARD, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"urls": ("ftp://host/file",)},
        {"page": "nowhere"},
        {"file": "../file.pt"},
        {"sha256": "XYZ"},
        {"sha256": "91a6"},
    ],
    ids=str,
)
def test_a_wrong_checkpoint_entry_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not a"):
        replace(S3D_CARD.checkpoint, **wrong)


def test_a_wrong_resize_or_feature_is_refused():
    for wrong in ({}, {"short": 224, "exact": (128, 171)}):
        with pytest.raises(ValueError, match="short or exact"):
            models.Resize(**wrong)
    with pytest.raises(ValueError, match="no filter 'cubic'"):
        models.Resize(short=224, filter="cubic")
    with pytest.raises(ValueError, match="0 numbers"):
        models.Feature(0, "nothing")
    with pytest.raises(ValueError, match="axes are 'time' or numbers"):
        models.Feature(1024, "steps", axes=("steps",))


def test_class_names_are_the_400_of_kinetics():
    names = models.class_names("kinetics400")
    assert len(names) == len(set(names)) == 400
    assert (names[0], names[-1]) == ("abseiling", "zumba")
    with pytest.raises(KeyError, match="kinetics400"):
        models.class_names("kinetics700")


# The command line


def command(*arguments) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "models", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_the_command_lists_the_zoo():
    lines = command().stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *models.names()]
    s3d = next(" ".join(line.split()) for line in lines if "s3d_k400 " in line)
    assert s3d == "s3d_k400 64 1 25 224 1024 yes 72.1 % top-1"


def test_the_command_lists_what_is_called_by_all_words(capsys):
    __main__.main(["SSv2", "tsm"])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines
    assert all("tsm" in line and "ssv2" in line for line in lines)
    __main__.main(["x3d", "--json"])
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == [n for n in models.names() if "x3d" in n]
    # Upstream names and class lists count too.
    __main__.main(["ig65m"])
    assert capsys.readouterr().out.count("r2plus1d_34") == 2
    __main__.main(["ibm", "--published"])
    assert len(capsys.readouterr().out.splitlines()) == 1 + 8
    __main__.main(["pyslowfast", "charades"])
    assert "slowfast_16x8_r50_charades" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        __main__.main(["tsm", "nothing"])
    assert (
        capsys.readouterr().err == "error: no variant is called 'tsm' and 'nothing'\n"
    )


def test_the_command_checks_a_file(tmp_path, capsys):
    state = models.create("s3d_k400").network.state_dict()
    torch.save({"state_dict": state}, tmp_path / "good.pt")
    __main__.main(["check", "s3d_kylemin/s3d_kylemin", str(tmp_path / "good.pt")])
    assert "fits s3d_k400" in capsys.readouterr().out
    state.popitem()
    torch.save(state, tmp_path / "short.pt")
    for file, message in {
        "short.pt": "does not fit",
        "none.pt": "No such file",
        "": "Is a directory",
    }.items():
        with pytest.raises(SystemExit, match=message):
            __main__.main(["check", "s3d_k400", str(tmp_path / file)])


def test_the_command_shows_a_card_by_any_of_its_names(capsys):
    __main__.main(["s3d_kylemin/s3d_kylemin", "--json"])
    shown = json.loads(capsys.readouterr().out)
    counts = {"parameters": shown.pop("parameters"), "macs": shown.pop("macs")}
    assert shown.pop("protocol")["clips"] == 1
    assert shown == models.card("s3d_k400").as_dict()
    # 8.32 million of its 400 classes; convolutions alone, also as its head.
    assert counts["parameters"] == 8_320_048
    assert counts["macs"] == {"convolutions": 71_913_857_024, "matrix products": 0}


@pytest.mark.parametrize("name", sorted(NETWORKS.values()))
def test_a_variant_is_described_in_lines_that_fit(name):
    card = models.card(name)
    text = listing.described(card, 8_320_048, {"convolutions": 71_913_857_024}, 72)
    assert text.startswith(f"{name}\n")
    for words in (*card.features, card.classes, card.paper, *card.checkpoint.urls):
        assert words in text
    assert "8.32 million" in text
    assert "71.9 billion" in text
    assert all(len(line) <= 72 or "http" in line for line in text.splitlines())


def test_the_command_answers_a_wrong_name_in_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        __main__.main(["s3dd_k400"])
    found = capsys.readouterr().err
    assert found == "error: 's3dd_k400' is not in the zoo; did you mean 's3d_k400'?\n"

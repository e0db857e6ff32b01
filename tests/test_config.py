from pathlib import Path

import pytest
import yaml

from scripts.common import preflight
from scripts.common.config import ConfigError, resolve
from scripts.common.config.__main__ import reference
from scripts.common.config.names import OF_CLIPS, OF_EITHER, OF_FRAMES
from scripts.common.config.needs import set_of_splits
from scripts.common.config.schema import SCHEMA, load_schema
from scripts.common.lists import FORMATS

ROOT = SCHEMA.parents[2]


def minimal(**more) -> dict:
    return {"datasets": {"mine": {"source": {"folder": "videos"}}}} | more


def mistakes(config: dict) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    return str(caught.value).splitlines()


def test_ten_lines_are_enough():
    config = resolve(minimal(models={"s3d_k400": {}}))
    assert config["datasets"]["mine"]["labels"] == "folder"
    assert config["datasets"]["mine"]["splits"] == {"default": "annotations"}
    assert config["encodings"]["default"]["fps"] == 25
    assert config["encodings"]["original"]["short_side"] is None
    assert config["models"]["s3d_k400"]["model"] == "s3d_k400"
    assert config["models"]["s3d_k400"]["tail"] == "drop"


def test_a_model_may_have_its_upstream_name_and_need_not_be_listed():
    upstream = {"model": "TSM_kinetics_RGB_resnet50_shift8_blockres_avg_segment8_e50"}
    other = {"model": "ibm_k400_resnet_18_f12"}
    found = resolve(minimal(models={"one": upstream, "two": other}))["models"]
    assert found["one"]["model"] == "tsm_resnet50_k400_8seg"
    assert found["two"]["model"] == "ibm_k400_resnet_18_f12"


def test_what_is_given_wins_over_the_default_and_the_rest_is_filled_in():
    config = minimal(encodings={"default": {"fps": 12}, "big": {"crf": 10}})
    encodings = resolve(config)["encodings"]
    assert encodings["default"] | {"fps": 25} == encodings["big"] | {"crf": 18}
    assert encodings["default"]["fps"] == 12
    assert "original" in encodings
    assert "original" not in config["encodings"], "the given config was changed"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"trainings": {"a": {"model": "s3d_k400", "checkpoint": "imagenet"}}},
            "trainings.a.checkpoint: s3d_k400 has no 2D network to inflate; IBM's"
            " networks, TSN and TSM, and PySlowFast's ResNets have",
        ),
        (
            {"trainings": {"i3d_flow_k400": {}}},
            "trainings.i3d_flow_k400.model: i3d_flow_k400 takes flow, and training has"
            " pictures",
        ),
        (
            {"trainings": {"s3d_k400": {"batch_size": 6, "devices": 4}}},
            "trainings.s3d_k400.batch_size: 6 cannot be divided among 4 devices, and"
            " `accumulate: 1`",
        ),
        (
            {"trainings": {"s3d_k400": {"datasets": ["mein"]}}},
            "trainings.s3d_k400.datasets: 'mein' is not a dataset; did you mean"
            " 'mine'?",
        ),
        (
            {"trainings": {"s3d_k400": {"frames": 8}}},
            "trainings.s3d_k400.frames: s3d_k400 needs 13 frames or more",
        ),
        (
            {"trainings": {"s3d_k400": {"splits": "first"}}},
            "trainings.s3d_k400.splits: 'first' is not a set of splits of 'mine'"
            " (there are: default)",
        ),
        (
            {"modles": {}},
            "configuration: there is no key 'modles'; did you mean 'models'?",
        ),
        (
            {"models": {"s3dd_k400": {}}},
            "models.s3dd_k400.model: 's3dd_k400' is not in the zoo;"
            " did you mean 's3d_k400'?",
        ),
        (
            {"models": {"s3d_k400": {"encoding": "defualt"}}},
            "models.s3d_k400.encoding: 'defualt' is not an encoding;"
            " did you mean 'default'?",
        ),
        (
            {"models": {"s3d_k400": {"stack": "64"}}},
            "models.s3d_k400.stack: '64' is neither a whole number nor 'video'",
        ),
        (
            {"models": {"s3d_k400": {"tail": "pda"}}},
            "models.s3d_k400.tail: 'pda' is not one of 'drop', 'pad', 'last';"
            " did you mean 'pad'?",
        ),
        (
            {"models": {"s3d_k400": {"features": ["fc"]}}},
            "models.s3d_k400.features: 'fc' is not a feature of it"
            " (there are: features, logits)",
        ),
        (
            {"models": {"s3d_k400": {"stack": 12}}},
            "models.s3d_k400.stack: s3d_k400 needs 13 frames or more",
        ),
        (
            {"models": {"tsm_resnet50_k400_8seg": {"step": 8}}},
            "models.tsm_resnet50_k400_8seg.step: a window is all of a video; say its"
            " frames by `stack`",
        ),
        (
            {"models": {"s3d k400": {}}},
            "models: the name 's3d k400' has more than letters, digits, - and _",
        ),
        (
            {"frames": {"encodings": ["smal"]}},
            "frames.encodings: 'smal' is not an encoding"
            " (there are: default, original)",
        ),
        (
            {"models": {"s3d_k400": {"fps": "native"}}},
            "models.s3d_k400.fps: 'native' is neither a number nor 'model' nor"
            " 'source'",
        ),
        (
            {"models": {"s3d_k400": {}}, "evaluations": {"one": {"model": "s3d_k40"}}},
            "evaluations.one.model: 's3d_k40' is not an entry of `models` or"
            " `trainings`; did you mean 's3d_k400'?",
        ),
        (
            {
                "models": {"s3d_k400": {}},
                "evaluations": {"one": {"model": "s3d_k400", "views": {"size": 256}}},
            },
            "evaluations.one.views.size: frames are resized to 224 pixels",
        ),
        (
            {
                "models": {"s3d_k400": {}},
                "probes": {"one": {"model": "s3d_k400", "feature": "logits"}},
            },
            "probes.one.feature: 'logits' is not stored of it (there are: features)",
        ),
        (
            {
                "models": {"s3d_k400": {}},
                "probes": {"one": {"model": "s3d_k400", "splits": "official"}},
            },
            "probes.one.splits: 'official' is not a set of splits of 'mine'"
            " (there are: default)",
        ),
        (
            {"models": ["s3d_k400"]},
            "models: this is a list, and should be a mapping (`key: value`)",
        ),
        (
            {"models": {"s3d_k400": None}},
            "models.s3d_k400: nothing stands here, and it should be a mapping"
            " (`key: value`); is what belongs to it indented?",
        ),
        (
            yaml.safe_load(
                "trainings: {one: {model: s3d_k400, optimizer: {lr: 1e-4}}}"
            ),
            "trainings.one.optimizer.lr: '1e-4' is text; write 0.0001",
        ),
        (
            {"models": {3: {"model": "s3d_k400"}}},
            "models: the name 3 is not text; put it in quotes",
        ),
        (
            {"models": {"i3d_flow_k400": {"flow": "tvl1"}}},
            "models.i3d_flow_k400.flow: 'tvl1' is not under `flow` (there is none)",
        ),
        (
            {"encodings": {"original": {"fps": 25}}},
            "encodings.original.fps: 25 is not null",
        ),
    ],
)
def test_a_mistake_gets_one_line_with_place_and_remedy(change, expected):
    assert mistakes(minimal(**change)) == [expected]


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ({}, "datasets.mine: the key 'source' is missing"),
        (
            {"source": {"folder": "/", "archives": ["a.zip"]}},
            "datasets.mine.source: give one of 'folder' or 'archives'",
        ),
        (
            {"source": {"archives": ["a/x.zip", "b/x.zip"]}},
            "datasets.mine.source.archives: two files are named 'x.zip'; give groups,"
            " such as `{train: [..], val: [..]}`",
        ),
        (
            {"source": {"folder": "/"}, "retry": ["kiled"]},
            "datasets.mine.retry: 'kiled' is not a reason; did you mean 'killed'?",
        ),
        (
            {"source": {"folder": "/"}, "splits": {"own": "anotations"}},
            "datasets.mine.splits.own: 'anotations' is neither 'annotations' nor a"
            " mapping with some of train, val, test, base, validation, unused",
        ),
    ],
)
def test_a_mistake_in_a_dataset_gets_one_line(dataset, expected):
    assert mistakes({"datasets": {"mine": dataset}}) == [expected]


def test_lists_of_frames_need_frames():
    config = minimal(lists={"formats": ["tsn", "pyslowfast"]})
    assert mistakes(config) == [
        "lists.formats: 'tsn' names frames; dump those of 'default' under"
        " `frames: encodings`"
    ]
    resolve(config | {"frames": {"encodings": ["default"]}})
    of_frames = {name for name, form in FORMATS.items() if form.reads == "frames"}
    assert of_frames == OF_FRAMES


def test_lists_of_clips_need_clips_in_files():
    in_tars = {"encodings": {"default": {"layout": "tar"}}}
    (line,) = mistakes(minimal(**in_tars))
    assert line.startswith("lists.formats: 'ibm' names files of clips")
    assert "`encodings: default: layout`" in line
    resolve(minimal(**in_tars, frames={"encodings": ["default"]}))
    resolve(minimal(**in_tars, lists={"formats": ["parquet"]}))
    for reads, names in (("clips", OF_CLIPS), ("either", OF_EITHER | {"parquet"})):
        assert {name for name, form in FORMATS.items() if form.reads == reads} == names


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (
            {"source": "annotations"},
            "datasets.mine: with `source: annotations` there must be `annotations`",
        ),
        (
            {"source": {"archives": [{"bytes": 5}]}},
            "datasets.mine.source.archives.0: give a place, or a mapping with one of"
            " 'at', 'parts', 'list'",
        ),
        (
            {"recipe": "ucf11"},
            "datasets.mine.recipe: 'ucf11' is not in config/datasets; did you mean"
            " 'ucf101'?",
        ),
        (
            {"recipe": "ucf101", "subset": {"classes": "no_such_list"}},
            "datasets.mine.subset.classes: there is no file 'no_such_list'",
        ),
        (
            {"recipe": "ucf101", "splits": {"mine": {"base": "split9"}}},
            "datasets.mine.splits.mine.base: 'split9' is not a set of splits; did you"
            " mean 'split3'?",
        ),
        (
            {
                "recipe": "ucf101",
                "splits": {"a": {"base": "b"}, "b": {"base": "a", "unused": "val"}},
            },
            "datasets.mine.splits.a.base: 'a' comes back to itself",
        ),
        (
            {"recipe": "ucf101", "splits": {"a": {"validation": {"part": 0.1}}}},
            "datasets.mine.splits.a: give 'train', 'val' or 'test', or 'base'",
        ),
    ],
)
def test_a_mistake_in_a_recipe_or_a_source_gets_one_line(entries, expected):
    assert mistakes({"datasets": {"mine": entries}})[0] == expected


def test_files_that_are_not_there_are_told_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.pt").write_text("")
    models = {
        name: {"model": "s3d_k400", "checkpoint": checkpoint}
        for name, checkpoint in (
            ("mine", "mine.pt"),
            ("learnt", "results/mine/trainings/one/model.pt"),
            ("lost", "results/mine/trainings/two/model.pt"),
            ("gone", "gone.pt"),
        )
    }
    config = minimal(models=models, trainings={"one": {"model": "s3d_k400"}})
    splits = {"official": {"train": "train.txt"}}
    config["datasets"]["mine"] = {"source": {"folder": "~/here"}, "splits": splits}
    config = resolve(config)
    assert preflight.missing_weights(config) == [
        "models.lost.checkpoint: there is no file"
        " 'results/mine/trainings/two/model.pt', and no training makes it",
        "models.gone.checkpoint: there is no file 'gone.pt'",
    ]
    assert preflight.missing_files(config) == [
        "datasets.mine.splits.official: there is no file 'train.txt'"
    ]
    assert preflight.missing_folders(config) == [
        "datasets.mine.source.folder: there is no folder '~/here'; write it in full,"
        " without ~"
    ]


def test_a_recipe_is_laid_under_what_is_given():
    mine = {
        "recipe": "ucf101",
        "source": {"folder": "videos"},
        "annotations": {"files": ["splits.zip"]},
        "splits": {"val1": {"base": "split1", "validation": {"part": 0.2}}},
        "shards": 2,
    }
    dataset = resolve({"datasets": {"mine": mine}})["datasets"]["mine"]
    assert dataset["source"] == {"folder": "videos"}
    assert dataset["annotations"] == {"format": "ucf101", "files": ["splits.zip"]}
    assert dataset["shards"] == 2
    assert dataset["originals"] == "mine"
    assert dataset["expected"]["splits"]["split1"] == {"train": 9537, "test": 3783}
    assert set_of_splits(dataset, "val1") == {
        "set": "val1",
        "splits": {
            "base": "annotations",
            "base_set": "split1",
            "validation": {"part": 0.2, "seed": 0, "source": "train"},
            "unused": None,
        },
    }


def test_a_recipe_may_stand_on_a_recipe_and_share_its_originals():
    both = {"big": {"recipe": "kinetics400"}, "small": {"recipe": "mini_kinetics400"}}
    both["big"]["originals"] = "kinetics400"
    datasets = resolve({"datasets": both})["datasets"]
    assert datasets["small"]["source"] == datasets["big"]["source"]
    assert datasets["small"]["originals"] == "kinetics400"
    assert len(datasets["small"]["subset"]["classes"]) == 200
    other = {"originals": "kinetics400", "source": {"archives": ["my/part_0.zip"]}}
    more = {"originals": "kinetics400", "source": {"archives": ["other/part_0.zip"]}}
    assert mistakes({"datasets": {"a": other, "b": more}}) == [
        "datasets.b.originals: 'a' keeps another 'part_0.zip' in 'kinetics400'"
    ]


@pytest.mark.parametrize(
    ("short_sides", "expected"), [([256], 360), ([256, 400], 480), ([None, 64], None)]
)
def test_downloads_are_as_large_as_the_encodings_need(short_sides, expected):
    encodings = {f"e{n}": {"short_side": s} for n, s in enumerate(short_sides)}
    config = minimal(
        encodings=encodings,
        frames={"encodings": list(encodings)},
        lists={"encoding": "e0"},
    )
    assert resolve(config)["download"]["short_side"] == expected


def test_all_mistakes_are_told_at_once():
    config = minimal(models={"s3d_k400": {"stak": 1, "sped": 2}})
    config["datasets"]["mine"]["shards"] = 0
    assert len(mistakes(config)) == 3


@pytest.mark.parametrize(
    "path",
    [ROOT / "config/config.yaml", *sorted(ROOT.glob("config/datasets/*.yaml"))],
    ids=lambda path: path.stem,
)
def test_every_config_of_ours_is_right(path):
    resolve(yaml.safe_load(path.read_text()))


def test_the_reference_follows_from_the_schema():
    assert (ROOT / "config" / "README.md").read_text() == reference(load_schema())


def test_every_key_is_explained():
    def unexplained(schema: dict, path: str):
        for key, rule in schema.get("properties", {}).items():
            if "description" not in rule and "properties" not in rule:
                yield f"{path}.{key}"
            yield from unexplained(rule, f"{path}.{key}")
        if isinstance(schema.get("additionalProperties"), dict):
            yield from unexplained(schema["additionalProperties"], f"{path}.*")

    special = [".encodings.original.fps", ".encodings.original.short_side"]
    assert list(unexplained(load_schema(), "")) == special

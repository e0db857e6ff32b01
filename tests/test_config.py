import pytest
import yaml

import models
from scripts.common.config import SCHEMA, ConfigError, load_schema, reference, resolve

ZOO = {name: list(models.card(name).features) for name in models.names()}
ROOT = SCHEMA.parents[2]


def minimal(**more) -> dict:
    return {"datasets": {"mine": {"source": {"folder": "videos"}}}} | more


def mistakes(config: dict) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(config, ZOO)
    return str(caught.value).splitlines()


def test_ten_lines_are_enough():
    config = resolve(minimal(models={"s3d_k400": {}}), ZOO)
    assert config["datasets"]["mine"]["labels"] == "folder"
    assert config["datasets"]["mine"]["splits"] == {"default": "annotations"}
    assert config["encodings"]["default"]["fps"] == 25
    assert config["encodings"]["original"]["short_side"] is None
    assert config["models"]["s3d_k400"]["model"] == "s3d_k400"
    assert config["models"]["s3d_k400"]["tail"] == "drop"


def test_what_is_given_wins_over_the_default_and_the_rest_is_filled_in():
    config = minimal(encodings={"default": {"fps": 12}, "big": {"crf": 10}})
    encodings = resolve(config, ZOO)["encodings"]
    assert encodings["default"] | {"fps": 25} == encodings["big"] | {"crf": 18}
    assert encodings["default"]["fps"] == 12
    assert "original" in encodings
    assert "original" not in config["encodings"], "the given config was changed"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
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
            "models.s3d_k400.stack: '64' is not a value of type integer or null",
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
            {"models": {"s3d k400": {}}},
            "models: the name 's3d k400' has more than letters, digits, - and _",
        ),
        (
            {"frames": {"encodings": ["smal"]}},
            "frames.encodings: 'smal' is not an encoding"
            " (there are: default, original)",
        ),
        (
            {"encodings": {"original": {"fps": 25}}},
            "encodings.original.fps: 25 is not a value of type null",
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
            "datasets.mine.source.archives: two files are named 'x.zip'; give groups",
        ),
        (
            {"source": {"folder": "/"}, "retry": ["kiled"]},
            "datasets.mine.retry: 'kiled' is not a reason; did you mean 'killed'?",
        ),
        (
            {"source": {"folder": "/"}, "splits": {"own": "anotations"}},
            "datasets.mine.splits.own: 'anotations' is neither 'annotations' nor one of"
            " train, val, test, base, validation, unused",
        ),
    ],
)
def test_a_mistake_in_a_dataset_gets_one_line(dataset, expected):
    assert mistakes({"datasets": {"mine": dataset}}) == [expected]


def test_all_mistakes_are_told_at_once():
    config = minimal(models={"s3d_k400": {"stak": 1, "sped": 2}})
    config["datasets"]["mine"]["shards"] = 0
    assert len(mistakes(config)) == 3


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/**/*.yaml")), ids=str)
def test_every_config_of_ours_is_right(path):
    if path != SCHEMA:
        resolve(yaml.safe_load(path.read_text()), ZOO)


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

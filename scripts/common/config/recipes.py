"""Datasets laid over the recipes of config/datasets, and class lists read."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from scripts.common.config.schema import SCHEMA, ConfigError, known_or_near

RECIPES = SCHEMA.parents[1] / "datasets"
CLASSES = SCHEMA.parents[1] / "classes"


def with_recipes(config: dict) -> dict:
    """Return the configuration with each dataset laid over its recipe.

    Raises:
        ConfigError: there is no such recipe.
    """
    datasets = config.get("datasets")
    if not isinstance(datasets, dict):
        return config
    mixed = {name: _over_recipe(name, dataset) for name, dataset in datasets.items()}
    return {**config, "datasets": mixed}


def _over_recipe(name: str, dataset):
    recipe = dataset.get("recipe") if isinstance(dataset, dict) else None
    if recipe is None:
        return dataset
    known = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    if recipe not in known:
        near = known_or_near(str(recipe), known)
        raise ConfigError(
            f"datasets.{name}.recipe: '{recipe}' is not in config/datasets{near}"
        )
    text = (RECIPES / f"{recipe}.yaml").read_text()
    base = _over_recipe(recipe, yaml.safe_load(text)["datasets"][recipe])
    return _laid_over(base, dataset) | {"source": dataset.get("source", base["source"])}


def _laid_over(base, top):
    if not (isinstance(base, dict) and isinstance(top, dict)):
        return top
    return base | {
        key: _laid_over(base[key], value) if key in base else value
        for key, value in top.items()
    }


def read_class_lists(datasets: dict) -> Iterator[str]:
    """Put the names in place of the files that hold them; yield what goes wrong."""
    for name, dataset in datasets.items():
        classes = dataset["subset"]["classes"]
        if not isinstance(classes, str):
            continue
        ours = CLASSES / f"{classes}.txt"
        path = ours if ours.is_file() else Path(classes)
        if not path.is_file():
            yield f"datasets.{name}.subset.classes: there is no file '{classes}'"
            continue
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        dataset["subset"]["classes"] = [line.strip() for line in lines if line.strip()]

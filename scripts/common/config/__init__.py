"""The configuration: checked against the schema, defaults filled in, errors readable.

`python -m scripts.common.config` prints config/README.md, written from the schema.
"""

from scripts.common.config.names import mistakes
from scripts.common.config.needs import needed_encodings, offered, parameters_of
from scripts.common.config.recipes import read_class_lists, with_recipes
from scripts.common.config.schema import (
    ConfigError,
    explained,
    load_schema,
    with_defaults,
)


def resolve(config: dict) -> dict:
    """Return the configuration with every default filled in.

    Args:
        config: as read from YAML; it is not changed.

    Raises:
        ConfigError: with a line for each mistake: where, what, and what would be right.
    """
    schema = load_schema()
    config = with_recipes(config)
    _raise_if(explained(config, schema))
    config = with_defaults(config, schema)
    for section in ("models", "trainings"):
        for name, entry in config[section].items():
            entry["model"] = entry["model"] or name
    for entry in config["models"].values():
        flow = config["flow"].get(entry["flow"], {"encoding": "default"})
        entry["encoding"] = entry["encoding"] or flow["encoding"]
    sections = schema["properties"]["flow"]["additionalProperties"]["properties"]
    for entry in config["flow"].values():
        own = parameters_of(entry["algorithm"])
        entry[own] = with_defaults(entry.get(own, {}), sections[own])
    for name, dataset in config["datasets"].items():
        dataset["originals"] = dataset["originals"] or name
        if isinstance(dataset["annotations"], str):
            files = {"format": "table", "files": [dataset["annotations"]]}
            dataset["annotations"] = files
    _raise_if([*read_class_lists(config["datasets"]), *mistakes(config)])
    config["download"]["short_side"] = config["download"]["short_side"] or offered(
        [config["encodings"][name]["short_side"] for name in needed_encodings(config)]
    )
    return config


def _raise_if(lines: list[str]) -> None:
    if lines:
        raise ConfigError("\n".join(lines))

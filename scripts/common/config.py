"""The configuration: checked against the schema, defaults filled in, errors readable.

`python -m scripts.common.config` prints config/README.md, written from the schema.
"""

import copy
import difflib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

from scripts.common.tables import REASONS

SCHEMA = Path(__file__).parents[2] / "config" / "schemas" / "config.schema.yaml"


class ConfigError(ValueError):
    """The configuration is wrong; the message has a line for each mistake."""


def resolve(config: dict, zoo: dict[str, list[str]]) -> dict:
    """Return the configuration with every default filled in.

    Args:
        config: as read from YAML; it is not changed.
        zoo: names of the features of each model that there is.

    Raises:
        ConfigError: with a line for each mistake: where, what, and what would be right.
    """
    schema = load_schema()
    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(config), key=lambda e: list(map(str, e.path)))
    if errors:
        raise ConfigError("\n".join(line for e in errors for line in _explain(e)))
    config = with_defaults(config, schema)
    for name, entry in config["models"].items():
        entry["model"] = entry["model"] or name
    mistakes = list(_mistakes(config, zoo))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return config


def load_schema() -> dict:
    """Return the schema with its references put in place."""
    schema = yaml.safe_load(SCHEMA.read_text())

    def expand(node):
        if isinstance(node, list):
            return [expand(item) for item in node]
        if not isinstance(node, dict):
            return node
        target = schema["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else {}
        own = {key: value for key, value in node.items() if key != "$ref"}
        return {key: expand(value) for key, value in (target | own).items()}

    expanded = expand(schema)
    del expanded["$defs"]
    return expanded


def with_defaults(value, schema: dict):
    """Return a copy of a valid value with the schema's defaults at every level."""
    if not isinstance(value, dict):
        return copy.deepcopy(value)
    properties = schema.get("properties", {})
    filled = {k: s["default"] for k, s in properties.items() if "default" in s} | value
    others = schema.get("additionalProperties", False) or {}
    return {k: with_defaults(v, properties.get(k, others)) for k, v in filled.items()}


def suggestion(word: str, known: list[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _place(path) -> str:
    return ".".join(map(str, path)) or "configuration"


def _explain(error: jsonschema.ValidationError) -> list[str]:
    """Return a line for each mistake that one error of jsonschema stands for."""
    place, value, rule = _place(error.absolute_path), error.instance, error.schema
    known = list(rule.get("properties", {}))
    if error.validator == "additionalProperties":
        unknown = [key for key in value if key not in known]
        return [
            f"{place}: there is no key '{key}'"
            + (suggestion(str(key), known) or f" (there are: {', '.join(known)})")
            for key in unknown
        ]
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in value]
        return [f"{place}: the key '{key}' is missing" for key in missing]
    if error.validator in ("minProperties", "maxProperties"):
        names = " or ".join(f"'{name}'" for name in known)
        return [f"{place}: give one of {names}" if known else f"{place}: is empty"]
    if error.validator == "enum":
        choices = ", ".join(repr(choice) for choice in error.validator_value)
        near = suggestion(str(value), list(map(str, error.validator_value)))
        return [f"{place}: {value!r} is not one of {choices}{near}"]
    if error.validator == "type":
        kinds = error.validator_value
        kinds = " or ".join(kinds if isinstance(kinds, list) else [kinds])
        return [f"{place}: {value!r} is not a value of type {kinds}"]
    if error.validator == "pattern":
        if rule.get("pattern") == "^annotations$":
            return [f"{place}: {value!r} is neither 'annotations' nor a list of files"]
        return [f"{place}: the name {value!r} has more than letters, digits, - and _"]
    return [f"{place}: {error.message}"]


def _mistakes(config: dict, zoo: dict[str, list[str]]) -> Iterator[str]:
    """Yield what the schema cannot tell: names that refer to nothing."""
    encodings = list(config["encodings"])

    def check(place: str, value: str, known: list[str], kind: str) -> Iterator[str]:
        if value not in known:
            near = suggestion(value, known) or f" (there are: {', '.join(known)})"
            yield f"{place}: '{value}' is not {kind}{near}"

    for name, entry in config["models"].items():
        place = f"models.{name}"
        yield from check(f"{place}.model", entry["model"], list(zoo), "in the zoo")
        outputs = zoo.get(entry["model"], entry["features"])
        for feature in entry["features"]:
            yield from check(f"{place}.features", feature, outputs, "a feature of it")
        yield from check(
            f"{place}.encoding", entry["encoding"], encodings, "an encoding"
        )
    for encoding in config["frames"]["encodings"]:
        yield from check("frames.encodings", encoding, encodings, "an encoding")
    yield from check(
        "lists.encoding", config["lists"]["encoding"], encodings, "an encoding"
    )
    for name, dataset in config["datasets"].items():
        for reason in dataset["retry"]:
            yield from check(
                f"datasets.{name}.retry", reason, list(REASONS), "a reason"
            )
        archives = [Path(path).name for path in dataset["source"].get("archives", [])]
        for twin in sorted({path for path in archives if archives.count(path) > 1}):
            yield f"datasets.{name}.source.archives: two files are named '{twin}'"


def reference(schema: dict) -> str:
    """Return config/README.md: every key with type, default and description."""
    lines = [
        "# Configuration",
        "",
        "<!-- Written from schemas/config.schema.yaml by"
        " `python -m scripts.common.config > config/README.md`. -->",
        "",
        "`config.yaml` describes the demo. For your own data, write a file that names"
        " your datasets and give it with `--configfile`; it then stands alone, and what"
        " it does not say has the default below. Several files after one `--configfile`"
        " are laid over each other: mappings are merged, lists are replaced.",
        "",
        "`<name>` stands for a name of your choice.",
        "",
        "| key | type | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    lines += _reference_rows(schema, "")
    return "\n".join(lines) + "\n"


def _reference_rows(schema: dict, prefix: str) -> Iterator[str]:
    entries = dict(schema.get("properties", {}))
    others = schema.get("additionalProperties")
    if isinstance(others, dict) and others.get("type") == "object":
        entries = {"<name>": others}
    for key, rule in entries.items():
        path = f"{prefix}{key}"
        if "description" in rule:
            text = rule["description"].strip()
            for example in rule.get("examples", []):
                text += f" Example: `{_plain(example)}`."
            has_default = rule.get("default", {}) != {}
            default = f"`{_plain(rule['default'])}`" if has_default else ""
            yield f"| `{path}` | {_kind(rule)} | {default} | {text} |"
        yield from _reference_rows(rule, f"{path}.")


def _plain(value) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).strip()
    return text.removesuffix("\n...").strip()


def _kind(rule: dict) -> str:
    if "enum" in rule:
        return " or ".join(f"`{_plain(choice)}`" for choice in rule["enum"])
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    low = rule.get("minimum", rule.get("exclusiveMinimum"))
    limits = f", {low} to {rule['maximum']}" if "maximum" in rule else ""
    if low is not None and not limits:
        limits = f", at least {low}"
    return " or ".join(kinds) + limits


if __name__ == "__main__":
    print(reference(load_schema()), end="")

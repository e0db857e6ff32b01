"""The schema of the configuration, and a line for each mistake against it."""

import copy
import difflib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

SCHEMA = Path(__file__).parents[3] / "config" / "schemas" / "config.schema.yaml"


class ConfigError(ValueError):
    """The configuration is wrong; the message has a line for each mistake."""


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


def explained(config: dict, schema: dict) -> list[str]:
    """Return a line for each mistake: where, what, and what would be right."""
    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    in_order = sorted(errors, key=lambda error: list(map(str, error.path)))
    return [line for error in in_order for line in _explain(error)]


def suggestion(word: str, known: list[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def unless_known(place: str, value: str, known: list[str], kind: str) -> Iterator[str]:
    """Yield a line for a value that is none of those known, with the nearest of them.

    Args:
        place: where it stands in the config.
        value: a name.
        known: the names that can stand there.
        kind: what they are, such as "an encoding".
    """
    if value not in known:
        near = suggestion(value, known) or f" (there are: {', '.join(known)})"
        yield f"{place}: '{value}' is not {kind}{near}"


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
    if error.validator == "anyOf":
        return [
            f"{place}: give a place, or a mapping with one of 'at', 'parts', 'list'"
        ]
    if error.validator == "pattern":
        if rule["pattern"] == "^annotations$":
            keys = ", ".join(known)
            return [f"{place}: {value!r} is neither 'annotations' nor one of {keys}"]
        for kind, meaning in (("integer", "a whole number"), ("number", "a number")):
            if kind in rule.get("type", ()):
                words = rule["pattern"].strip("^()$").replace("|", "' nor '")
                return [f"{place}: {value!r} is neither {meaning} nor '{words}'"]
        return [f"{place}: the name {value!r} has more than letters, digits, - and _"]
    return [f"{place}: {error.message}"]

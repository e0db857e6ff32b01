"""The schema of the configuration, and a line for each mistake against it."""

import copy
import difflib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

KINDS = {
    "object": "a mapping (`key: value`)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
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
    return [
        *_names_that_are_no_text(config, ()),
        *(line for error in in_order for line in _explain(error)),
    ]


def suggestion(word: str, known: list[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def known_or_near(word: str, known: list[str]) -> str:
    """Return a suggestion for a word that is not known, or all that is known."""
    if near := suggestion(word, known):
        return near
    return f" (there are: {', '.join(known)})" if known else " (there is none)"


def unless_known(place: str, value: str, known: list[str], kind: str) -> Iterator[str]:
    """Yield a line for a value that is none of those known, with the nearest of them.

    Args:
        place: where it stands in the config.
        value: a name.
        known: the names that can stand there.
        kind: what they are, such as "an encoding".
    """
    if value not in known:
        yield f"{place}: '{value}' is not {kind}{known_or_near(value, known)}"


def _place(path) -> str:
    return ".".join(map(str, path)) or "configuration"


def _names_that_are_no_text(value, path: tuple) -> Iterator[str]:
    """Yield a line for each key that YAML reads as a number, a date or true."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    elif isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                yield f"{_place(path)}: the name {key} is not text; put it in quotes"
    else:
        return
    for key, below in value.items():
        yield from _names_that_are_no_text(below, (*path, key))


def _of_wrong_type(value, kinds: str | list[str]) -> str:
    """Return what a value of a type that does not belong there should be."""
    kinds = kinds if isinstance(kinds, list) else [kinds]
    wanted = " or ".join(KINDS[kind] for kind in kinds)
    if value is None:
        return (
            f"nothing stands here, and it should be {wanted};"
            " is what belongs to it indented?"
        )
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"this is a {kind}, and should be {wanted}"
    if isinstance(value, str) and {"integer", "number"} & set(kinds):
        try:
            return f"{value!r} is text; write {float(value):.12g}"
        except ValueError:
            pass  # no number in another form either
    return f"{value!r} is not {wanted}"


def _explain(error: jsonschema.ValidationError) -> list[str]:
    """Return a line for each mistake that one error of jsonschema stands for."""
    place, value, rule = _place(error.absolute_path), error.instance, error.schema
    known = list(rule.get("properties", {}))
    if error.validator == "additionalProperties":
        unknown = [key for key in value if key not in known]
        return [
            f"{place}: there is no key '{key}'{known_or_near(str(key), known)}"
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
        return [f"{place}: {_of_wrong_type(value, error.validator_value)}"]
    if error.validator == "anyOf":
        return [
            f"{place}: give a place, or a mapping with one of 'at', 'parts', 'list'"
        ]
    if error.validator == "pattern":
        if rule["pattern"] == "^annotations$":
            keys = ", ".join(known)
            return [
                f"{place}: {value!r} is neither 'annotations' nor a mapping with some"
                f" of {keys}"
            ]
        for kind, meaning in (("integer", "a whole number"), ("number", "a number")):
            if kind in rule.get("type", ()):
                words = rule["pattern"].strip("^()$").replace("|", "' nor '")
                return [f"{place}: {value!r} is neither {meaning} nor '{words}'"]
        return [f"{place}: the name {value!r} has more than letters, digits, - and _"]
    return [f"{place}: {error.message}"]

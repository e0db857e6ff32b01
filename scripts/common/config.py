"""The configuration: checked against the schema, defaults filled in, errors readable.

`python -m scripts.common.config` prints config/README.md, written from the schema.
"""

import copy
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import jsonschema
import yaml

import models
from scripts.common import originals
from scripts.common.tables import REASONS

SCHEMA = Path(__file__).parents[2] / "config" / "schemas" / "config.schema.yaml"
RECIPES = SCHEMA.parents[1] / "datasets"
CLASSES = SCHEMA.parents[1] / "classes"
# Formats of lists that name folders of frames, and nothing else.
OF_FRAMES = frozenset({"tsn", "mmaction2_rawframes", "3d_resnets"})
# Heights in which sites offer videos.
OFFERED = (144, 240, 360, 480, 720, 1080, 1440, 2160)


class ConfigError(ValueError):
    """The configuration is wrong; the message has a line for each mistake."""


def resolve(config: dict) -> dict:
    """Return the configuration with every default filled in.

    Args:
        config: as read from YAML; it is not changed.

    Raises:
        ConfigError: with a line for each mistake: where, what, and what would be right.
    """
    schema = load_schema()
    config = with_recipes(config)
    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(config), key=lambda e: list(map(str, e.path)))
    if errors:
        raise ConfigError("\n".join(line for e in errors for line in _explain(e)))
    config = with_defaults(config, schema)
    for name, entry in config["models"].items():
        entry["model"] = entry["model"] or name
    sections = schema["properties"]["flow"]["additionalProperties"]["properties"]
    for entry in config["flow"].values():
        own = parameters_of(entry["algorithm"])
        entry[own] = with_defaults(entry.get(own, {}), sections[own])
    for name, dataset in config["datasets"].items():
        dataset["originals"] = dataset["originals"] or name
        if isinstance(dataset["annotations"], str):
            files = {"format": "table", "files": [dataset["annotations"]]}
            dataset["annotations"] = files
    mistakes = [*_read_class_lists(config["datasets"]), *_mistakes(config)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    config["download"]["short_side"] = config["download"]["short_side"] or offered(
        [config["encodings"][name]["short_side"] for name in needed_encodings(config)]
    )
    return config


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
        near = suggestion(str(recipe), known) or f" (there are: {', '.join(known)})"
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


def _read_class_lists(datasets: dict) -> Iterator[str]:
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


def needed_encodings(config: dict) -> list[str]:
    """Return the encodings of a checked configuration that something reads, sorted."""
    entries = [*config["models"].values(), *config["flow"].values()]
    read = {entry["encoding"] for entry in entries}
    dumped = config["frames"]["encodings"]
    return sorted({config["lists"]["encoding"], *dumped, *read})


def parameters_of(algorithm: str) -> str:
    """Return the key that holds the parameters of an algorithm for flow.

    >>> parameters_of("raft_small")
    'raft'
    """
    return algorithm.partition("_")[0]


def listed_frames(config: dict) -> bool:
    """Tell whether split lists can name frames: folders of the lists' encoding."""
    frames = config["frames"]
    in_folders = frames["layout"] == "folders"
    return in_folders and config["lists"]["encoding"] in frames["encodings"]


def offered(short_sides: list[int | None]) -> int | None:
    """Return the smallest size on offer that serves all; None for the largest one.

    >>> offered([224, 256])
    360
    """
    if None in short_sides:
        return None
    return next((size for size in OFFERED if size >= max(short_sides)), None)


def set_of_splits(dataset: dict, name: str) -> dict:
    """Return what `write_splits` has to know of a set of splits.

    Args:
        dataset: of a checked configuration.
        name: of the set.

    Returns:
        `set`, the name, and `splits`: "annotations", files by list, or a mapping with
        `base` (again one of these), `base_set`, `validation` and `unused`.
    """
    splits = dataset["splits"][name]
    if isinstance(splits, str):
        return {"set": name, "splits": splits}
    if "base" not in splits:
        lists = {key: splits[key] for key in ("train", "val", "test") if key in splits}
        return {"set": name, "splits": lists}
    base = set_of_splits(dataset, splits["base"])
    change = {key: splits.get(key) for key in ("validation", "unused")}
    return {
        "set": name,
        "splits": {"base": base["splits"], "base_set": base["set"], **change},
    }


def split_lists(dataset: dict, name: str) -> list[str]:
    """Return the files that a set of splits is read from."""
    splits = set_of_splits(dataset, name)["splits"]
    while "base" in splits:
        splits = splits["base"]
    return [] if isinstance(splits, str) else list(splits.values())


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


def _mistakes(config: dict) -> Iterator[str]:
    """Yield what the schema cannot tell: names that refer to nothing."""
    encodings = list(config["encodings"])

    def check(place: str, value: str, known: list[str], kind: str) -> Iterator[str]:
        if value not in known:
            near = suggestion(value, known) or f" (there are: {', '.join(known)})"
            yield f"{place}: '{value}' is not {kind}{near}"

    for name, entry in config["models"].items():
        place = f"models.{name}"
        yield from _mistakes_in_model(place, entry)
        yield from check(
            f"{place}.encoding", entry["encoding"], encodings, "an encoding"
        )
    for encoding in config["frames"]["encodings"]:
        yield from check("frames.encodings", encoding, encodings, "an encoding")
    yield from check(
        "lists.encoding", config["lists"]["encoding"], encodings, "an encoding"
    )
    lists = config["lists"]
    if not listed_frames(config):
        remedy = f"dump those of '{lists['encoding']}' under `frames: encodings`"
        if config["frames"]["layout"] != "folders":
            remedy = "keep them in folders: `frames: layout`"
        for form in sorted(OF_FRAMES.intersection(lists["formats"])):
            yield f"lists.formats: '{form}' names frames; {remedy}"
    for name, entry in config["flow"].items():
        place = f"flow.{name}"
        yield from check(
            f"{place}.encoding", entry["encoding"], encodings, "an encoding"
        )
        own = parameters_of(entry["algorithm"])
        for other in sorted({"tvl1", "farneback", "raft"} & entry.keys() - {own}):
            yield f"{place}.{other}: the algorithm is '{entry['algorithm']}'"
    for name, dataset in config["datasets"].items():
        for reason in dataset["retry"]:
            yield from check(
                f"datasets.{name}.retry", reason, list(REASONS), "a reason"
            )
        yield from _mistakes_in_source(f"datasets.{name}", dataset)
        yield from _mistakes_in_splits(f"datasets.{name}.splits", dataset["splits"])
    yield from _different_originals(config["datasets"])


def _mistakes_in_model(place: str, entry: dict) -> Iterator[str]:
    """Put the zoo's name in place of an upstream program's; yield what is wrong."""
    try:
        entry["model"] = models.resolve(entry["model"])
    except models.UnknownModel as error:
        yield f"{place}.model: {error}"
        return
    card = models.card(entry["model"])
    for feature in entry["features"]:
        if feature not in card.features:
            known = list(card.features)
            near = suggestion(feature, known) or f" (there are: {', '.join(known)})"
            yield f"{place}.features: '{feature}' is not a feature of it{near}"
    stack = entry["stack"]
    if isinstance(stack, int) and card.sampling == "dense" and stack < card.min_frames:
        yield f"{place}.stack: {entry['model']} needs {card.min_frames} frames or more"


def _mistakes_in_source(place: str, dataset: dict) -> Iterator[str]:
    annotations = dataset["annotations"]
    if dataset["source"] == "annotations":
        if not annotations:
            yield f"{place}: with `source: annotations` there must be `annotations`"
        return
    archives = originals.archives(originals.archive_entries(dataset))
    for twin in _twins(archive.name for archive in archives):
        yield f"{place}.source.archives: two files are named '{twin}'; give groups"
    if (
        annotations
        and annotations["format"] == "table"
        and len(annotations["files"]) > 1
    ):
        yield f"{place}.annotations.files: a table is one file; name its `format`"


def _twins(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _mistakes_in_splits(place: str, splits: dict) -> Iterator[str]:
    for name, entry in splits.items():
        if isinstance(entry, str):
            continue
        if "base" not in entry:
            if not {"train", "val", "test"} & set(entry):
                yield f"{place}.{name}: give 'train', 'val' or 'test', or 'base'"
            elif entry.keys() & {"validation"}:
                yield f"{place}.{name}: 'validation' needs 'base', the set it changes"
            continue
        seen, base = {name}, entry["base"]
        while base in splits and base not in seen:
            seen.add(base)
            base = splits[base].get("base") if isinstance(splits[base], dict) else None
        if base in seen:
            yield f"{place}.{name}.base: '{base}' comes back to itself"
        elif base is not None:
            near = (
                suggestion(base, list(splits)) or f" (there are: {', '.join(splits)})"
            )
            yield f"{place}.{name}.base: '{base}' is not a set of splits{near}"


def _different_originals(datasets: dict) -> Iterator[str]:
    """Yield names under which datasets that share their originals mean two files."""
    known: dict[tuple[str, str], tuple[str, object]] = {}
    for name, dataset in datasets.items():
        for original in originals.of_dataset(dataset):
            place = (dataset["originals"], original.name)
            owner, other = known.setdefault(place, (name, original))
            if owner != name and other != original:
                yield (
                    f"datasets.{name}.originals: '{owner}' keeps another"
                    f" '{original.name}' in '{place[0]}'"
                )


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
    if isinstance(others, dict) and "properties" in others:
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

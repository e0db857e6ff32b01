"""Print config/README.md: every key of the configuration, written from the schema."""

from collections.abc import Iterator

import yaml

from scripts.common.config.schema import load_schema


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

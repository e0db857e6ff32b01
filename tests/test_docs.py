"""What the documentation shows: links that lead somewhere, examples that are right."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from scripts.common.config import resolve
from scripts.common.config.schema import load_schema
from tests.projects import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code of a page."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def anchors(page: Path) -> set[str]:
    """Return the places in a page that links can name."""
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pages
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_examples_of_configurations_are_right(page):
    known = load_schema()["properties"].keys()
    for block in blocks(page.read_text(), "yaml"):
        example = yaml.safe_load(block)
        if example.keys() <= known:  # else it is a part of one
            others = {
                "datasets": {"mine": {"source": {"folder": "videos"}}},
                "models": {"s3d_k400": {}},
            }
            resolve(others | example)


@pages
def test_commands_are_there(page):
    rules = set(re.findall(r"(?m)^(?:rule|checkpoint) (\w+):", _text("rules/*.smk")))
    rules |= set(re.findall(r"(?m)^rule (\w+):", _text("Snakefile")))
    code = "\n".join(blocks(page.read_text(), ""))
    for target in re.findall(r"(?m)^snakemake ([a-z]\w*)(?=\s)", code):
        assert target in rules, target
    for module in re.findall(r"python -m ((?:scripts|models|docs)[.\w]*)", code):
        assert importlib.util.find_spec(module), module


def _text(pattern: str) -> str:
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(pattern)))

"""Each rule's environment has what its script imports, in the versions tested here."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import models
from tests.conda_stand_in.conda import PROGRAMS, twin
from tests.projects import ROOT

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
LAUNCHING = ROOT / "environment.yaml"
FILES = [*ENVIRONMENTS, LAUNCHING]
# A name, a space, and bounds that mean the same to conda and to PyPI.
SPEC = re.compile(r"[a-z0-9][a-z0-9.-]* >=\d+(\.\d+)*,<\d+(\.\d+)*")
# The packages that modules come in, where the names differ.
PACKAGES = {
    "PIL": "pillow",
    "backports": "backports.zstd",
    "compression": "python",  # from 3.14 on
    "cv2": "py-opencv",
    "ffmpeg": "ffmpeg-python",
    "lightning_fabric": "pytorch-lightning",
    "matplotlib": "matplotlib-base",
    "sklearn": "scikit-learn",
    "torch": "pytorch",
    "yaml": "pyyaml",
    "yt_dlp": "yt-dlp",
}
# What no script imports: programs, and what other packages look for.
UNIMPORTED = {"python", *PROGRAMS, "deno", "tensorboard", "yt-dlp-ejs"}
# What a function may import that a script never calls: the index reads annotations.
UNREACHED = {"pyarrow"}


def specs(environment: Path) -> dict[str, str]:
    """Return the version bounds of an environment by package."""
    lines = yaml.safe_load(environment.read_text())["dependencies"]
    return dict(line.split(" ") for line in lines)


def rule_files() -> str:
    """Return the text of all rules."""
    return "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))


def rules() -> dict[str, str]:
    """Return the text of each rule by name."""
    header = re.compile(r"^(?:rule|checkpoint) (\w+):$", re.MULTILINE)
    _, *parts = header.split(rule_files())
    return dict(zip(parts[::2], parts[1::2], strict=True))


def environment_of(rule: str) -> Path | None:
    """Return the environment that a rule names."""
    found = re.search(r'^    conda:\n        "\.\./envs/(.+)"$', rules()[rule], re.M)
    return ROOT / "envs" / found[1] if found else None


def script_of(rule: str) -> str:
    """Return the module that a rule runs."""
    return re.search(r"python -m ([\w.]+)", rules()[rule])[1]


def source_of(module: str) -> Path | None:
    """Return the file of one of our own modules."""
    path = ROOT / module.replace(".", "/")
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def names_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the modules that imports name; `a.b` also for `from a import b`."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    # Importing a module imports the packages that it is in.
    return {
        name.rsplit(".", n)[0] for name in names for n in range(name.count(".") + 1)
    }


@cache
def imported(module: str, everywhere: bool) -> set[str]:
    """Return the modules that one of our own imports.

    Args:
        module: its name.
        everywhere: whether imports inside functions count, and those by name.
    """
    tree = ast.parse(source_of(module).read_text())
    names = names_in(ast.walk(tree) if everywhere else tree.body)
    if everywhere and module == "models.zoo":
        cards = [models.card(name) for name in models.names()]
        names |= {card.network.split(":")[0] for card in cards}
    return names | {"models.zoo"} if everywhere and module == "models" else names


def needed(start: set[str], everywhere: bool = True) -> set[str]:
    """Return the packages that modules need, with all of ours that they import."""
    seen, waiting = set(), set(start)
    while waiting:
        module = waiting.pop()
        seen.add(module)
        if source_of(module):
            waiting |= imported(module, everywhere) - seen
    # Names that are no module of ours are functions, or foreign.
    foreign = {name.split(".")[0] for name in seen} - {"scripts", "models"}
    return {PACKAGES.get(name, name) for name in foreign - sys.stdlib_module_names}


def locked() -> dict[str, set[Version]]:
    """Return the versions of uv.lock by package; for another Python another one."""
    versions: dict[str, set[Version]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        if "version" in package:
            version = Version(package["version"])
            versions.setdefault(package["name"], set()).add(version)
    return versions


@pytest.mark.parametrize("rule", rules())
def test_every_rule_has_an_environment(rule):
    assert environment_of(rule) in ENVIRONMENTS


@pytest.mark.parametrize("rule", rules())
def test_every_job_of_a_cluster_asks_for_memory_and_time(rule):
    if "localrule: True" not in rules()[rule]:
        growing = r"(memory|by_videos)\(megabytes=\d+, a_(thread|video)=[\d.]+\)"
        slower = r"by_videos\(minutes=\d+, a_video=[\d.]+\)|[a-z]+_minutes"
        for resource in (
            rf"mem_mb=(scaled\(megabytes=\d+\)|{growing})",
            rf"runtime=(scaled\(minutes=\d+\)|{slower})",
        ):
            assert re.search(rf"^        {resource},$", rules()[rule], re.M)


def test_retries_are_for_the_profile():
    # On SLURM those of a rule count twice: outside of the job and again inside.
    assert set(re.findall(r"retries: (.*)", rule_files())) == {"0"}


@pytest.mark.parametrize("environment", FILES, ids=lambda path: path.stem)
def test_environments_are_bounded_on_both_sides(environment):
    content = yaml.safe_load(environment.read_text())
    assert content["channels"][0] == "conda-forge"
    assert content["channels"][-1] == "nodefaults"
    specs = content["dependencies"]
    assert [spec for spec in specs if not SPEC.fullmatch(spec)] == []
    assert any(spec.startswith("python ") for spec in specs)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_what_its_scripts_import_and_no_more(environment):
    scripts = {
        script_of(rule) for rule in rules() if environment_of(rule) == environment
    }
    has, needs = set(specs(environment)), needed(scripts)
    assert needs - has - UNREACHED == set()
    assert has - needs - UNIMPORTED == set()
    assert needed(scripts, everywhere=False) <= has


def test_planning_needs_no_more_than_the_launching_side_has():
    imports = r"^(?:from .+ import \([^)]*\)|(?:from|import) [^(\n]+)$"
    lines = re.findall(imports, rule_files(), re.MULTILINE)
    assert lines
    modules = names_in(ast.parse("\n".join(lines)).body)
    assert needed(modules, everywhere=False) <= set(specs(LAUNCHING))


@pytest.mark.parametrize("environment", FILES, ids=lambda path: path.stem)
def test_the_versions_tested_here_are_within_the_bounds(environment):
    versions = locked()
    outside = [
        (package, str(version))
        for package, bounds in specs(environment).items()
        if (requirement := twin(f"{package} {bounds}"))
        for version in versions[re.match(r"[\w-]+", requirement)[0]]
        if version not in SpecifierSet(bounds)
    ]
    assert outside == []

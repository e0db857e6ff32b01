"""The demo with `--sdm conda`; tests/conda_stand_in/conda.py says what that proves."""

import subprocess
import sys

import pytest

from tests.projects import ROOT

STAND_IN = ROOT / "tests/conda_stand_in"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An environment that has almost nothing."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.yaml").write_text("dependencies: ['tqdm >=4.66,<5']")
    command = [sys.executable, STAND_IN / "conda.py", "env", "create"]
    command += ["--file", folder / "small.yaml", "--prefix", folder / "small"]
    subprocess.run(command, check=True)
    return folder / "small"


def test_the_demo_builds_with_what_its_environments_name(conda_demo):
    built = conda_demo.folder.glob(".snakemake/conda/*.yaml")
    assert {path.read_text() for path in built} == {
        path.read_text() for path in (ROOT / "envs").glob("*.yaml")
    }
    assert (conda_demo.folder / "results/demo/checked.txt").exists()
    assert any((conda_demo.folder / "results/demo/probes/neighbours").iterdir())


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("python -c 'import tqdm'", True),
        ("python -c 'import numpy'", False),
        ("command -v ffmpeg", False),
        ("command -v unar", True),
    ],
)
def test_an_environment_has_nothing_that_its_file_does_not_name(small, command, found):
    script = f"source {STAND_IN}/bin/activate {small}; {command}"
    result = subprocess.run(["bash", "-c", script], capture_output=True)
    assert (result.returncode == 0) == found

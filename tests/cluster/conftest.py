"""The demo, built in peace with `--sdm conda`, and a SLURM to build it on again."""

import os
import shutil

import pytest
import yaml

from tests.cluster import slurm as own
from tests.projects import ROOT, Project

STAND_IN = ROOT / "tests/conda_stand_in/bin"


def pytest_ignore_collect(collection_path, config):
    """Leave these to `pytest tests/cluster`: they take minutes and start daemons."""
    asked = any("cluster" in argument for argument in config.args)
    return None if asked else True


@pytest.fixture(scope="session")
def conda_demo(tmp_path_factory) -> Project:
    """The demo and a probe, each rule in an environment of what its file names."""
    if not shutil.which("uv"):
        pytest.skip("there is no uv, which makes the environments: `pip install uv`")
    project = Project(tmp_path_factory.mktemp("conda"))
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    probe = {"model": "r2plus1d_18_k400", "method": "knn"}
    project.configure(config | {"probes": {"neighbours": probe}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{STAND_IN}:{os.environ['PATH']}")
        # Without bytecode each process would compile torch anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        project.run("all", "probes", "--sdm", "conda")
    return project


@pytest.fixture(scope="session")
def slurm():
    """A running SLURM, to which sbatch and its like talk."""
    if reason := own.missing():
        pytest.skip(reason)
    with own.running() as slurm, pytest.MonkeyPatch.context() as patch:
        for name, value in slurm.environment.items():
            patch.setenv(name, value)
        yield slurm

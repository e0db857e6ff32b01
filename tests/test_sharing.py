"""One workflow for several projects, one build for several users."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.projects import ROOT, SNAKEMAKE, Project, make_video

FOLDERS = ("rules", "scripts", "models", "envs", "config", "profiles")
# Root may do anything; without these it is a user like others.
POWERS = "-chown,-dac_override,-dac_read_search,-fowner"
AS_A_USER = ["setpriv", "--bounding-set", POWERS] if os.geteuid() == 0 else []


class Elsewhere(Project):
    """A project whose workflow is somebody else's copy, run as a user without powers.

    Attributes:
        workflow: the folder of the Snakefile.
        umask: of the user.
    """

    def __init__(self, folder: Path, workflow: Path, umask: int = 0o022):
        super().__init__(folder)
        self.workflow, self.umask = workflow, umask

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start the workflow from a third place."""
        command = [*AS_A_USER, str(SNAKEMAKE), *arguments, "--cores", "2"]
        command += ["--snakefile", str(self.workflow / "Snakefile")]
        command += ["--directory", str(self.folder)]
        command += ["--configfile", str(self.folder / "config.yaml")]
        with (self.folder / "output.txt").open("w") as output:
            return subprocess.Popen(
                command,
                cwd="/",
                env=os.environ | {"PATH": f"{SNAKEMAKE.parent}:{os.environ['PATH']}"},
                stdout=output,
                stderr=subprocess.STDOUT,
                umask=self.umask,
            )


@pytest.fixture(autouse=True)
def _needs_setpriv():
    if AS_A_USER and not shutil.which("setpriv"):
        pytest.skip("root needs setpriv, of util-linux, to act as a user")


@pytest.fixture
def shared(tmp_path) -> Elsewhere:
    """A project of two videos, and a workflow in a folder that cannot be written to."""
    workflow = tmp_path / "workflow"
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, workflow / name, ignore=ignored)
    shutil.copy(ROOT / "Snakefile", workflow)
    for path in [workflow, *workflow.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    project = Elsewhere(tmp_path / "build", workflow)
    for name in ("one", "two"):
        make_video(project.folder / f"videos/{name}.mp4")
    dataset = {"source": {"folder": "videos"}}
    project.configure({"datasets": {"shared": dataset}})
    return project


def test_a_workflow_that_cannot_be_written_to_builds_elsewhere(shared):
    before = sorted(shared.workflow.rglob("*"))
    shared.run("lists")
    lists = shared.folder / "results/shared/splits/ibm/default"
    assert len((lists / "all.txt").read_text().splitlines()) == 2
    assert sorted(shared.workflow.rglob("*")) == before


def of_another_user(folder: Path) -> None:
    """Give all below a folder to somebody else, who is in our group."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 12345, os.getegid(), follow_symlinks=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_second_user_of_the_group_goes_on_with_a_build(shared):
    shared.umask = 0o002
    shared.folder.chmod(0o2775)
    shared.run("clips")
    of_another_user(shared.folder)
    make_video(shared.folder / "videos/three.mp4")

    shared.run("lists")

    clips = shared.folder / "results/shared/clips/default/00000"
    assert {path.stem: path.stat().st_uid for path in clips.iterdir()} == {
        "one.mp4": 12345,
        "two.mp4": 12345,
        "three.mp4": 0,
    }
    # And the first user could go on with what the second one has made.
    alone = [
        path
        for path in (shared.folder / "results").rglob("*")
        if not path.stat().st_mode & stat.S_IWGRP
    ]
    assert alone == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_build_that_its_group_may_not_write_to_says_so(shared):
    shared.run("clips")
    of_another_user(shared.folder / "results")
    output = shared.run("lists", status=1)
    assert "Permission denied: 'results/shared/splits'" in output
    assert "Traceback" not in output


def test_another_workflow_takes_it_as_a_module(tmp_path):
    project = Project(tmp_path)
    make_video(tmp_path / "videos/left/one.mp4")
    (tmp_path / "Snakefile").write_text(f"""
module reelset:
    snakefile: {str(ROOT / "Snakefile")!r}
    config: config["videos"]

use rule * from reelset as reelset_*

rule count:
    default_target: True
    input: "results/mine/splits/ibm/default"
    output: "count.txt"
    shell: "wc -l < {{input}}/all.txt > {{output}}"
""")
    dataset = {"source": {"folder": "videos"}}
    project.configure({"videos": {"datasets": {"mine": dataset}}})
    command = [SNAKEMAKE, "--cores", "2", "--configfile", "config.yaml"]
    path = f"{SNAKEMAKE.parent}:{os.environ['PATH']}"
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, check=True)
    assert (tmp_path / "count.txt").read_text().strip() == "1"

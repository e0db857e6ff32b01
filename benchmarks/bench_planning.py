"""What Snakemake's planning of a large dataset costs: CPU time and memory.

A project of 500,000 videos in 1,000 shards with 5 models is made in a temporary folder:
the videos are empty files and build_index indexes them for real. Then these cases are
run through the real Snakefile with its default profile, and measured:

parse      `snakemake --list-rules`
fresh      a dry run; the index is there and nothing behind it: every job is planned
no-op      a run; everything is there and up to date, with provenance
changed    a dry run; the step of one model is another

The baseline is `bare.smk` in the same rounds: the same jobs behind the index, but for a
handful, with nothing that they do, and for parsing an empty Snakefile. For the no-op
every output of every rule is written as a small file, and Snakemake told that its job
has made it. CPU time is user and system time; it depends little on what else the
machine does.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import spread
from scripts.common.index import read_shards
from tests.projects import SNAKEMAKE, Project

DATASET = "big"
CLASSES = 400
CASES = ("parse", "fresh", "no-op", "changed")
TARGETS = """\
targets for the no-op: 15 CPU s and 400 MB with 1,000 shards and 5 models, 40 CPU s and
800 MB with 2,000 and 15; for parsing 1 s above an empty Snakefile"""
# In place of running jobs Snakemake notes of all that they are done; `--touch` sends
# them through the scheduler, for minutes.
BLESS = """
from snakemake.scheduling.job_scheduler import JobScheduler

def bless(scheduler):
    workflow = scheduler.workflow
    for job in workflow.dag.jobs:
        workflow.async_run(workflow.persistence.finished(job))
    return True

JobScheduler.schedule = bless
from snakemake.cli import main; main()
"""


@dataclass(frozen=True)
class Usage:
    """What a program took until its end: seconds, seconds of CPU, MB at its peak."""

    wall: float
    cpu: float
    rss: float
    output: str


def measure(command: list[str], folder: Path) -> Usage:
    """Run a program in a folder to its end.

    Raises:
        RuntimeError: it failed; the message is what it printed.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = os.times().elapsed
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = os.times().elapsed - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{text}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


class Ours(Project):
    """The real workflow on a folder of empty videos, indexed."""

    def __init__(self, folder: Path, videos: int, shards: int, models: int):
        """Make the videos, the configuration and the index."""
        super().__init__(folder)
        for number in range(CLASSES):
            label = folder / "videos" / f"class_{number:03d}"
            label.mkdir(parents=True)
            for video in range(number, videos, CLASSES):
                (label / f"v_{video:06d}.mp4").touch()
        source = {"folder": "videos"}
        self.configure(
            {
                "datasets": {DATASET: {"source": source, "shards": shards}},
                "models": {f"model{n}": model_entry(n) for n in range(models)},
            }
        )
        self.run(f"results/{DATASET}/index/videos.tsv")

    def outputs(self) -> list[str]:
        """Return all files that the rules behind the index make, in their order."""
        results = f"results/{DATASET}"
        shards = read_shards(self.folder / results / "index/shards.tsv")
        names = [f"{results}/clips/default/{shard}.tsv" for shard in shards]
        for model in self.config["models"]:
            features = f"{results}/features/{model}"
            names.append(f"resources/checkpoints/{model}.json")
            names += [f"{features}/{shard}.tsv" for shard in shards]
            names += [f"{features}.h5", f"{features}.tsv"]
        names.append(f"{results}/splits/ibm/default/all.txt")
        last = ("report.html", "failures.tsv", "checked.txt")
        return names + [f"{results}/{name}" for name in last]

    def change(self) -> None:
        """Give one model another step."""
        config = self.config
        config["models"]["model0"]["step"] += 100
        self.configure(config)


class Bare(Project):
    """The same graph, without all that ours does."""

    def __init__(self, folder: Path, shards: int, models: int):
        """Make the tables of the shards and the configuration."""
        super().__init__(folder)
        shutil.copy(Path(__file__).with_name("bare.smk"), folder / "Snakefile")
        self._shards = [f"{number:05d}" for number in range(shards)]
        steps = {f"model{n}": 8 + n for n in range(models)}
        self.configure({"shards": shards, "models": models, "steps": steps})
        write(folder, [f"shards/{shard}.tsv" for shard in self._shards])

    def command(self, *arguments: str) -> list[str]:
        """Return the command line, with the scheduler of our profile."""
        command = [str(SNAKEMAKE), *arguments, "--cores", "2", "--scheduler", "greedy"]
        return [*command, "--configfile", "config.yaml"]

    def outputs(self) -> list[str]:
        """Return all files that the rules make, in their order."""
        names = [f"clips/{shard}.tsv" for shard in self._shards]
        for model in self.config["steps"]:
            names.append(f"checkpoints/{model}.json")
            names += [f"features/{model}/{shard}.tsv" for shard in self._shards]
            names.append(f"features/{model}.h5")
        return names

    def change(self) -> None:
        """Give one model another step."""
        config = self.config
        config["steps"]["model0"] += 100
        self.configure(config)


def model_entry(number: int) -> dict:
    """Return an entry of the config that no other number has."""
    model = ("s3d_k400", "r2plus1d_18_k400")[number % 2]
    return {"model": model, "checkpoint": "random", "step": 8 + number}


def write(folder: Path, names: Iterable[str]) -> None:
    """Write small files, one after the other."""
    for parent in {(folder / name).parent for name in names}:
        parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("x\n")


def finish(project: Ours | Bare) -> None:
    """Write every output of a project, and let Snakemake believe that it made them."""
    write(project.folder, project.outputs())
    _, *arguments = project.command("--forcerun", "aggregate_features")
    measure([sys.executable, "-c", BLESS, *arguments], project.folder)


def compare(case: str, commands: dict[str, list[Usage]]) -> None:
    """Print what a case took, and what ours took of each resource for one of bare's."""
    for name, runs in commands.items():
        cpu = spread([run.cpu for run in runs])
        wall = spread([run.wall for run in runs])
        rss = max(run.rss for run in runs)
        print(f"{case:8} {name:5} CPU {cpu} s, wall {wall} s, {rss:.0f} MB")
    pairs = list(zip(commands["ours"], commands["bare"], strict=True))
    cpu = spread([ours.cpu / bare.cpu for ours, bare in pairs])
    rss = spread([ours.rss / bare.rss for ours, bare in pairs])
    print(f"{case:8} ours / bare: CPU {cpu}, memory {rss}", flush=True)


def in_turn(projects: dict[str, Project], arguments: list[str], repeats: int) -> dict:
    """Run one command in each project, round after round, and return what it took."""
    runs: dict[str, list[Usage]] = {name: [] for name in projects}
    for _ in range(repeats):
        for name, project in projects.items():
            command = project.command(*arguments)
            runs[name].append(measure(command, project.folder))
    return runs


def parse(projects: dict[str, Project], repeats: int) -> dict:
    """Measure parsing, and the same of an empty Snakefile in place of the bare one."""
    empty = projects["bare"].folder / "empty.smk"
    empty.touch()
    arguments = ["--list-rules", "--snakefile", str(empty)]
    floor = in_turn({"bare": projects["bare"]}, arguments, repeats)
    return in_turn({"ours": projects["ours"]}, ["--list-rules"], repeats) | floor


def insist_on_nothing(runs: dict[str, list[Usage]]) -> None:
    """Check that Snakemake found all up to date, and knew how everything was made.

    Raises:
        RuntimeError: it did not; the message is what it printed.
    """
    for run in (run for of_one in runs.values() for run in of_one):
        if "Nothing to be done" not in run.output or "provenance" in run.output:
            raise RuntimeError(f"not up to date:\n{run.output}")


def main() -> None:
    """Make the projects and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_planning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=int, default=500_000)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="rounds of each case")
    parser.add_argument("--case", nargs="+", choices=CASES, default=CASES)
    arguments = parser.parse_args()
    shards, models, repeats = arguments.shards, arguments.models, arguments.repeats
    print(f"{arguments.videos} videos, {shards} shards, {models} models; {TARGETS}")
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("ours", "bare")}
        for folder in folders.values():
            folder.mkdir()
        projects = {
            "ours": Ours(folders["ours"], arguments.videos, shards, models),
            "bare": Bare(folders["bare"], shards, models),
        }
        if "parse" in arguments.case:
            compare("parse", parse(projects, repeats))
        if "fresh" in arguments.case:
            compare("fresh", in_turn(projects, ["--dry-run"], repeats))
        if {"no-op", "changed"}.isdisjoint(arguments.case):
            return
        for project in projects.values():
            finish(project)
        if "no-op" in arguments.case:
            runs = in_turn(projects, [], repeats)
            insist_on_nothing(runs)
            compare("no-op", runs)
        if "changed" in arguments.case:
            for project in projects.values():
                project.change()
            compare("changed", in_turn(projects, ["--dry-run"], repeats))


if __name__ == "__main__":
    main()

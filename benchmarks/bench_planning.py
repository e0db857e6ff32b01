"""What Snakemake's planning of a large dataset costs: CPU time and memory.

A project of 500,000 videos in 1,000 shards with 5 models is made in a temporary folder:
the videos are empty files and build_index indexes them for real. Then these are run
through the real Snakefile with its default profile, and measured:

parse           `snakemake --list-rules`, and the same on an empty Snakefile: the floor
fresh dry run   the index is there and nothing behind it, so that every job is planned
no-op dry run   everything is there and up to date, with provenance
no-op run       the same without --dry-run
demo dry run    the demo as it stands, where there is one

For the no-op every output of every rule is written as a small file, and blessed by
`snakemake --touch --forceall`. CPU time is user and system time;
it depends little on what else the machine does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import spread
from scripts.common.index import read_shards
from tests.projects import ROOT, SNAKEMAKE, Project

DATASET = "big"
CLASSES = 400
TARGETS = """\
targets for the no-op: 15 CPU s and 400 MB with 1,000 shards and 5 models, 40 CPU s and
800 MB with 2,000 and 15; for parsing 1 s above the floor"""
# --touch waits 0.1 s before each job for file systems that count time in seconds.
TOUCH = (
    "from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0;"
    "from snakemake.cli import main; main()"
)


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


def make_project(folder: Path, videos: int, shards: int, models: int) -> Project:
    """Make a folder of empty videos, the configuration and the index."""
    for number in range(CLASSES):
        label = folder / "videos" / f"class_{number:03d}"
        label.mkdir(parents=True)
        for video in range(number, videos, CLASSES):
            (label / f"v_{video:06d}.mp4").touch()
    project = Project(folder)
    source = {"folder": "videos"}
    project.configure(
        {
            "datasets": {DATASET: {"source": source, "shards": shards}},
            "models": {f"model{n}": model_entry(n) for n in range(models)},
        }
    )
    project.run(f"results/{DATASET}/index/videos.tsv")
    return project


def model_entry(number: int) -> dict:
    """Return an entry of the config that no other number has."""
    model = ("s3d_k400", "r2plus1d_18_k400")[number % 2]
    return {"model": model, "checkpoint": "random", "step": 8 + number}


def write_outputs(project: Project) -> None:
    """Write every file that the rules behind the index make, small, and bless it."""
    results = project.folder / "results" / DATASET
    shards = read_shards(results / "index" / "shards.tsv")
    names = [f"clips/default/{shard}.tsv" for shard in shards]
    for model in project.config["models"]:
        names.append(f"../../resources/checkpoints/{model}.json")
        names += [f"features/{model}/{shard}.tsv" for shard in shards]
        names += [f"features/{model}.h5", f"features/{model}.tsv"]
    names += ["splits/ibm/default/all.txt"]
    names += ["report.html", "failures.tsv", "checked.txt"]
    for name in names:
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    _, *arguments = project.command("--touch", "--forceall", "--quiet")
    # With room for all jobs at once the scheduler is asked a few times only.
    arguments += ["--cores", "100000", "--resources", "gpu=100000"]
    measure([sys.executable, "-c", TOUCH, *arguments], project.folder)


def report(name: str, command: list[str], folder: Path, repeats: int) -> list[Usage]:
    """Measure a command several times and print what it took."""
    runs = [measure(command, folder) for _ in range(repeats)]
    cpu, wall = spread([run.cpu for run in runs]), spread([run.wall for run in runs])
    rss = max(run.rss for run in runs)
    print(f"{name:16} CPU {cpu} s, wall {wall} s, {rss:.0f} MB", flush=True)
    return runs


def report_parsing(project: Project, repeats: int) -> None:
    """Measure parsing, and the same with nothing to parse."""
    (project.folder / "empty").mkdir()
    empty = project.folder / "empty" / "Snakefile"
    empty.touch()
    floor = [str(SNAKEMAKE), "--list-rules", "--snakefile", str(empty)]
    report("parse: floor", floor, project.folder, repeats)
    report("parse", project.command("--list-rules"), project.folder, repeats)


def insist_on_nothing(runs: list[Usage]) -> None:
    """Check that Snakemake found all up to date, and knew how everything was made.

    Raises:
        RuntimeError: it did not; the message is what it printed.
    """
    for run in runs:
        if "Nothing to be done" not in run.output or "provenance" in run.output:
            raise RuntimeError(f"not up to date:\n{run.output}")


def main() -> None:
    """Make the project and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_planning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=int, default=500_000)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each command")
    arguments = parser.parse_args()
    repeats = arguments.repeats
    print(
        f"{arguments.videos} videos, {arguments.shards} shards, {arguments.models}"
        f" models; {TARGETS}",
        flush=True,
    )
    if (ROOT / "results" / "demo").is_dir():
        demo = [str(SNAKEMAKE), "--dry-run", "--cores", "2"]
        report("demo dry run", demo, ROOT, repeats)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project = make_project(
            folder, arguments.videos, arguments.shards, arguments.models
        )
        report_parsing(project, repeats)
        dry, real = project.command("--dry-run"), project.command()
        report("fresh dry run", dry, folder, repeats)
        write_outputs(project)
        insist_on_nothing(report("no-op dry run", dry, folder, repeats))
        insist_on_nothing(report("no-op run", real, folder, repeats))


if __name__ == "__main__":
    main()

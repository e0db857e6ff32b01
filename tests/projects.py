"""Projects for tests: a directory in which the real workflow is run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")


def make_video(
    path: Path,
    seconds: float = 1.0,
    fps: int = 10,
    size: str = "160x120",
    seed: int = 0,
) -> None:
    """Encode a moving test picture; another seed starts it at another time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = f"testsrc2=size={size}:rate={fps}:duration={seconds + seed}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source]
    command += ["-ss", str(seed), "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True)


class Project:
    """A working directory with a configuration of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def config(self) -> dict:
        """The configuration, to be read, changed and written back by `configure`."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def configure(self, config: dict) -> None:
        """Write the configuration."""
        text = yaml.safe_dump(config, sort_keys=False)
        (self.folder / "config.yaml").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that a user would type."""
        command = [str(SNAKEMAKE), *arguments, "--snakefile", str(ROOT / "Snakefile")]
        command += ["--cores", "2"]
        if (self.folder / "config.yaml").exists():
            command += ["--configfile", "config.yaml"]
        return command

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start the workflow in a process group of its own, as a terminal does."""
        # A file, since a pipe would be held open by jobs that outlive Snakemake.
        with (self.folder / "output.txt").open("w") as output:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=os.environ | {"PATH": f"{SNAKEMAKE.parent}:{os.environ['PATH']}"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments: str, status: int | None = 0) -> str:
        """Run the workflow to its end and return what it printed; None: any status."""
        returned = self.start(*arguments).wait()
        output = (self.folder / "output.txt").read_text()
        assert status in (None, returned), output
        return output

    def executed(self, *arguments: str) -> set[str]:
        """Run the workflow; return the jobs that ran, as `rule/wildcards`."""
        before = time.time_ns()
        self.run(*arguments)
        logs = self.folder / "logs"
        return {
            str(log.relative_to(logs).with_suffix(""))
            for log in logs.glob("*/*.log")
            if log.stat().st_mtime_ns > before
        }

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule would run, without running them."""
        output = self.run("--dry-run", "--workflow-profile", "none", *arguments)
        table = re.search(r"^job +count\n[- ]+\n((?:\w+ +\d+\n)*)", output, re.M)
        lines = table[1].splitlines() if table else []
        return {rule: int(count) for rule, count in map(str.split, lines)}

    def wait_for(self, pattern: str, seconds: float = 60) -> None:
        """Wait until a file below the folder matches the pattern."""
        until = time.monotonic() + seconds
        while not any(path.stat().st_size for path in self.folder.glob(pattern)):
            assert time.monotonic() < until, f"no {pattern}"
            time.sleep(0.01)

    def kill(self, process: subprocess.Popen, how: int, group: bool = False) -> None:
        """Send a signal to Snakemake alone, or to all processes of its group."""
        if group:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        process.wait()
        if how == signal.SIGKILL:
            self.run("--unlock")

    def log(self, job: str) -> str:
        """Return a job's log."""
        return (self.folder / "logs" / f"{job}.log").read_text()

    def products(self, *folders: str) -> dict[str, bytes]:
        """Return the content of all files of some folders of the dataset."""
        results = self.folder / "results"
        return {
            str(path.relative_to(results)): path.read_bytes()
            for folder in folders
            for path in sorted(results.glob(f"*/{folder}/**/*"))
            if path.is_file() and path.suffix not in (".lock", ".journal")
        }

    def copy(self, folder: Path) -> "Project":
        """Return a copy with all times kept, which is up to date as this one is."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

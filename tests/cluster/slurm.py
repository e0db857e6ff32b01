"""A SLURM of one's own on this machine: real daemons, private ports, made-up GPUs.

`python -m tests.cluster.slurm COMMAND …` runs a command in one, for instance `bash`.

The node says that it has more cores and memory than there are, so that jobs of a real
size start; nothing but its own bookkeeping holds them to what they asked for.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
PACKAGES = "munge slurm-wlm"

CONFIGURATION = """\
ClusterName=reelset
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
PlugStackConfig={folder}/plugstack.conf
TaskProlog={folder}/prolog
TaskEpilog={folder}/epilog
SwitchType=switch/none
MpiDefault=none
# Without cgroups, of which a container has none: memory is looked at once a second.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=3600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=64 RealMemory=256000 Gres=gpu:2
# Otherwise what waits for a GPU keeps the node from all that comes after it.
PartitionName=cpu Nodes={host} Default=YES PriorityTier=2
PartitionName=gpu Nodes={host}
"""
# Any two device files: SLURM gives them out and names them to the jobs.
GPUS = (
    "NodeName={host} Name=gpu File=/dev/null\nNodeName={host} Name=gpu File=/dev/zero"
)
# Runs as each task starts and ends.
NOTE = """\
#!/bin/sh
echo "$SLURM_JOB_ID {event} $(date +%s.%N) ${{CUDA_VISIBLE_DEVICES:-none}}" \
    >> {folder}/tasks
"""
# Snakemake's job steps call srun without the SLURM_* variables.
SRUN = """\
#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""


def missing() -> str | None:
    """Return what is to be installed before a SLURM can run here, or None."""
    programs = [name for name in PROGRAMS if not _program(name)]
    if programs:
        return f"there is no {programs[0]}: `sudo apt-get install {PACKAGES}`"
    return None


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Slurm:
    """A running SLURM; `environment` is what its users' processes need.

    Attributes:
        folder: configuration, logs and state.
        environment: variables to add to a process's own.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        }
        self._daemons: list[subprocess.Popen] = []

    def start(self) -> None:
        """Start the daemons and wait until jobs can run.

        Raises:
            RuntimeError: the node does not come up; what the daemons said is in it.
        """
        self._configure()
        socket, key = self.folder / "munge.socket", self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "seed",
        }
        paths = [f"--{name}={self.folder / file}" for name, file in files.items()]
        self._run(
            "munged",
            "--foreground",
            "--force",
            f"--socket={socket}",
            f"--key-file={key}",
            *paths,
        )
        self._wait("munge", socket.exists)
        self._run("slurmctld", "-D")
        self._run("slurmd", "-D")
        self._wait("the node", lambda: self.ask("sinfo", "-h", "-o", "%T") == "idle")

    def _configure(self) -> None:
        host = socket.gethostname().split(".")[0]
        port, node_port = _free_ports(2)
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        names = {"host": host, "port": port, "node_port": node_port, "user": user}
        names |= {"folder": self.folder, "srun": _program("srun")}
        self.folder.chmod(0o755)
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        for name, text in {
            "slurm.conf": CONFIGURATION,
            "gres.conf": GPUS,
            "plugstack.conf": "",
            "bin/srun": SRUN,
            "prolog": NOTE.replace("{event}", "begin"),
            "epilog": NOTE.replace("{event}", "end"),
        }.items():
            path = self.folder / name
            path.write_text(text.format(**names))
            path.chmod(0o755)

    def _run(self, program: str, *arguments: str) -> None:
        """Start a daemon that ends with this process at the latest."""
        command = ["setpriv", "--pdeathsig", "TERM", _program(program), *arguments]
        with (self.folder / f"{program}.log").open("a") as log:
            daemon = subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._daemons.append(daemon)

    def _wait(self, what: str, is_so, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                logs = sorted(self.folder.glob("*.log"))
                said = "\n".join(path.read_text()[-2000:] for path in logs)
                raise RuntimeError(f"{what} does not come up:\n{said}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Cancel what runs and end the daemons."""
        self.ask("scancel", f"--user={os.getuid()}")
        self.queue_after(seconds=30)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def ask(self, *command: str) -> str:
        """Run one of SLURM's programs and return what it prints."""
        result = subprocess.run(
            command,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return result.stdout.strip()

    def jobs(self) -> dict[str, tuple[str, str]]:
        """Return all jobs that ever were, by number: what Snakemake calls it, state."""
        lines = self.ask("squeue", "-h", "--states=all", "-o", "%A|%T|%k").splitlines()
        parts = [line.split("|", 2) for line in lines]
        return {number: (comment, state) for number, state, comment in parts}

    def limits(self) -> dict[str, list[int]]:
        """Return the minutes that jobs asked for, in their order, by name."""
        columns = "JobID:|,TimeLimit:|,Comment:300"
        limits: dict[str, list[int]] = {}
        lines = self.ask("squeue", "-h", "--states=all", "-O", columns).splitlines()
        for line in sorted(lines, key=lambda line: int(line.partition("|")[0])):
            _, limit, name = line.split("|", 2)
            *hours, minutes, _ = map(int, limit.strip().split(":"))
            limits.setdefault(name.strip(), []).append(minutes + 60 * sum(hours))
        return limits

    def queue_after(self, seconds: float) -> list[str]:
        """Return the numbers of the jobs that do not end by themselves in a while."""
        until = time.monotonic() + seconds
        while (left := self.ask("squeue", "-h", "-o", "%A").split()) and (
            time.monotonic() < until
        ):
            time.sleep(0.2)
        return left

    def tasks(self) -> list[tuple[str, str, float, str]]:
        """Return what began and ended: job's number, event, seconds, its GPUs."""
        lines = (self.folder / "tasks").read_text().splitlines()
        parts = [line.split() for line in lines]
        return [(job, event, float(time), gpus) for job, event, time, gpus in parts]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running() -> Iterator[Slurm]:
    """Have a SLURM, and end it."""
    # A socket's path may be 108 characters long, and pytest's folders are longer.
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        slurm = Slurm(Path(folder))
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.stop()


def main() -> int:
    """Run a command in a SLURM that ends with it."""
    if reason := missing():
        sys.exit(reason)
    command = sys.argv[1:] or ["bash"]
    with running() as slurm:
        return subprocess.run(command, env=os.environ | slurm.environment).returncode


if __name__ == "__main__":
    sys.exit(main())

"""Which GPU a job takes: each is lent to one job of this machine at a time.

Nothing here knows torch: a GPU has to be chosen before CUDA is started.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus() -> list[str]:
    """Return the UUIDs of the GPUs that the driver shows this process.

    On a cluster that confines its jobs, these are the job's own. UUIDs are theirs for
    all processes, as numbers are not.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    shown = subprocess.run(command, capture_output=True, text=True)
    return shown.stdout.split() if shown.returncode == 0 else []


def allowed(shown: Sequence[str], visible: str | None) -> list[str]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves of those that there are.

    Args:
        shown: UUIDs, in the driver's order.
        visible: the variable: numbers or UUIDs, parts of a GPU too; None leaves all.

    >>> allowed(["GPU-a", "GPU-b"], "1")
    ['GPU-b']
    """
    if visible is None:
        return list(shown)
    chosen = []
    for name in filter(None, visible.replace(" ", "").split(",")):
        if name.lstrip("-").isdigit():
            if not 0 <= int(name) < len(shown):
                break  # CUDA does not look beyond either
            name = shown[int(name)]
        chosen.append(name)
    return chosen


@contextlib.contextmanager
def leased(devices: Sequence[str], folder: Path) -> Iterator[str]:
    """Hold one of the devices; wait until one is free. A killed holder holds nothing.

    Args:
        devices: names, one or more.
        folder: where the locks are, the same for all processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = False
    with contextlib.ExitStack() as stack:
        files = [
            (device, stack.enter_context((folder / f"{device}.lock").open("a")))
            for device in devices
        ]
        while True:
            for device, file in files:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    yield device
                    return
            if not said:
                print(f"waiting for one of {len(devices)} GPUs", file=sys.stderr)
                said = True
            time.sleep(0.2)


@contextlib.contextmanager
def own_gpu() -> Iterator[str | None]:
    """Hold a GPU and let CUDA see no other; None where there is none."""
    before = os.environ.get(VISIBLE)
    devices = allowed(gpus(), before)
    if not devices:
        yield None
        return
    folder = Path(tempfile.gettempdir()) / f"reelset-gpus-{os.getuid()}"
    with leased(devices, folder) as device:
        os.environ[VISIBLE] = device
        try:
            yield device
        finally:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before

"""Which GPU a job takes: each is lent to one job of this machine at a time.

Nothing here knows torch: a GPU has to be chosen before CUDA is started.
"""

import contextlib
import fcntl
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"


class TooFew(ValueError):
    """There are fewer GPUs than a job needs."""


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


def visible() -> list[str]:
    """Return the GPUs that are there for this process."""
    return allowed(gpus(), os.environ.get(VISIBLE))


@contextlib.contextmanager
def leased(devices: Sequence[str], folder: Path, count: int = 1) -> Iterator[list[str]]:
    """Hold some of the devices; wait until they are free. The killed hold nothing.

    Args:
        devices: names, at least `count`.
        folder: where the locks are, the same for all processes.
        count: how many to hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = False
    with contextlib.ExitStack() as stack:
        files = [
            (device, stack.enter_context((folder / f"{device}.lock").open("a")))
            for device in devices
        ]
        while True:
            held = []
            for device, file in files:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    held.append((device, file))
                if len(held) == count:
                    yield [device for device, _ in held]
                    return
            # Two that held some each would wait for each other.
            for _, file in held:
                fcntl.flock(file, fcntl.LOCK_UN)
            if not said:
                number = "one" if count == 1 else count
                print(f"waiting for {number} of {len(devices)} GPUs", file=sys.stderr)
                said = True
            # Not all at the same moments, again and again.
            time.sleep(random.uniform(0.1, 0.3))


@contextlib.contextmanager
def own_gpus(count: int = 1) -> Iterator[list[str]]:
    """Hold GPUs and let CUDA see no others; an empty list where there are none.

    Raises:
        TooFew: there are some, and fewer than asked for.
    """
    before = os.environ.get(VISIBLE)
    devices = visible()
    if not devices:
        yield []
        return
    if len(devices) < count:
        raise TooFew(f"{count} GPUs are asked for, and {len(devices)} are there")
    folder = Path(tempfile.gettempdir()) / f"reelset-gpus-{os.getuid()}"
    with leased(devices, folder, count) as held:
        os.environ[VISIBLE] = ",".join(held)
        try:
            yield held
        finally:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before


@contextlib.contextmanager
def own_gpu() -> Iterator[str | None]:
    """Hold a GPU and let CUDA see no other; None where there is none."""
    with own_gpus() as held:
        yield held[0] if held else None

"""Programs that we run: never through a shell, and none outlives an interrupted job."""

import contextlib
import signal
import subprocess
import threading
from collections.abc import Sequence

from scripts.common.tables import Failure

_running: set[subprocess.Popen] = set()
_lock = threading.Lock()
_stopping = threading.Event()


class Stopped(Exception):
    """The job was told to stop while it worked on a video."""


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its exit status, output and errors.

    It gets a session of its own, so that Ctrl-C reaches this process alone, which then
    stops the program and does not take its death for the video's fault.

    Raises:
        Failure: `killed`, when a signal ended the program.
        Stopped: `stop_all` ended it.
    """
    with _lock:
        if _stopping.is_set():
            raise Stopped
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        _running.add(process)
    try:
        output, errors = process.communicate()
    finally:
        with _lock:
            _running.discard(process)
    if _stopping.is_set():
        raise Stopped
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise Failure("killed", f"{command[0]} was ended by {name}")
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def raise_if_stopping() -> None:
    """Leave work that is done in this process, and would go on for long.

    Raises:
        Stopped: `stop_all` was called.
    """
    if _stopping.is_set():
        raise Stopped


def stop_all() -> None:
    """End the running programs and refuse to start others."""
    with _lock:
        _stopping.set()
        for process in _running:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

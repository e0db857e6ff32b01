"""What ends a job before its work is done: Ctrl-C, SIGTERM, a dead Snakemake."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

# Names the variable in which the workflow gives its process id to its jobs.
PARENT = "REELSET_SNAKEMAKE"

# After which a SIGTERM that had no effect is repeated; cleaning up takes less.
SECONDS_UNHEARD = 5


class Terminated(BaseException):
    """SIGTERM arrived: a time limit, a preemption or a user's kill."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block by exceptions, so that it can clean up.

    Raises:
        SystemExit: in place of KeyboardInterrupt (130) and of Terminated (143).
    """

    def terminate(*_):
        # Python drops what is raised in a finaliser: it comes again until it is heard.
        signal.setitimer(signal.ITIMER_REAL, SECONDS_UNHEARD)
        raise Terminated

    heeded = (signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, terminate) for number in heeded]
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except Terminated:
        sys.exit(143)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(heeded, before, strict=True):
            signal.signal(number, handler)


def leave_if_abandoned() -> None:
    """Stop when the Snakemake that started the job has died.

    It would never record with which params the manifest was made, and a later change of
    them would go unseen. The next run takes over where the journal ends.

    Raises:
        SystemExit: it has.
    """
    parent = os.environ.get(PARENT)
    try:
        if parent:
            os.kill(int(parent), 0)
    except (ProcessLookupError, PermissionError):  # or its number is somebody else's
        sys.exit("stopped: the snakemake that started this job is gone")

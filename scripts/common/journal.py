"""What a shard's jobs have finished so far, one line a video, kept across kills."""

import fcntl
import json
import math
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.common import files
from scripts.common.tables import COLUMNS, Row

# A killed process loses nothing, a machine that loses its power this much.
SECONDS_BETWEEN_SYNCS = 1.0


class Journal:
    """The finished rows of one shard, by id; the last line about a video counts."""

    def __init__(self, path: Path):
        """Read the journal at the path; a line torn by a kill is passed over."""
        self.path = path
        self.rows: dict[str, Row] = {}
        self._file = None
        self._synced = -math.inf
        self._lines = 0
        if path.exists():
            for line in path.read_bytes().splitlines():
                self._lines += 1
                try:
                    row = Row(**json.loads(line))
                except (ValueError, TypeError):
                    continue
                self.rows[row.id] = row

    def append(self, row: Row) -> None:
        """Add a row; from then on it outlives this process.

        The disk is waited for once a second at most, and on closing.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
            if self._file.tell():
                # Ends a torn line; an empty one is passed over on reading.
                self._file.write(b"\n")
                self._lines += 1
        self._file.write(_line(row))
        self._file.flush()
        self._lines += 1
        self.rows[row.id] = row
        if time.monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def compact(self) -> None:
        """Have one line for each video in the file."""
        self.close()
        if self._lines == len(self.rows):
            return
        with files.atomic(self.path) as temporary:
            temporary.write_bytes(b"".join(map(_line, self.rows.values())))
        self._lines = len(self.rows)

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _line(row: Row) -> bytes:
    # ASCII escapes keep line separators and lone surrogates inside one valid line.
    values = {name: getattr(row, name) for name in COLUMNS}
    return json.dumps(values).encode() + b"\n"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the path; wait for another holder and say who it is.

    A job that outlived its killed Snakemake holds its shard's lock until it is done.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        while not _try_lock(file):
            file.seek(0)
            holder = file.read().strip() or "another process"
            print(f"waiting for {holder}, which works on {path.stem}", file=sys.stderr)
            _wait(file, seconds=30)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _try_lock(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(file, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not _try_lock(file):
        time.sleep(0.2)

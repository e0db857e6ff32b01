"""How far a job is: a bar on a terminal, lines in a log."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from scripts.common.tables import Row


class Progress:
    """A bar on a terminal; in a log, a line every `seconds`."""

    def __init__(
        self, label: str, total: int, note: Callable[[], str], seconds: float = 30
    ):
        """Begin at none of `total` videos; `note` is asked for a word to add."""
        self._total, self._note, self._seconds = total, note, seconds
        self._finished = self._failed = 0
        self._start = self._said = time.monotonic()
        self._bar = tqdm(
            total=total, desc=label, unit="video", disable=not sys.stderr.isatty()
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def count(self, row: Row) -> None:
        """Count a finished video and say why it failed, if it did."""
        self._finished += 1
        if not row.ok:
            self._failed += 1
            self._bar.write(f"{row.id}: {row.status}: {row.message}", file=sys.stderr)
        failed = f"{self._failed} failed, " * bool(self._failed)
        self._bar.set_postfix_str(failed + self._note(), refresh=False)
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and now - self._said > self._seconds:
            rate = self._finished / (now - self._start)
            left = (self._total - self._finished) / rate
            print(
                f"{self._finished} of {self._total} videos, {self._failed} failed,"
                f" {rate:.2f} videos/s, {left:.0f} s left {self._note()}".rstrip(),
                flush=True,
            )
            self._said = now

"""Where a job's time goes: seconds by kind of work, windows, windows a second."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.common import files, tables

# What a job of extraction does in turn, and what its other threads do meanwhile:
# on a CPU they resize.
IN_TURN = ("load", "wait for frames", "transfer and resize", "network")
BESIDE = ("decode", "resize", "write")


class Stopwatch:
    """Counts from its making.

    Attributes:
        videos, windows: that are done.
        parts: seconds by what they were spent on. Workers beside each other count
            together, so that these may add up to more than has passed.
    """

    def __init__(self):
        self.videos = self.windows = 0
        self.parts: dict[str, float] = {}
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._start

    def add(self, part: str, seconds: float) -> None:
        """Count seconds for a part."""
        self.parts[part] = self.parts.get(part, 0.0) + seconds

    @contextlib.contextmanager
    def measured(self, part: str) -> Iterator[None]:
        """Count the time that the block takes."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(part, time.perf_counter() - begin)

    def waiting(self, part: str, items: Iterable) -> Iterator:
        """Yield the items; count the time that each is waited for."""
        iterator = iter(items)
        while True:
            with self.measured(part):
                item = next(iterator, self)
            if item is self:
                return
            yield item

    def rate(self) -> str:
        """Return the windows a second, in words."""
        return f"{self.windows / max(self.seconds, 1e-9):.2f} windows/s"

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {time:.1f} s" for name, time in self.parts.items())
        return f"{self.windows} windows in {self.seconds:.1f} s, {self.rate()}: {parts}"

    def record(self, path: Path, **about) -> None:
        """Write the figures to a table of one row, under what is given about them."""
        counts = {"videos": self.videos, "windows": self.windows}
        row = about | counts | {"seconds": self.seconds} | self.parts
        cells = [f"{v:.3f}" if isinstance(v, float) else v for v in row.values()]
        files.write_text(path, tables.render_records(row, [cells]))

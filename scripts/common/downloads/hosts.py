"""Manners towards hosts: pauses between requests, and leaving alone who refuses."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from scripts.common import files
from scripts.common.downloads.settings import Settings
from scripts.common.ids import slug

# Answers that concern the asking, not the video.
REFUSALS = frozenset({"bot_check", "rate_limited"})


@dataclass(frozen=True)
class Cooldown:
    """Until when a host is left alone, and why.

    Attributes:
        host: who refused.
        until: seconds since 1970.
        reason: one of REFUSALS.
        message: what the host said last.
        times: how often in a row.
    """

    host: str
    until: float
    reason: str
    message: str
    times: int

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.until).strftime("%Y-%m-%d %H:%M:%S")
        return (
            f"{self.host} is left alone until {until}, because it said {self.times}"
            f" times in a row: {self.reason}: {self.message}"
        )


class Hosts:
    """All hosts of a job; cool-downs are files, which other jobs and later runs see."""

    def __init__(self, settings: Settings, folder: Path):
        """Begin without refusals; the folder holds the cool-downs."""
        self._settings, self._folder = settings, folder
        self._asked: dict[str, float] = {}
        self._refused: dict[str, tuple[str, int]] = {}

    def path(self, host: str) -> Path:
        """Return the file that tells of the host's cool-down."""
        return self._folder / f"cooldown-{slug(host or 'nowhere')}.json"

    def cooldown(self, host: str) -> Cooldown | None:
        """Return the host's cool-down if it lasts."""
        try:
            text = self.path(host).read_text(encoding="utf-8")
            cooldown = Cooldown(**json.loads(text))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return cooldown if cooldown.until > time.time() else None

    def wait(self, host: str) -> None:
        """Sleep what is left of the pause since the last video of the host."""
        if host in self._asked:
            passed = time.monotonic() - self._asked[host]
            time.sleep(max(0.0, self._settings.sleep - passed))

    def answered(self, host: str, reason: str = "ok", message: str = "") -> None:
        """Take note of how a host answered; begin a cool-down where it refuses.

        A video that is gone says nothing about the host's patience: only a success
        ends a row of refusals.
        """
        self._asked[host] = time.monotonic()
        if reason == "ok":
            self._refused.pop(host, None)
        if reason not in REFUSALS:
            return
        before, times = self._refused.get(host, (reason, 0))
        times = times + 1 if before == reason else 1
        self._refused[host] = reason, times
        if times >= self._settings.stop_after:
            del self._refused[host]
            until = time.time() + self._settings.cooldown
            cooldown = Cooldown(host, until, reason, message, times)
            files.write_text(self.path(host), json.dumps(asdict(cooldown)) + "\n")

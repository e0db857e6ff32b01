"""What the benchmarks share: runs measured in turn, and medians of ratios."""

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a piece of work took, the programs that it ran included.

    Attributes:
        wall: seconds by the clock.
        cpu: seconds of user and system time.
    """

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> Cost:
    """Do a piece of work and return what it took."""
    start, before = time.perf_counter(), _cpu()
    work()
    return Cost(time.perf_counter() - start, _cpu() - before)


def _cpu() -> float:
    """Return the CPU time of this process and of the programs that it waited for."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def in_turn(
    contenders: Mapping[str, Callable[[], Cost]], repeats: int
) -> dict[str, list[Cost]]:
    """Return what each contender took; other load on the machine hits all alike.

    Every round runs each of them once, and begins with another one.
    """
    names = list(contenders)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(repeats):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            costs[name].append(contenders[name]())
    return costs


def show(what: str, costs: dict[str, list[Cost]], items: int, unit: str) -> None:
    """Print the throughput of all, and that of `ours` over that of each other one."""
    ours = costs["ours"]
    for name, theirs in costs.items():
        rates = spread([items / cost.wall for cost in theirs])
        print(f"{what:18} {name:17} {rates} {unit}/s")
    for name, theirs in costs.items():
        if name == "ours":
            continue
        pairs = list(zip(theirs, ours, strict=True))
        wall = spread([their.wall / our.wall for their, our in pairs])
        cpu = spread([their.cpu / our.cpu for their, our in pairs])
        print(f"{what:18} ours / {name}: {wall}; by CPU time: {cpu}")


def spread(figures: list[float], digits: int = 2) -> str:
    """Return `median (smallest to largest)`."""
    middle, low, high = statistics.median(figures), min(figures), max(figures)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0))

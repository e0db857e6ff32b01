"""Threads that decode several videos at a time, and no more ahead than a few pieces."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from scripts.common.engine.decoding import Piece, Reader
from scripts.common.engine.windows import Sampling
from scripts.common.tables import Failure, Row

# A video, and the names of the models whose features it lacks.
Task = tuple[Row, tuple[str, ...]]
Made = TypeVar("Made")


def decoded(
    tasks: Sequence[Task],
    samplings: Mapping[str, Sampling],
    read: Reader,
    use: Callable[[Piece], Made],
    threads: int,
) -> Iterator[tuple[Task, Made | Failure]]:
    """Yield what is made of the pieces of videos; those of one video come in order.

    The workers end with the generator: close it. A bug in one of them is raised here.

    Args:
        tasks: the videos.
        samplings: the windows, by the name of who wants them.
        read: gives a video's pieces.
        use: makes of a piece what is yielded, in the worker that has read it.
        threads: workers, and threads of torch that they may take together.
    """
    # The bound keeps memory constant however far decoding could run ahead.
    ready: queue.Queue = queue.Queue(maxsize=threads + 2)
    stopped = threading.Event()
    workers = max(1, min(threads, len(tasks)))

    def put(*item) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def decode(task: Task) -> None:
        row, names = task
        try:
            for piece in read(row, {name: samplings[name] for name in names}):
                put(task, use(piece))
                if stopped.is_set():
                    return
        except Failure as failure:
            put(task, failure)
        except Exception as bug:
            put(None, bug)
        put(task, None)

    pool = ThreadPoolExecutor(
        workers, initializer=torch.set_num_threads, initargs=(threads // workers,)
    )
    try:
        for task in tasks:
            pool.submit(decode, task)
        unfinished = len(tasks)
        while unfinished:
            task, made = ready.get()
            if task is None:
                raise made
            if made is None:
                unfinished -= 1
            else:
                yield task, made
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)

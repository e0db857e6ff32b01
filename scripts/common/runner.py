"""The shard runner: every stage's job, with resume, parallelism, progress and manifest.

A stage says how one video is done (`each`), or turns a stream of videos into a stream
of results (`run_shard` itself). All else is here:

    table (rows to do)  ->  what the journal holds stands  ->  the rest is worked on
                        ->  each finished row to the journal  ->  manifest (every row)

A finished video is not done again while its key and its file stand: not after SIGKILL,
not after a change that concerns other videos, not when a job is merely run again.
"""

import argparse
import contextlib
import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.common import (
    cli,
    files,
    journal,
    members,
    processes,
    tables,
    workload,
)
from scripts.common.ids import fingerprint
from scripts.common.interruptions import Terminated, leave_if_abandoned, stoppable
from scripts.common.progress import Progress
from scripts.common.tables import Failure, Row

# Takes rows to do, each with the key that its result will bear; yields finished rows.
Process = Callable[[Iterable[Row]], Generator[Row]]


@dataclass(frozen=True)
class Job:
    """One shard of one stage.

    Attributes:
        stage: name of the rule.
        table: shard table, or the manifest of the stage before.
        manifest: the table that the job makes.
        options: what decides about the results, incl. the stage's `version`.
        retry: reasons that are tried again, once in this job and in each later one.
        threads: how many videos at a time, or threads for the stage to use as it likes.
    """

    stage: str
    table: Path
    manifest: Path
    options: dict
    retry: frozenset[str] = field(default_factory=frozenset)
    threads: int = 1

    @property
    def folder(self) -> Path:
        """The directory of the shard's products, beside the manifest."""
        return self.manifest.with_suffix("")

    def key(self, row: Row) -> str:
        """Return the key of the result that this job makes of an input row."""
        return fingerprint(stage=self.stage, options=self.options, input=row.key)


def parse_job(stage: str, description: str, argv: list[str] | None = None) -> Job:
    """Return the job that the command line describes; `--help` explains it."""
    parser = cli.command(stage, description)
    add_job_arguments(parser)
    return job_from(stage, parser.parse_args(argv))


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every stage's script takes."""
    parser.add_argument(
        "--table",
        type=Path,
        required=True,
        metavar="TSV",
        help="the videos: a shard table or the manifest of the stage before",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        metavar="TSV",
        help="table to make, a row for every video; products go to the directory of"
        " the same name without .tsv",
    )
    cli.add_options(
        parser, "what decides about the result (see config/README.md), and `version`"
    )
    parser.add_argument(
        "--retry",
        type=json.loads,
        default=[],
        metavar="JSON",
        help="reasons to try again, for example '[\"killed\"]'",
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="videos at a time (default: 1)"
    )


def job_from(stage: str, arguments: argparse.Namespace) -> Job:
    """Return the job that parsed arguments describe."""
    return Job(
        stage,
        arguments.table,
        arguments.manifest,
        arguments.options,
        frozenset(arguments.retry),
        arguments.threads,
    )


def each(work: Callable[[Row], Row], threads: int) -> Process:
    """Make a process of a function that does one video, several videos at a time.

    The function returns the finished row, or raises Failure with the reason why there
    is none. Any other exception is a bug and ends the job.
    """

    def attempt(row: Row) -> Row:
        try:
            return work(row)
        except Failure as failure:
            return row.failed(failure.reason, str(failure))

    def process(rows: Iterable[Row]) -> Iterator[Row]:
        pool = ThreadPoolExecutor(threads)
        waiting = iter(rows)
        pending = set()
        try:
            while True:
                while len(pending) < 2 * threads and (row := next(waiting, None)):
                    pending.add(pool.submit(attempt, row))
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                # Results first: a bug ends the job, and must not lose its neighbours.
                for future in sorted(done, key=lambda f: f.exception() is not None):
                    yield future.result()
        finally:
            if pending:
                processes.stop_all()
            pool.shutdown(cancel_futures=True)

    return process


def product_stands(row: Row) -> bool:
    """Tell whether the file that a row names, inside a tar or not, has its size.

    A directory is moved to its place as a whole, so that its being there is enough.
    """
    path = Path(row.path)
    size = members.size(path)
    return path.is_dir() or (size is not None and size == row.bytes)


def run_shard(
    job: Job,
    process: Process,
    stands: Callable[[Row], bool] = product_stands,
    finish: Callable[[list[Row]], None] = lambda rows: None,
    note: Callable[[], str] = str,
    wanted: Callable[[Row], bool] = lambda row: True,
) -> list[Row]:
    """Bring a shard to its manifest, doing only what is missing; return its rows.

    Args:
        job: the shard and what to do with it.
        process: how videos are done.
        stands: tells whether the product of a finished row is still there.
        finish: called with all rows before the manifest is written.
        note: asked for a word on the progress, such as a rate.
        wanted: tells which videos of the table the stage is about, by default all.

    Raises:
        SystemExit: the job was interrupted (130), ended by SIGTERM (143), or found the
            disk full; what was finished is kept.
    """
    lock = job.manifest.with_suffix(".lock")
    with journal.locked(lock), files.room_needed(), stoppable():
        files.remove_leftovers(job.folder)
        files.remove_leftovers(job.folder.parent, f"{job.folder.name}.")
        done = journal.Journal(job.manifest.with_suffix(".journal"))
        text = None
        # An edit during the job would pass for what the job has read: look again.
        while text != (current := tables.read_text(job.table)):
            text = current
            inputs = list(filter(wanted, tables.parse(text)))
            rows = _do_missing(job, inputs, process, stands, done, note)
        leave_if_abandoned()
        finish(rows)
        done.compact()
        sha = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        made = workload.load(*workload.known_totals(rows))
        tables.write(job.manifest, rows, f"{job.stage} of table sha256 {sha}: {made}")
    return rows


def _do_missing(
    job: Job,
    inputs: list[Row],
    process: Process,
    stands: Callable[[Row], bool],
    done: journal.Journal,
    note: Callable[[], str],
) -> list[Row]:
    """Work off the rows without a result; return the results of all rows."""
    todo = missing(job, inputs, done, stands)
    kept = sum(row.ok for row in inputs) - len(todo)
    print(f"{job.stage} {job.folder}: {len(todo)} to do, {kept} done before")
    try:
        _work_off(job, todo, process, done, note)
        again = [row for row in todo if done.rows[row.id].status in job.retry]
        _work_off(job, again, process, done, note)
    except (KeyboardInterrupt, Terminated):
        finished = sum(_has_result(job, row, done) for row in inputs)
        print(f"stopped; {finished} finished videos of {len(inputs)} are kept")
        raise
    finally:
        done.close()
    return [done.rows[row.id] if row.ok else _passed_on(row) for row in inputs]


def missing(
    job: Job,
    inputs: Iterable[Row],
    done: journal.Journal,
    stands: Callable[[Row], bool],
) -> list[Row]:
    """Return the rows of a job's table that it has to work on.

    done, stands: the job's journal, and what tells whether a product is there.
    """
    return [row for row in inputs if row.ok and not _finished(job, row, done, stands)]


def _passed_on(row: Row) -> Row:
    """Return the row of a video that failed before: its reason goes down the chain."""
    return row.failed(row.status, row.message)


def _has_result(job: Job, row: Row, done: journal.Journal) -> bool:
    return row.ok and row.id in done.rows and done.rows[row.id].key == job.key(row)


def _finished(
    job: Job, row: Row, done: journal.Journal, stands: Callable[[Row], bool]
) -> bool:
    if not _has_result(job, row, done):
        return False
    result = done.rows[row.id]
    return stands(result) if result.ok else result.status not in job.retry


def _work_off(
    job: Job,
    todo: list[Row],
    process: Process,
    done: journal.Journal,
    note: Callable[[], str],
) -> None:
    """Do the rows, journal each result and show the progress."""
    if not todo:
        return
    inputs = {row.id: row for row in todo}
    # The rows go out under the key that their results will bear.
    keyed = (replace(row, key=job.key(row)) for row in todo)
    results = process(keyed)
    progress = Progress(job.stage, len(todo), note)
    with contextlib.closing(results), progress:
        for result in results:
            if result.key != job.key(inputs[result.id]):
                raise AssertionError(f"{job.stage} changed the key of {result.id}")
            done.append(result)
            progress.count(result)
            leave_if_abandoned()

"""A shard's features: one file a model, and several models on the same frames."""

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

from scripts.common import journal, runner, store, tables
from scripts.common.engine import features
from scripts.common.engine.features import Model
from scripts.common.engine.parts import Part, PartFile
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.flow import making
from scripts.common.ids import slug
from scripts.common.runner import Job
from scripts.common.tables import Failure, Row


class ShardStore:
    """The HDF5 file of a shard, and the parts that wait to be merged into it."""

    def __init__(self, job: Job):
        """Nothing is read yet: another job may still hold the shard."""
        self.path = job.manifest.with_suffix(".h5")
        self.parts = job.folder
        self._begun: dict[str, PartFile] = {}

    @cached_property
    def _keys(self) -> dict[str, str]:
        return store.keys(self.path)

    def part(self, row: Row) -> Path:
        """Return where a video's own file is kept until the shard is done."""
        return self.parts / f"{slug(row.id)}-{row.key}.h5"

    def add(self, row: Row, result: Part | Failure) -> Row | None:
        """Keep what there is of a video; return its finished row at the end of it."""
        if isinstance(result, Failure):
            self._discard(row.id)
            return row.failed(result.reason, str(result))
        if row.id not in self._begun:
            self._begun[row.id] = PartFile(self.part(row), row.id, row.key)
        self._begun[row.id].add(result)
        if not result.is_last:
            return None
        size = self._begun.pop(row.id).finish()
        return replace(row, path=str(self.path), bytes=size)

    def discard(self) -> None:
        """Drop what is there of videos that are not whole."""
        for video_id in list(self._begun):
            self._discard(video_id)

    def _discard(self, video_id: str) -> None:
        if video_id in self._begun:
            self._begun.pop(video_id).discard()

    def holds(self, row: Row) -> bool:
        """Tell whether a finished row's arrays are there."""
        return self._keys.get(slug(row.id)) == row.key or self.part(row).exists()

    def merge(self, rows: list[Row], provenance: dict) -> None:
        """Bring the file to exactly the rows that are ok, and drop the parts."""
        done = [row for row in rows if row.ok]
        wanted = {slug(row.id): row.key for row in done}
        if not self.path.exists() or wanted != self._keys:

            def place(row: Row) -> Path:
                part = self.part(row)
                return part if part.exists() else self.path

            sources = (
                (path, [row.id for row in group])
                for path, group in groupby(done, place)
            )
            store.merge(self.path, sources, provenance)
        shutil.rmtree(self.parts, ignore_errors=True)


class Shard:
    """A shard of one model: its job, how it is run, and its file.

    Attributes:
        complete: fills in what the options leave to the model.
    """

    complete = staticmethod(features.complete)

    def __init__(
        self,
        job: Job,
        weights: Path,
        batch_size: int | None,
        compiled: bool,
        flow_weights: Path | None = None,
        flow_batch_size: int = 8,
    ):
        """Complete the job's options by the tickets of the weights."""
        found, flow = _ticket(weights), _ticket(flow_weights)
        options = job.options
        if options.get("flow"):
            made = making.complete(options["flow"], flow["weights"])
            options = options | {"flow": made}
        options = self.complete(options, found["weights"], found.get("clips"))
        self.job = replace(job, options=options)
        self.model = Model(
            self.job.options,
            found["file"],
            batch_size,
            compiled,
            flow["file"],
            flow_batch_size,
        )
        self.name = job.manifest.parent.name
        self.store = ShardStore(job)

    @contextlib.contextmanager
    def opened(self) -> Iterator[journal.Journal]:
        """Hold the shard's lock and its journal."""
        manifest = self.job.manifest
        with journal.locked(manifest.with_suffix(".lock")):
            done = journal.Journal(manifest.with_suffix(".journal"))
            with contextlib.closing(done):
                yield done

    def wants(self, row: Row) -> bool:
        """Tell whether a video of the table is to be worked on: here, each."""
        return True

    def keep(self, row: Row, result: Part | Failure) -> Row | None:
        """Keep what there is of a row, which bears its key; return it when finished."""
        return self.store.add(row, result)


def _ticket(path: Path | None) -> dict:
    """Return what fetch_checkpoint says of weights, if there are some."""
    return json.loads(path.read_text()) if path else {"file": None, "weights": None}


def extract_shard(own: Shard, others: Iterable[Shard] = ()) -> None:
    """Extract the features of one shard; what is there already is not done again.

    Models that are fused with this one get what they lack from the same frames. Their
    jobs find it done; each model's table is made by its own job alone.
    """
    job, stopwatch = own.job, Stopwatch()
    ran: set[str] = set()
    shards = {shard.name: shard for shard in (own, *others)}

    def process(rows: Iterable[Row]) -> Iterator[Row]:
        lacking = {row.id: (row, [own.name]) for row in rows}
        inputs = {row.id: row for row in tables.read(job.table)}

        def keep(name: str, row: Row, result: Part | Failure) -> tuple[str, Row | None]:
            if name != own.name:
                row = inputs[row.id]
                row = replace(row, key=shards[name].job.key(row))
            return name, shards[name].keep(row, result)

        with contextlib.ExitStack() as stack:
            for shard in shards.values():
                stack.callback(shard.store.discard)
            journals = {}
            for other in others:
                done = journals[other.name] = stack.enter_context(other.opened())
                for row in runner.missing(
                    other.job, inputs.values(), done, other.store.holds
                ):
                    lacking.setdefault(row.id, (row, []))[1].append(other.name)
            tasks = [(row, tuple(names)) for row, names in lacking.values()]
            ran.update(name for _, names in tasks for name in names)
            asked = {name: shards[name].model for name in shards if name in ran}
            results = features.compute(tasks, asked, job.threads, stopwatch)
            written = features.written(results, keep, stopwatch)
            # Its thread is to stop before what is not whole is dropped.
            stack.enter_context(contextlib.closing(written))
            for name, row in written:
                if row is None:
                    continue
                stopwatch.videos += 1
                if name == own.name:
                    yield row
                else:
                    journals[name].append(row)

    def finish(rows: list[Row]) -> None:
        with stopwatch.measured("write"):
            own.store.merge(rows, features.provenance(job.options))
        if stopwatch.videos:
            print(stopwatch)
            times = job.manifest.with_suffix(".times.tsv")
            stopwatch.record(times, models=" + ".join(sorted(ran)))

    with contextlib.ExitStack() as stack:
        if len(shards) > 1:
            # One job of a fused group at a time: the next one finds its work done.
            lock = job.manifest.parents[1] / f"{job.manifest.stem}.lock"
            stack.enter_context(journal.locked(lock))
        runner.run_shard(
            job, process, own.store.holds, finish, stopwatch.rate, own.wants
        )

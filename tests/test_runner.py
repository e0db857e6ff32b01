import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from scripts.common import tables
from scripts.common.journal import Journal
from scripts.common.tables import Row

ROOT = Path(__file__).parents[1]
ROWS = [Row(f"video{n}", path=f"v{n}.mp4", key=f"{n:016x}") for n in range(12)]


class Shard:
    """A shard in a directory, worked on by real processes."""

    def __init__(self, folder: Path, rows=ROWS):
        self.folder = folder
        self.log = folder / "work.log"
        self.manifest = folder / "products" / "00000.tsv"
        folder.mkdir(exist_ok=True)
        self.write(rows)

    def write(self, rows: list[Row]) -> None:
        tables.write(self.folder / "table.tsv", rows)

    def start(self, retry=(), threads=2, **options) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.slow_stage", "work.log"]
        command += ["--table", "table.tsv", "--manifest", "products/00000.tsv"]
        command += ["--options", json.dumps(options), "--retry", json.dumps(retry)]
        command += ["--threads", str(threads)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, **arguments) -> str:
        process = self.start(**arguments)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    def done(self) -> Counter[str]:
        return Counter(self.log.read_text().split() if self.log.exists() else [])

    def wait_for(self, videos: int, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while len(self.done()) < videos:
            assert time.monotonic() < until
            time.sleep(0.005)

    def products(self) -> dict[str, bytes]:
        """All files, hidden ones too, but for the lock and the test's own log."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.suffix not in (".lock", ".log", ".journal")
        }


@pytest.fixture
def shard(tmp_path) -> Shard:
    return Shard(tmp_path / "shard")


@pytest.fixture
def undisturbed(tmp_path) -> Shard:
    shard = Shard(tmp_path / "undisturbed")
    shard.run()
    return shard


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("point", [1, 5, 10])
def test_a_killed_job_ends_like_an_undisturbed_one(shard, undisturbed, kill, point):
    process = shard.start()
    shard.wait_for(point)
    process.send_signal(kill)
    process.communicate(timeout=5)
    assert process.returncode
    assert not shard.manifest.exists()
    finished = len(Journal(shard.manifest.with_suffix(".journal")).rows)

    output = shard.run()

    assert f"{12 - finished} to do, {finished} done before" in output
    assert shard.products() == undisturbed.products()
    # A worker has one video in hand, and may have begun another one at the signal.
    assert sum(count - 1 for count in shard.done().values()) <= 4


def test_a_sigterm_that_falls_into_a_finaliser_is_heeded_all_the_same(shard):
    code = """
import os, signal, sys, time
from scripts.common import interruptions, runner

class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def process(rows):
    Dying()
    time.sleep(20)
    yield from ()

interruptions.SECONDS_UNHEARD = 0.2
runner.run_shard(runner.parse_job("slow_stage", "A stage.", sys.argv[1:]), process)
"""
    arguments = ["--table", "table.tsv", "--manifest", "products/00000.tsv"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--options", "{}"],
        cwd=shard.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "Exception ignored" in ended.stderr
    assert ended.returncode == 143, ended.stderr
    assert "0 finished videos of 12 are kept" in ended.stdout


def test_a_job_killed_again_and_again_gets_there(shard, undisturbed):
    for begun in range(2, len(ROWS), 2):
        process = shard.start(threads=1)
        shard.wait_for(begun)
        process.kill()
        process.communicate()
    shard.run()
    assert shard.products() == undisturbed.products()


def test_a_torn_journal_costs_one_video(shard, undisturbed):
    shard.run()
    journal = shard.manifest.with_suffix(".journal")
    journal.write_bytes(journal.read_bytes()[:-20])
    shard.manifest.unlink()
    assert "1 to do, 11 done before" in shard.run()
    assert shard.products() == undisturbed.products()


def test_two_jobs_on_one_shard_do_nothing_twice(shard, undisturbed):
    first = shard.start()
    shard.wait_for(1)
    first.send_signal(signal.SIGSTOP)  # it holds the shard until the other one is here
    second = shard.start()
    assert "waiting for process" in second.stdout.readline()
    first.send_signal(signal.SIGCONT)
    first.communicate()
    second.communicate()
    assert [first.returncode, second.returncode] == [0, 0]
    assert set(shard.done().values()) == {1}
    assert shard.products() == undisturbed.products()


def test_an_added_video_alone_is_done(shard):
    shard.run()
    shard.write([*ROWS, Row("new", path="new.mp4", key="k")])
    assert "1 to do, 12 done before" in shard.run()
    assert shard.done()["new"] == 1
    assert len(tables.read(shard.manifest)) == 13


def test_a_removed_video_leaves_the_manifest(shard):
    shard.run()
    shard.write(ROWS[1:])
    assert "0 to do, 11 done before" in shard.run()
    assert [row.id for row in tables.read(shard.manifest)] == [r.id for r in ROWS[1:]]


def test_a_changed_source_or_option_is_done_again(shard):
    shard.run(fps=25)
    changed = [*ROWS[:-1], Row("video11", path="v11.mp4", key="another")]
    shard.write(changed)
    assert "1 to do, 11 done before" in shard.run(fps=25)
    assert "12 to do, 0 done before" in shard.run(fps=30)


def test_a_lost_or_shortened_product_is_made_again(shard, undisturbed):
    shard.run()
    (shard.folder / "products/00000/video3").unlink()
    (shard.folder / "products/00000/video5").write_text("cut")
    assert "2 to do, 10 done before" in shard.run()
    assert shard.products() == undisturbed.products()


def test_a_failure_is_a_row_and_the_rest_goes_on(shard):
    shard.write([ROWS[0], Row("bad", path="fail:corrupt", key="k"), ROWS[1]])
    shard.run()
    rows = {row.id: row for row in tables.read(shard.manifest)}
    assert [row.status for row in rows.values()] == ["ok", "corrupt", "ok"]
    assert rows["bad"].message == "as asked"
    shard.run()
    assert shard.done()["bad"] == 1


def test_a_failure_before_is_passed_on_untouched(shard):
    shard.write([ROWS[0], Row("bad", "not_video", "no header", key="k")])
    shard.run()
    bad = tables.read(shard.manifest)[1]
    assert (bad.status, bad.message) == ("not_video", "no header")
    assert "bad" not in shard.done()


def test_reasons_to_retry_are_tried_once_more_in_each_job(shard):
    shard.write(
        [
            Row("moody", path="fail-once:killed", key="a"),
            Row("hopeless", path="fail:killed", key="b"),
            Row("broken", path="fail:corrupt", key="c"),
        ]
    )
    shard.run(retry=["killed"])
    assert shard.done() == {"moody": 2, "hopeless": 2, "broken": 1}
    statuses = [row.status for row in tables.read(shard.manifest)]
    assert statuses == ["ok", "killed", "corrupt"]
    shard.run(retry=["killed"])
    assert shard.done() == {"moody": 2, "hopeless": 4, "broken": 1}


def test_an_edit_during_the_job_is_not_lost(shard):
    process = shard.start(threads=1)
    shard.wait_for(2)
    shard.write([*ROWS, Row("new", path="new.mp4", key="k")])
    process.communicate()
    assert process.returncode == 0
    assert [row.id for row in tables.read(shard.manifest)][-1] == "new"
    assert set(shard.done().values()) == {1}


def test_a_bug_fails_the_job_and_keeps_what_was_done(shard):
    shard.write([*ROWS, Row("bug", path="fail:no such reason", key="k")])
    process = shard.start(threads=1)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "'no such reason' is not in REASONS" in output
    assert not shard.manifest.exists()
    shard.write(ROWS)
    assert "0 to do, 12 done before" in shard.run()


def test_a_full_disk_ends_the_job_in_a_line_and_keeps_what_was_done(shard):
    shard.write([*ROWS, Row("last", path="full", key="k")])
    process = shard.start(threads=1)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in output
    assert "No space left on device; make room" in output
    shard.write(ROWS)
    assert "0 to do, 12 done before" in shard.run()


def test_the_manifest_names_the_table_that_it_was_made_from(shard):
    shard.run()
    table = (shard.folder / "table.tsv").read_bytes()
    first = shard.manifest.read_text().splitlines()[0]
    assert hashlib.sha256(table).hexdigest() in first

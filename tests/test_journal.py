import multiprocessing
import os
import signal
import time

from hypothesis import given
from hypothesis import strategies as st

from scripts.common.journal import Journal, locked
from scripts.common.tables import Row
from tests.strategies import rows


@given(st.lists(rows, max_size=5), st.data())
def test_a_torn_journal_loses_the_last_row_only(tmp_path_factory, appended, data):
    path = tmp_path_factory.mktemp("journal") / "00000.journal"
    journal = Journal(path)
    sizes = []
    for row in appended:
        journal.append(row)
        sizes.append(path.stat().st_size)
    journal.close()
    cut = data.draw(st.integers(0, sizes[-1] if sizes else 0))
    if sizes:
        path.write_bytes(path.read_bytes()[:cut])

    # The newline that ends a row may be the byte that is cut off.
    whole = appended[: sum(size <= cut + 1 for size in sizes)]
    torn = Journal(path)
    assert torn.rows == {row.id: row for row in whole}
    torn.append(Row("next", key="k"))
    torn.close()
    assert Journal(path).rows == torn.rows


@given(st.lists(rows, min_size=1, max_size=8))
def test_a_compact_journal_says_the_same(tmp_path_factory, appended):
    path = tmp_path_factory.mktemp("journal") / "00000.journal"
    journal = Journal(path)
    for row in [*appended, *appended]:
        journal.append(row)
    journal.compact()
    assert Journal(path).rows == journal.rows
    assert len(path.read_bytes().splitlines()) == len({row.id for row in appended})


def _append_and_die(path):
    journal = Journal(path)
    for number in range(100):
        journal.append(Row(str(number)))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_loses_no_row(tmp_path):
    process = multiprocessing.Process(target=_append_and_die, args=(tmp_path / "j",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list(Journal(tmp_path / "j").rows) == [str(n) for n in range(100)]


def test_the_disk_is_not_waited_for_at_every_row(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal = Journal(tmp_path / "j")
    for number in range(1000):
        journal.append(Row(str(number)))
    assert 1 <= len(synced) < 500
    before = len(synced)
    journal.close()
    assert len(synced) == before + 1


def _hold(path, seconds, ready):
    with locked(path):
        ready.set()
        time.sleep(seconds)


def test_a_second_job_waits_for_the_lock_and_says_for_whom(tmp_path, capsys):
    path = tmp_path / "00003.lock"
    ready = multiprocessing.Event()
    holder = multiprocessing.Process(target=_hold, args=(path, 1.0, ready))
    holder.start()
    ready.wait()
    start = time.monotonic()
    with locked(path):
        waited = time.monotonic() - start
    holder.join()
    assert waited > 0.5
    assert f"waiting for process {holder.pid}" in capsys.readouterr().err

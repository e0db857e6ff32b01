"""How much a shard holds, as the index and the manifests say it."""

import pytest

from scripts.common import tables, workload
from scripts.common.tables import Row


@pytest.mark.parametrize(
    ("rows", "totals"),
    [
        ([Row("a", end=4.0), Row("b", start=2.0, end=5.0)], (2, 7.0, None)),
        ([Row("a", duration=1.5, bytes=3), Row("b", "corrupt")], (1, 1.5, 3)),
        ([Row("images", frames=50, fps=25.0, bytes=7)], (1, 2.0, 7)),
        ([Row("a", end=4.0, bytes=5), Row("b", bytes=6)], (2, None, 11)),
    ],
)
def test_totals_are_of_what_is_there_and_known_of_all(rows, totals):
    assert workload.known_totals(rows) == totals


def test_a_manifest_tells_its_load_in_its_first_line(tmp_path):
    load = workload.load(3, 12.5, 700)
    tables.write(tmp_path / "new.tsv", [Row("a")], f"transcode_clips: {load}")
    tables.write(tmp_path / "old.tsv", [Row("a")], "transcode_clips of a table")
    assert workload.noted(tmp_path / "new.tsv") == load
    assert workload.noted(tmp_path / "old.tsv") is None


def test_the_index_tells_loads_and_what_it_does_not_know_is_guessed(tmp_path):
    header, index = "shard\trows\tsha256\tseconds\tbytes\n", tmp_path / "shards.tsv"
    index.write_text(f"{header}00000\t2\tab\t30.5\t900\n00003\t4\tcd\t\t\n")
    loads = workload.indexed(index)
    assert loads["00000"] == workload.Load(2, 30.5, 900)
    assert loads["00003"].seconds == 4 * workload.SECONDS_A_VIDEO
    assert loads["00003"].guessed == ("seconds", "bytes")
    assert workload.together(loads.values()).guessed == ("bytes", "seconds")

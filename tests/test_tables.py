import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common import tables
from scripts.common.tables import COLUMNS, Failure, Row
from tests.strategies import rows


@given(st.lists(rows, max_size=5), st.sampled_from(["", "made by a test"]))
def test_a_table_gives_its_rows_back(tmp_path_factory, written, comment):
    path = tmp_path_factory.mktemp("table") / "table.tsv"
    tables.write(path, written, comment)
    assert tables.read(path) == written


def test_a_table_is_plain_tab_separated_text():
    text = tables.render([Row("run/a.mp4", path="x.mp4", frames=25)], "of a test")
    comment, header, line = text.splitlines()
    assert comment == "# of a test"
    assert header.split("\t") == list(COLUMNS)
    assert line.split("\t")[:4] == ["run/a.mp4", "ok", "", "x.mp4"]


def test_a_failed_row_keeps_the_video_and_drops_the_result():
    row = Row("a", path="a.mp4", start=1.0, end=2.0, frames=25, bytes=10, key="k")
    failed = row.failed("corrupt", "broken\n  in two")
    expected = Row("a", "corrupt", "broken in two", start=1.0, end=2.0, key="k")
    assert failed == expected
    assert not failed.ok


def test_a_reason_outside_the_list_is_a_bug():
    with pytest.raises(ValueError, match="'tired' is not in REASONS"):
        Failure("tired", "")


def test_a_row_of_a_table_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Row("a").status = "ok"

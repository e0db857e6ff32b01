import json
from pathlib import Path

import pytest

from scripts import write_splits
from scripts.build_index import write_index
from scripts.common import tables
from scripts.common.index import Entry
from scripts.common.tables import Row

ENTRIES = [
    Entry(Row("jump/a.mp4", path="a"), "jump", "train"),
    Entry(Row("jump/b.mp4", path="b"), "jump", "test"),
    Entry(Row("run/c d.mp4", path="c"), "run", "train"),
    Entry(Row("run/e.mp4", path="e"), "run", "train"),
    Entry(Row("loose.mp4", path="f")),
]


@pytest.fixture
def project(tmp_path) -> Path:
    """An index and one manifest of frames; one video failed."""
    write_index(ENTRIES, 1, tmp_path / "index")
    rows = [
        Row(e.row.id, path=str(tmp_path / f"frames/00000/{n}"), frames=10 + n)
        for n, e in enumerate(ENTRIES)
    ]
    rows[3] = rows[3].failed("corrupt", "cut off")
    tables.write(tmp_path / "frames/00000.tsv", rows)
    return tmp_path


def write(project: Path, splits, separator=" ") -> dict[str, str]:
    lists = project / "lists"
    options = {"splits": splits, "separator": separator}
    arguments = ["--index", str(project / "index"), "--lists", str(lists)]
    arguments += ["--manifests", str(project / "frames/00000.tsv")]
    write_splits.main([*arguments, "--options", json.dumps(options)])
    return {path.name: path.read_text() for path in lists.iterdir()}


def test_the_column_of_the_annotations_decides(project):
    assert write(project, "annotations") == {
        "train.txt": "00000/0 1 10 0\n00000/2 1 12 1\n",
        "test.txt": "00000/1 1 11 0\n",
        "all.txt": "00000/4 1 14\n",
        "classes.txt": "jump\nrun\n",
        "missing.tsv": "id\tsplit\tstatus\tmessage\n"
        "run/e.mp4\ttrain\tcorrupt\tcut off\n",
    }


def test_files_decide_and_old_lists_are_gone(project):
    write(project, "annotations")
    (project / "mine.txt").write_text("./run/c d.mp4\n\njump/b.mp4\n")
    lists = write(project, {"val": str(project / "mine.txt")}, ";")
    assert lists["val.txt"] == "00000/1;1;11;0\n00000/2;1;12;1\n"
    assert set(lists) == {"val.txt", "classes.txt", "missing.tsv"}


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("jump/a.mp4\njump/x.mp4\n", "", "train.txt, line 2: no video is named"),
        ("jump/a.mp4\n", "jump/a.mp4\n", "test.txt, line 1: .* is in 'train' already"),
    ],
)
def test_lists_that_cannot_be_right_are_refused(project, train, test, message):
    for name, text in (("train", train), ("test", test)):
        (project / f"{name}.txt").write_text(text)
    splits = {name: str(project / f"{name}.txt") for name in ("train", "test")}
    with pytest.raises(SystemExit, match=message):
        write(project, splits)
    assert not (project / "lists").exists()


def test_a_path_that_holds_the_separator_is_refused(tmp_path):
    row = Row("a", path=str(tmp_path / "x,y"), frames=3)
    with pytest.raises(write_splits.SplitError, match="holds the separator ','"):
        write_splits.ibm_line(row, tmp_path, 0, ",")


def test_the_name_of_a_split_stays_inside_the_folder(project):
    entries = [Entry(ENTRIES[0].row, "jump", "../../outside")]
    write_index(entries, 1, project / "index")
    assert "=2E.+..+outside.txt" in write(project, "annotations")

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import build_index
from scripts.build_index import AnnotationError, checked, folder_state, write_index
from scripts.common import index, tables
from scripts.common.index import Entry
from scripts.common.tables import Row
from tests.strategies import file_names

COLUMNS = {k: k for k in ("path", "id", "label", "split", "start", "end")}


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def build(folder: Path, source: Path, **options) -> dict[str, Entry]:
    """Run the script on a folder and return the entries of its index by id."""
    everything = {
        "folder": str(source),
        "shards": 3,
        "labels": "folder",
        "annotations": None,
        "columns": COLUMNS,
    }
    arguments = ["--index", str(folder), "--options", json.dumps(everything | options)]
    build_index.main(arguments)
    entries = index.read_videos(folder / "videos.tsv")
    return {entry.row.id: entry for entry in entries}


@pytest.fixture
def source(tmp_path) -> Path:
    root = tmp_path / "videos"
    touch(root / "run/a.mp4", root / "run/deep/a.mp4", root / "b.AVI", root / "x.txt")
    return root


def test_a_folder_gives_its_videos_with_the_names_of_their_folders(tmp_path, source):
    entries = build(tmp_path / "index", source)
    labels = {video_id: entry.label for video_id, entry in entries.items()}
    assert labels == {"run/a.mp4": "run", "run/deep/a.mp4": "deep", "b.AVI": ""}
    assert index.read_classes(tmp_path / "index/classes.txt") == ["deep", "run"]


def test_labels_of_folders_can_be_left_out(tmp_path, source):
    entries = build(tmp_path / "index", source, labels="none")
    assert {entry.label for entry in entries.values()} == {""}


def test_shard_tables_hold_every_video_once(tmp_path, source):
    entries = build(tmp_path / "index", source)
    shards = index.read_shards(tmp_path / "index/shards.tsv")
    rows = list(
        tables.read_all(tmp_path / f"index/shards/{shard}.tsv" for shard in shards)
    )
    assert sorted(row.id for row in rows) == sorted(entries)
    assert all(Path(row.path).is_file() and row.key for row in rows)


def test_links_to_folders_are_followed_and_circles_end(tmp_path, source):
    touch(tmp_path / "elsewhere/c.mp4")
    (source / "link").symlink_to(tmp_path / "elsewhere")
    (source / "run/up").symlink_to(source)
    assert set(build(tmp_path / "index", source)) == {
        "run/a.mp4",
        "run/deep/a.mp4",
        "b.AVI",
        "link/c.mp4",
    }


def test_a_link_to_nothing_is_a_row(tmp_path, source):
    (source / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert build(tmp_path / "index", source)["gone.mp4"].row.status == "missing"


def annotate(tmp_path: Path, text: str, name: str = "annotations.csv") -> str:
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def test_annotations_name_videos_labels_splits_and_segments(tmp_path, source):
    text = (
        "path,label,split,start,end\n"
        "./run/a.mp4,jump,train,,\n"
        '"b.AVI","throw, far",test,1.5,4\n'
        "b.AVI,,test,4,\n"
        "no.mp4,jump,val,,\n"
    )
    entries = build(tmp_path / "i", source, annotations=annotate(tmp_path, text))
    found = {k: (e.label, e.split, e.row.status) for k, e in entries.items()}
    assert found == {
        "run/a.mp4": ("jump", "train", "ok"),
        "b.AVI_1.5_4": ("throw, far", "test", "ok"),
        "b.AVI_4_end": ("", "test", "ok"),
        "no.mp4": ("jump", "val", "missing"),
    }
    assert entries["b.AVI_1.5_4"].row.start == 1.5
    assert entries["b.AVI_4_end"].row.end is None
    rows = tables.read_all((tmp_path / "i/shards").glob("*.tsv"))
    keys = {row.id: row.key for row in rows if row.ok}
    assert len(set(keys.values())) == 3, "segments of one file need keys of their own"


def test_annotations_may_be_tab_separated_with_other_names(tmp_path, source):
    text = "file\tname\tclass\nrun/a.mp4\tfirst\tjump\n"
    columns = COLUMNS | {"path": "file", "id": "name", "label": "class"}
    annotations = annotate(tmp_path, text, "a.tsv")
    entries = build(tmp_path / "i", source, annotations=annotations, columns=columns)
    assert {k: e.label for k, e in entries.items()} == {"first": "jump"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,label\na.mp4,x\n", "has no column 'path' .it has: video, label."),
        ("path,start\nb.AVI,soon\n", "line 2: start: 'soon' is not a number"),
        ("path\nb.AVI\nb.AVI\n", "two videos are named 'b.AVI'"),
    ],
)
def test_annotations_that_cannot_be_used_end_with_one_line(
    tmp_path, source, text, message
):
    with pytest.raises(SystemExit, match=message):
        build(tmp_path / "i", source, annotations=annotate(tmp_path, text))


def test_an_added_video_changes_the_table_of_its_shard_alone(tmp_path, source):
    def times():
        tables = (tmp_path / "index/shards").glob("*.tsv")
        return {path.name: path.stat().st_mtime_ns for path in tables}

    for n in range(20):
        touch(source / f"{n}.mp4")
    build(tmp_path / "index", source)
    before = times()
    touch(source / "new.mp4")
    build(tmp_path / "index", source)
    changed = {name for name, time in times().items() if before[name] != time}
    assert len(changed) == 1


def test_a_shard_without_videos_loses_its_table(tmp_path):
    rows = [Entry(Row(f"{n}.mp4", key="k")) for n in range(10)]
    write_index(rows, 4, tmp_path)
    write_index(rows[:1], 4, tmp_path)
    assert len(list((tmp_path / "shards").iterdir())) == 1


def test_a_name_too_long_is_a_row(tmp_path):
    (entry,) = checked([Entry(Row("x" * 300, path="a"))])
    assert entry.row.status == "bad_name"


@given(st.lists(file_names, unique=True, max_size=8), st.lists(file_names, min_size=8))
def test_the_index_gives_back_any_names(tmp_path_factory, names, labels):
    folder = tmp_path_factory.mktemp("index")
    entries = checked(
        Entry(Row(name, path=name), label, label)
        for name, label in zip(names, labels, strict=False)
    )
    write_index(entries, 3, folder)
    read = {entry.row.id: entry for entry in index.read_videos(folder / "videos.tsv")}
    assert read == {entry.row.id: entry for entry in entries}
    classes = index.read_classes(folder / "classes.txt")
    assert set(classes) == {entry.label for entry in entries} - {""}


@pytest.mark.parametrize("depth", ["", "run/deep"])
def test_the_state_of_a_folder_tells_of_files_that_come_go_and_move(source, depth):
    states = [folder_state(source)]
    file = source / depth / "new.mp4"
    for step in (
        lambda: touch(file),
        lambda: file.rename(file.with_name("newer.mp4")),
        lambda: file.with_name("newer.mp4").unlink(),
    ):
        step()
        # Two changes within one tick of the file system's clock would look alike.
        os.utime(file.parent, ns=(0, len(states) * 10**9))
        states.append(folder_state(source))
    assert len(set(states)) == 4
    assert folder_state(source) == states[-1]


def test_two_identical_ids_are_refused():
    with pytest.raises(AnnotationError, match="two videos are named 'a'"):
        checked([Entry(Row("a")), Entry(Row("a"))])

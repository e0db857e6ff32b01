import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import build_index
from scripts.build_index import AnnotationError, checked, write_index
from scripts.common import index, tables
from scripts.common.annotations import Annotated, Event
from scripts.common.index import Entry
from scripts.common.subset import select
from scripts.common.tables import Row
from tests.strategies import file_names

COLUMNS = {
    name: name
    for name in ("path", "id", "label", "split", "start", "end", "caption", "url")
}
EVERYTHING = {"classes": None, "splits": None, "per_class": None, "seed": None}


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def build(
    folder: Path,
    source: Path | None,
    annotations: list[str] | None = None,
    columns: dict = COLUMNS,
    form: str = "table",
    separator: str | None = None,
    **options,
) -> dict[str, Entry]:
    """Run the script on a folder and return the entries of its index by id."""
    described = {"format": form, "columns": columns, "label_separator": separator}
    everything = {
        "folder": source and str(source),
        "in_place": source is None,
        "images_fps": None,
        "shards": 3,
        "labels": "folder",
        "annotations": described if annotations else None,
        "subset": EVERYTHING,
        "expected": {},
    }
    arguments = ["--index", str(folder), "--options", json.dumps(everything | options)]
    build_index.main([*arguments, "--annotations", *(annotations or [])])
    entries = index.read_videos(folder / "videos.tsv")
    return {entry.row.id: entry for entry in entries}


@pytest.fixture
def source(tmp_path) -> Path:
    root = tmp_path / "videos"
    touch(root / "run/a.mp4", root / "run/deep/a.mp4", root / "b.AVI", root / "x.txt")
    return root


def test_a_folder_gives_its_videos_with_the_names_of_their_folders(tmp_path, source):
    entries = build(tmp_path / "index", source)
    labels = {video_id: entry.labels for video_id, entry in entries.items()}
    assert labels == {
        "run/a.mp4": ("run",),
        "run/deep/a.mp4": ("deep",),
        "b.AVI": (),
    }
    assert index.read_classes(tmp_path / "index/classes.txt") == ["deep", "run"]


def test_labels_of_folders_can_be_left_out(tmp_path, source):
    entries = build(tmp_path / "index", source, labels="none")
    assert {entry.labels for entry in entries.values()} == {()}


def test_shard_tables_hold_every_video_once(tmp_path, source):
    entries = build(tmp_path / "index", source)
    shards = index.read_shards(tmp_path / "index/shards.tsv")
    rows = list(
        tables.read_all(tmp_path / f"index/shards/{shard}.tsv" for shard in shards)
    )
    assert sorted(row.id for row in rows) == sorted(entries)
    assert all(Path(row.path).is_file() and row.key for row in rows)


def annotate(tmp_path: Path, text: str, name: str = "annotations.csv") -> list[str]:
    (tmp_path / name).write_text(text)
    return [str(tmp_path / name)]


def test_annotations_name_videos_labels_splits_and_segments(tmp_path, source):
    text = (
        "path,label,split,start,end\n"
        "./run/a.mp4,jump,train,,\n"
        '"b.AVI","throw, far",test,1.5,4\n'
        "b.AVI,,test,4,\n"
        "no.mp4,jump,val,,\n"
    )
    entries = build(tmp_path / "i", source, annotations=annotate(tmp_path, text))
    found = {k: (e.labels, dict(e.splits), e.row.status) for k, e in entries.items()}
    assert found == {
        "run/a.mp4": (("jump",), {"default": "train"}, "ok"),
        "b.AVI_1.5_4": (("throw, far",), {"default": "test"}, "ok"),
        "b.AVI_4_end": ((), {"default": "test"}, "ok"),
        "no.mp4": (("jump",), {"default": "val"}, "missing"),
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
    assert {k: e.labels for k, e in entries.items()} == {"first": ("jump",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,label\na.mp4,x\n", "no column 'path'"),
        ("path,start\nb.AVI,soon\n", "'soon' is not a number"),
        ("path\nb.AVI\nb.AVI\n", "two videos are named 'b.AVI'"),
    ],
)
def test_annotations_that_cannot_be_used_end_with_one_line(
    tmp_path, source, text, message
):
    with pytest.raises(SystemExit, match=message):
        build(tmp_path / "i", source, annotations=annotate(tmp_path, text))


def test_a_folder_without_a_name_to_speak_of_labels_nothing(tmp_path, source):
    touch(source / "\r/c.mp4")
    entries = build(tmp_path / "i", source)
    assert entries["\r/c.mp4"].labels == ()


def test_one_class_in_two_spellings_is_refused(tmp_path, source):
    touch(source / "Long_jump/c.mp4", source / "long jump/d.mp4")
    with pytest.raises(SystemExit, match="'Long_jump' and 'long jump' are one"):
        build(tmp_path / "i", source)


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
    entries = [Entry(Row(f"{n}.mp4", key="k")) for n in range(10)]
    write_index(entries, [], 4, tmp_path)
    write_index(entries[:1], [], 4, tmp_path)
    assert len(list((tmp_path / "shards").iterdir())) == 1


def test_a_name_too_long_is_a_row(tmp_path):
    (entry,) = checked([Entry(Row("x" * 300, path="a"))])
    assert entry.row.status == "bad_name"


@given(st.lists(file_names, unique=True, max_size=8), st.lists(file_names, min_size=8))
def test_the_index_gives_back_any_names(tmp_path_factory, names, words):
    folder = tmp_path_factory.mktemp("index")
    tidy = [" ".join(word.replace("|", "").split()) for word in words]
    entries = checked(
        Entry(
            Row(name, path=name),
            tuple({word, f"{word}2"}) if word else (),
            {"default": word, "two": "x"} if word else {"two": "y"},
        )
        for name, word in zip(names, tidy, strict=False)
    )
    write_index(entries, [], 3, folder)
    read = {entry.row.id: entry for entry in index.read_videos(folder / "videos.tsv")}
    assert read == {entry.row.id: entry for entry in entries}


def test_two_identical_ids_are_refused():
    with pytest.raises(AnnotationError, match="two videos are named 'a'"):
        checked([Entry(Row("a")), Entry(Row("a"))])


def test_a_label_that_could_not_be_read_back_is_refused():
    with pytest.raises(AnnotationError, match=r"the class 'a\|b' of 'v'"):
        checked([Entry(Row("v"), ("a|b",))])


def test_several_labels_sets_of_splits_and_captions_are_kept(tmp_path, source):
    text = "path,label,one,two,caption\nrun/a.mp4,jump; run,train,test,he runs\n"
    columns = COLUMNS | {"split": ["one", "two"]}
    annotations = annotate(tmp_path, text)
    entries = build(tmp_path / "i", source, annotations, columns=columns, separator=";")
    entry = entries["run/a.mp4"]
    assert entry.labels == ("jump", "run")
    assert entry.splits == {"one": "train", "two": "test"}
    events = index.read_events(tmp_path / "i/events.tsv")
    assert [event.text for event in events["run/a.mp4"]] == ["he runs"]
    assert index.read_classes(tmp_path / "i/classes.txt") == ["jump", "run"]


def test_videos_may_be_where_the_annotations_say(tmp_path, source):
    text = (
        "path,start,end\n"
        f"{source}/b.AVI,,\n"
        "videos/run/a.mp4,,\n"
        "gone.mp4,,\n"
        "https://a.org/v.mp4,0,1\n"
        "https://a.org/v.mp4,1,2\n"
        "https://youtu.be/-3B32lodo2M,,\n"
        "0347ZoDXyP0,,\n"
    )
    entries = build(tmp_path / "i", None, annotate(tmp_path, text), shards=50)
    states = {k: (e.row.status, e.row.path) for k, e in entries.items()}
    assert states == {
        f"{source}/b.AVI": ("ok", f"{source}/b.AVI"),
        "videos/run/a.mp4": ("ok", f"{source}/run/a.mp4"),
        "gone.mp4": ("missing", ""),
        "https://a.org/v.mp4_0_1": ("ok", "https://a.org/v.mp4"),
        "https://a.org/v.mp4_1_2": ("ok", "https://a.org/v.mp4"),
        "https://youtu.be/-3B32lodo2M": (
            "ok",
            "https://www.youtube.com/watch?v=-3B32lodo2M",
        ),
        "0347ZoDXyP0": ("ok", "https://www.youtube.com/watch?v=0347ZoDXyP0"),
    }
    tables_with_it = [
        table
        for table in (tmp_path / "i/shards").glob("*.tsv")
        if "https://a.org" in table.read_text()
    ]
    assert len(tables_with_it) == 1, "one download must be in one shard"


@pytest.mark.parametrize("name", ["a\0b.mp4", f"{'b' * 300}.mp4", "no/such.mp4"])
def test_a_path_that_no_file_can_have_is_a_row(tmp_path, name):
    table = annotate(tmp_path, json.dumps([{"path": name}]), "a.json")
    (entry,) = build(tmp_path / "i", None, table).values()
    assert entry.row.status in ("missing", "bad_name")


def kinetics(tmp_path: Path) -> list[str]:
    text = "label,youtube_id,time_start,time_end,split\n"
    for split, count in (("train", 6), ("val", 3)):
        for n in range(count):
            for label in ("abseiling", "zumba"):
                text += f"{label},{label[0]}_{split:_<5}{n:04d},5,15,{split}\n"
    return annotate(tmp_path, text, "train.csv")


def test_files_that_are_cut_are_not_cut_again_and_downloads_are(tmp_path):
    touch(tmp_path / "k/a_train0000_000005_000015.mp4")
    annotations = kinetics(tmp_path)
    entries = build(tmp_path / "i", tmp_path / "k", annotations, form="kinetics")
    row = entries["a_train0000_000005_000015"].row
    assert (row.status, row.start, row.end) == ("ok", None, None)
    assert len(entries) == 18
    assert sum(entry.row.status == "missing" for entry in entries.values()) == 17

    entries = build(tmp_path / "j", None, annotations, form="kinetics")
    row = entries["a_train0000_000005_000015"].row
    assert row.path == "https://www.youtube.com/watch?v=a_train0000"
    assert (row.start, row.end) == (5, 15)


@pytest.mark.parametrize(
    ("subset", "counts"),
    [
        ({"classes": ["Zumba"]}, {("zumba", "train"): 6, ("zumba", "val"): 3}),
        ({"splits": ["val"]}, {("abseiling", "val"): 3, ("zumba", "val"): 3}),
        (
            {"per_class": 2, "seed": 1},
            {(c, s): 2 for c in ("abseiling", "zumba") for s in ("train", "val")},
        ),
    ],
)
def test_a_subset_takes_classes_splits_and_numbers(tmp_path, subset, counts):
    touch(tmp_path / "k/x")
    entries = build(
        tmp_path / "i",
        tmp_path / "k",
        kinetics(tmp_path),
        form="kinetics",
        subset=EVERYTHING | subset,
    )
    found = Counter((e.labels[0], e.splits["default"]) for e in entries.values())
    assert found == counts
    classes = index.read_classes(tmp_path / "i/classes.txt")
    assert classes == sorted({label for label, _ in counts})


def test_a_subset_of_an_unknown_class_names_the_nearest(tmp_path):
    touch(tmp_path / "k/x")
    with pytest.raises(SystemExit, match=r"'zumbba' .is it 'zumba'"):
        build(
            tmp_path / "i",
            tmp_path / "k",
            kinetics(tmp_path),
            form="kinetics",
            subset=EVERYTHING | {"classes": ["zumbba"]},
        )


@given(st.integers(1, 5), st.sampled_from([None, 0, 1]), st.randoms())
def test_the_first_of_each_class_do_not_depend_on_the_order(per_class, seed, random):
    videos = [
        Annotated(f"{label}{n}", "x", labels=(label,), splits={"default": split})
        for label in "ab"
        for split in ("train", "val")
        for n in (range(4) if split == "train" else range(4, 7))
    ]
    subset = EVERYTHING | {"per_class": per_class, "seed": seed}
    chosen = {video.id for video in select(videos, subset, ["a", "b"])}
    random.shuffle(videos)
    assert {video.id for video in select(videos, subset, ["a", "b"])} == chosen
    assert len(chosen) == 2 * (min(per_class, 4) + min(per_class, 3))
    if seed is None:
        assert "a0" in chosen


def test_a_subset_takes_the_labels_and_events_of_other_classes_off():
    video = Annotated(
        "v", "v", labels=("a", "b"), events=(Event(0, 1, "a"), Event(1, 2, "b", "t"))
    )
    (kept,) = select([video], EVERYTHING, ["b"])
    assert kept.labels == ("b",)
    assert kept.events == (Event(1, 2, "b", "t"),)
    assert list(select([video], EVERYTHING, ["c"])) == []


def test_what_was_expected_is_compared(tmp_path, source, capsys):
    text = "path,split\nrun/a.mp4,train\nb.AVI,test\n"
    expected = {"videos": 2, "splits": {"default": {"train": 1, "test": 5}}}
    build(tmp_path / "i", source, annotate(tmp_path, text), expected=expected)
    table = (tmp_path / "i/counts.tsv").read_text().splitlines()
    assert table == [
        "what\texpected\tfound",
        "videos\t2\t2",
        "classes\t\t1",
        "default test\t5\t1",
        "default train\t1\t1",
    ]
    assert "default test: 1, where 5 are expected" in capsys.readouterr().out


def test_folders_of_images_are_videos_of_their_rate(tmp_path):
    touch(tmp_path / "v1/7/00001.jpg", tmp_path / "v1/7/00002.jpg")
    entries = build(tmp_path / "i", tmp_path / "v1", images_fps=12)
    (row,) = tables.read_all((tmp_path / "i/shards").glob("*.tsv"))
    assert set(entries) == {"7"}
    assert (row.frames, row.fps) == (2, 12)

"""Annotations in tables of every format."""

import csv
import io
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.annotations import Annotated, AnnotationError, Event, read_table
from scripts.common.annotations.reading import tidy

WORDS = (
    "path",
    "id",
    "label",
    "split",
    "start",
    "end",
    "caption",
    "url",
    "event_start",
    "event_end",
)
COLUMNS = {word: word for word in WORDS}


def read(path: Path, columns: dict | None = None, separator: str | None = None):
    """Return the videos of a table."""
    return list(read_table(path, COLUMNS | (columns or {}), separator).videos)


def save(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def delimited(rows: list[dict], dialect: str) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], dialect=dialect)
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


WRITERS = {
    "csv": lambda rows: delimited(rows, "excel"),
    "tsv": lambda rows: delimited(rows, "excel-tab"),
    "json": json.dumps,
    "jsonl": lambda rows: "".join(json.dumps(row) + "\n\n" for row in rows),
    "parquet": parquet,
}
every_format = pytest.mark.parametrize("form", WRITERS)

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=9)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "path": names.map(lambda name: f"videos/{name}"),
            "label": names,
            "split": st.sampled_from(["", "train", "val"]),
            "start": st.none() | st.floats(0, 1000),
            "end": st.none() | st.floats(2000, 9000),
            "caption": names,
        }
    ),
    min_size=1,
    unique_by=lambda row: row["path"],
)


@every_format
@given(rows=rows)
def test_all_formats_say_the_same(tmp_path_factory, form, rows):
    path = save(tmp_path_factory.mktemp("t"), f"table.{form}", WRITERS[form](rows))
    videos = read(path, {"id": "path"})
    assert videos == [
        Annotated(
            id=row["path"],
            name=row["path"],
            start=row["start"],
            end=row["end"],
            labels=(tidy(row["label"]),),
            splits={"default": row["split"]} if row["split"] else {},
            events=(Event(text=tidy(row["caption"])),),
        )
        for row in rows
    ]


def test_a_segment_is_called_by_its_path_and_times(tmp_path):
    text = "path,start,end\n./run/a.mp4,,\nb.AVI,1.5,4\nb.AVI,4,\nb.AVI,,1\n"
    videos = read(save(tmp_path, "a.csv", text))
    names = ["run/a.mp4", "b.AVI_1.5_4", "b.AVI_4_end", "b.AVI_0_1"]
    assert [video.id for video in videos] == names
    assert [video.name for video in videos] == ["run/a.mp4"] + ["b.AVI"] * 3
    assert (videos[2].start, videos[2].end) == (4, None)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_line_ends_and_blank_lines_do_no_harm(tmp_path, ending, mark):
    lines = ["path,label", "", '"a, b.mp4","x ""y"""', " ", "c.mp4,", ""]
    videos = read(save(tmp_path, "a.csv", mark + ending.join(lines)))
    labels = {video.name: video.labels for video in videos}
    assert labels == {"a, b.mp4": ('x "y"',), "c.mp4": ()}


def test_a_csv_with_tabs_in_its_header_is_separated_by_them(tmp_path):
    [video] = read(save(tmp_path, "a.csv", "path\tlabel\na.mp4\tx, y\n"))
    assert video.labels == ("x, y",)


def test_labels_are_separated_and_said_once(tmp_path):
    path = save(tmp_path, "a.csv", "path,label\na.mp4,run; jump ;run;\n")
    [video] = read(path, separator=";")
    assert video.labels == ("run", "jump")
    [video] = read(path)
    assert video.labels == ("run; jump ;run;",)


def test_several_columns_of_splits_are_sets_called_as_they_are(tmp_path):
    path = save(tmp_path, "a.csv", "path,s1,s2\na.mp4,train,test\nb.mp4,,val\n")
    first, second = read(path, {"split": ["s1", "s2"]})
    assert first.splits == {"s1": "train", "s2": "test"}
    assert second.splits == {"s2": "val"}


def test_an_address_as_path_is_where_to_download(tmp_path):
    text = "path,url\nhttps://a.org/b.mp4,\nc.mp4,https://a.org/d\n"
    first, second = read(save(tmp_path, "a.csv", text))
    assert first.url == first.name == first.id == "https://a.org/b.mp4"
    assert (second.name, second.url) == ("c.mp4", "https://a.org/d")


def test_a_mapping_says_ids_and_paths_by_its_keys(tmp_path):
    content = {"one.mp4": {"label": "run"}, "two": {"path": "b/2.mp4"}}
    first, second = read(save(tmp_path, "a.json", json.dumps(content)))
    assert (first.id, first.name, first.labels) == ("one.mp4", "one.mp4", ("run",))
    assert (second.id, second.name) == ("two", "b/2.mp4")


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_values_may_be_numbers_lists_and_null(tmp_path, form):
    rows = [
        {"path": "a", "id": 7, "label": ["run", "jump"], "start": 1, "caption": ["b"]},
        {"path": "b", "id": None, "label": None, "start": 2.5, "caption": ["c", "d"]},
    ]
    first, second = read(save(tmp_path, f"a.{form}", WRITERS[form](rows)))
    assert (first.id, first.labels, first.start) == ("7", ("run", "jump"), 1.0)
    assert (second.id, second.labels, second.start) == ("b_2.5_end", (), 2.5)
    assert second.events == (Event(text="c"), Event(text="d"))


def test_whole_numbers_that_parquet_holds_as_floats_are_whole(tmp_path):
    rows = [{"path": "a", "label": 3.0}, {"path": "b", "label": float("nan")}]
    first, second = read(save(tmp_path, "a.parquet", parquet(rows)))
    assert (first.labels, second.labels) == (("3",), ())


def test_columns_of_parquet_that_nobody_asked_for_may_be_anything(tmp_path):
    rows = [{"path": "a", "frames": b"\x00", "shape": {"height": 3}}]
    [video] = read(save(tmp_path, "a.parquet", parquet(rows)))
    assert video == Annotated("a", "a")


def test_a_table_is_read_while_it_is_iterated_over(tmp_path):
    path = save(tmp_path, "a.csv", "path\na.mp4\nb.mp4\nb.mp4\n")
    videos = iter(read_table(path, COLUMNS).videos)
    assert [next(videos).id, next(videos).id] == ["a.mp4", "b.mp4"]
    with pytest.raises(AnnotationError, match="two videos are named 'b"):
        next(videos)


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        (
            "a.xlsx",
            "",
            {},
            "a table is named .csv, .tsv, .json, .jsonl, .ndj",
        ),
        ("a.csv", "", {}, "a.csv is empty; it needs a header"),
        (
            "a.csv",
            "video,label\na.mp4,x\n",
            {},
            r"no column 'path' \(it has: video, label\); name it .* `columns: path`",
        ),
        ("a.csv", "path,c\na,b\n", {"label": "class"}, "'class' .* `columns: label`"),
        (
            "a.csv",
            "path,s1\na,b\n",
            {"split": ["s1", "s2"]},
            "'s2' .* `columns: s",
        ),
        ("a.csv", "path,start\nb,soon\n", {}, "line 2: start: 'soon' is not a number"),
        ("a.csv", "path,start\nb,-1\n", {}, "start: '-1' is not a number of seconds"),
        ("a.csv", "path,start\nb,nan\n", {}, "start: 'nan' is not a number of seconds"),
        (
            "a.csv",
            "path,start,end\nb,5,5\n",
            {},
            "'end' is 5, not after 'start",
        ),
        ("a.csv", "path,label\na,b,c\n", {}, "line 2 has 3 fields, the header has 2"),
        ("a.csv", "path,label\n,b\n", {}, "line 2: 'path' is empty"),
        ("a.csv", 'path,label\na,"b\n', {}, "line 2: unexpected end of data; mend the"),
        (
            "a.csv",
            "path\nb.AVI\nc\nb.AVI\n",
            {},
            "two videos are named 'b.AVI' .*line 2; .*line 4.; give .* `columns: id`",
        ),
        ("a.csv", b"path\nJ\xfcrgen.mp4\n", {}, "a.csv is not UTF-8"),
        ("a.json", "3", {}, "a.json is a number, where a list belongs"),
        ("a.json", "[3]", {}, "entry 1 is a number, where an object belongs"),
        ("a.json", '{"a": []}', {}, "'a' is a list, where an object belongs"),
        ("a.json", '{"a": {}, "a": {}}', {}, "'a' stands twice"),
        ("a.json", '[{"path": "a"', {}, "a.json: column 14: .*; it may be cut off"),
        ("a.json", '{"path": "a"}\n{"path": "b"}', {}, "JSON Lines are named .jsonl"),
        ("a.json", '[{"file": "a"}]', {}, r"no column 'path' \(it has: file\)"),
        ("a.json", '[{"path": "a"}, {"file": "a"}]', {}, "entry 2: 'path' is empty"),
        (
            "a.json",
            '[{"path": true}]',
            {},
            "'path' is neither text nor a number",
        ),
        ("a.json", '[{"path": ["a", "b"]}]', {}, "'path' has 2 values, where one"),
        (
            "a.jsonl",
            '\n{"file": "a"}\n',
            {},
            "line 2: 'path' is empty",
        ),
        ("a.jsonl", '{"path": "a"}\n', {"id": "name"}, "'name' .* `columns: id`"),
        ("a.json", '[{"path": "a\\ud83d"}]', {}, r"a.json: '\\ud83d' is half a char"),
        ("a.jsonl", '{"path": "a"}\n{"path', {}, "line 2: column 2: Unterm"),
        ("a.parquet", "no", {}, "a.parquet is no Parquet file"),
        ("a.parquet", parquet([{"b": 1}]), {}, r"no column 'path' \(it has: b\)"),
        ("a.parquet", parquet([{"path": {"a": 1}}]), {}, "row 1: 'path' is neither"),
    ],
)
def test_what_does_not_belong_is_named(tmp_path, name, content, columns, message):
    with pytest.raises(AnnotationError, match=message):
        read(save(tmp_path, name, content), columns)


GROUNDING = {
    "path": "video",
    "event_start": "start",
    "event_end": "end",
    "caption": "sentence",
}


@every_format
def test_rows_of_a_table_of_events_are_the_events_of_their_videos(tmp_path, form):
    rows = [
        {"video": "a.mp4", "start": 0.5, "end": 2, "sentence": "he runs"},
        {"video": "b.mp4", "start": None, "end": 4, "sentence": "she sits"},
        {"video": "a.mp4", "start": 2, "end": 9.5, "sentence": "he falls"},
    ]
    path = save(tmp_path, f"a.{form}", WRITERS[form](rows))
    first, second = read(path, GROUNDING)
    assert first == Annotated(
        "a.mp4",
        "a.mp4",
        events=(Event(0.5, 2.0, text="he runs"), Event(2.0, 9.5, text="he falls")),
    )
    assert (second.id, second.events) == ("b.mp4", (Event(None, 4.0, "", "she sits"),))


def test_events_have_labels_of_their_own_and_their_video_all_of_them(tmp_path):
    text = (
        "path,split,start,end,label,event_start,event_end\n"
        "a.mp4,train,10,30,run;jump,1,2\n"
        "a.mp4,train,10,30,run,4,\n"
        "a.mp4,train,10,30,,,\n"
        "a.mp4,val,40,50,sit,0,1\n"
    )
    first, second = read(save(tmp_path, "a.csv", text), separator=";")
    assert (first.id, first.start, first.labels) == ("a.mp4_10_30", 10, ("run", "jump"))
    assert first.events == (
        Event(1.0, 2.0, "run"),
        Event(1.0, 2.0, "jump"),
        Event(4.0, None, "run"),
    )
    assert (second.id, second.splits) == ("a.mp4_40_50", {"default": "val"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,split,event_end\na,train,2\na,val,3\n", "rows of 'a' say different"),
        ("path,event_start,event_end\na,3,2\n", "'event_end' is 2, not after"),
    ],
)
def test_events_that_cannot_be_are_named(tmp_path, text, message):
    with pytest.raises(AnnotationError, match=message):
        read(save(tmp_path, "a.csv", text))


def test_characters_may_be_escaped_in_two_halves(tmp_path):
    text = r'[{"path": "\ud83d\ude00.mp4"}]'
    (video,) = read(save(tmp_path, "a.json", text))
    assert video.name == "😀.mp4"


def test_a_column_without_a_name_is_nobodys(tmp_path):
    text = ",video,start,end,sentence\n0,a.mp4,1,2,x\n1,a.mp4,2,3,y\n"
    [video] = read(save(tmp_path, "a.csv", text), GROUNDING)
    assert (video.id, video.start, len(video.events)) == ("a.mp4", None, 2)

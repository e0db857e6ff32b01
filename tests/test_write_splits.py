"""Each format, parsed as its reader does it, says what the manifests say."""

import csv
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from scripts import write_splits
from scripts.common import files, index, tables
from scripts.common.annotations.base import Event
from scripts.common.ids import slug
from scripts.common.index import Entry
from scripts.common.lists import FORMATS
from scripts.common.tables import Row
from tests.strategies import file_names

CLASSES = ["run", "jump", "drive a car"]


def entry(video_id: str, labels=(), split="", **row) -> Entry:
    splits = {"default": split} if split else {}
    return Entry(Row(video_id, path=f"in/{video_id}", **row), labels, splits)


ENTRIES = [
    entry("jump/a.mp4", ("jump",), "train"),
    entry("jump/b.mp4", ("jump",), "test"),
    entry("loose.mp4"),
    entry("run/c, d.mp4", ("run",), "train", start=1.5, end=3.0),
    entry("run/e.mp4", ("run",), "train"),
    entry("run/f.mp4", ("drive a car",), "test"),
    entry("run/g.mp4", ("run",), "test"),
    entry("run/h.mp4", (), "test"),
]
MISSING = ("run/e.mp4", "run/g.mp4")


class Results:
    """A results folder with an index, and manifests of clips and frames."""

    def __init__(self, folder: Path, entries: list[Entry], shards: int = 2):
        self.folder = folder
        self.rows = {}
        entries = sorted(entries, key=lambda e: e.row.id)
        names = {e.row.id: f"{n % shards:05d}" for n, e in enumerate(entries)}
        videos = index.render_videos(entries, names)
        files.write_text(folder / "index/videos.tsv", videos)
        files.write_text(folder / "index/events.tsv", index.render_events(entries))
        text = "".join(f"{name}\n" for name in CLASSES)
        files.write_text(folder / "index/classes.txt", text)
        shards = "".join(f"{name}\t1\t\n" for name in sorted(set(names.values())))
        files.write_text(folder / "index/shards.tsv", f"shard\trows\tsha\n{shards}")
        for stage, suffix in (("clips", ".mp4"), ("frames", "")):
            for number, one in enumerate(entries):
                self.rows[stage, one.row.id] = self.row(
                    one, f"{stage}/default/{names[one.row.id]}", suffix, number
                )
        self.write_manifests(names)

    def row(self, one: Entry, parent: str, suffix: str, number: int) -> Row:
        row = one.row
        if row.id in MISSING:
            return row.failed("corrupt", "cut  off")
        if not row.ok:
            return row
        path = self.folder / parent / f"{slug(row.id)}{suffix}"
        made = {"frames": 10 + number, "fps": 25.0, "width": 340, "height": 256}
        return replace(row, path=str(path), duration=0.4 + number / 25, **made)

    def write_manifests(self, names: dict[str, str]):
        for stage in ("clips", "frames"):
            for shard in sorted(set(names.values())):
                rows = [
                    self.rows[stage, i] for i, name in names.items() if name == shard
                ]
                tables.write(self.folder / stage / f"default/{shard}.tsv", rows)

    def write(
        self,
        form="ibm",
        splits="annotations",
        name="default",
        separator=" ",
        frames=True,
    ) -> Path:
        lists = self.folder / "splits" / form / name
        options = {"set": name, "splits": splits, "separator": separator}
        command = ["--index", str(self.folder / "index"), "--lists", str(lists)]
        for stage in ("clips", "frames") if frames else ("clips",):
            command += [f"--{stage}", str(self.folder / stage / "default")]
        command += ["--format", form, "--options", json.dumps(options)]
        write_splits.main(command)
        return lists

    def expected(self, stage: str, video_id: str) -> tuple[str, int, list[int]]:
        """The path, frames and class numbers that a list should say of a video."""
        row = self.rows[stage, video_id]
        root = self.folder / stage / "default"
        return str(Path(row.path).relative_to(root)), row.frames


@pytest.fixture
def results(tmp_path) -> Results:
    return Results(tmp_path / "results", ENTRIES)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_lists_of_frames_with_all_that_goes_with_them(results, capsys):
    assert texts(results.write()) == {
        "train.txt": "00000/jump+a.mp4 1 10 1\n00001/run+c=2C=20d.mp4 1 13 0\n",
        "test.txt": "00001/jump+b.mp4 1 11 1\n00001/run+f.mp4 1 15 2\n"
        "00001/run+h.mp4 1 17\n",
        "classes.txt": "run\njump\ndrive a car\n",
        "missing.tsv": "id\tsplit\tlabel\tstatus\tmessage\n"
        "run/g.mp4\ttest\trun\tcorrupt\tcut off\n"
        "run/e.mp4\ttrain\trun\tcorrupt\tcut off\n",
        "counts.tsv": "split\tvideos\tresults\tmissing\tclasses\n"
        "test\t4\t3\t1\t2\ntrain\t3\t2\t1\t2\n",
        "classes.tsv": "class\ttest\ttrain\n"
        "run\t0\t1\njump\t1\t1\ndrive a car\t1\t0\n\t1\t0\n",
    }
    assert capsys.readouterr().out == (
        "test: 3 videos, 1 missing\ntrain: 2 videos, 1 missing\n"
        "test: train has no video of 1 classes: drive a car\n"
    )


def test_files_decide_and_old_lists_are_gone(results):
    results.write()
    mine = results.folder / "mine.txt"
    mine.write_text("./run/f.mp4\n\njump/b.mp4\n")
    lists = texts(results.write(splits={"val": str(mine)}, separator=";"))
    assert lists["val.txt"] == "00001/jump+b.mp4;1;11;1\n00001/run+f.mp4;1;15;2\n"
    always = {"classes.txt", "classes.tsv", "counts.tsv", "missing.tsv"}
    assert set(lists) == {"val.txt", *always}


def test_lists_name_clips_where_frames_are_not_dumped(results):
    lists = results.write(frames=False)
    assert (lists / "train.txt").read_text().startswith("00000/jump+a.mp4.mp4 1 10 1\n")
    with pytest.raises(SystemExit, match="names frames, and there are none"):
        results.write("tsn", frames=False)


# The grammars of the readers, each in the line that the reader has for it.
LINES = {
    "ibm": (".txt", "frames", lambda f: (f[0], int(f[2]), f[3:], int(f[1]) == 1)),
    "ibm_flow": (".txt", "frames", lambda f: (f[0], int(f[2]) + 1, f[3:], f[1] == "1")),
    "tsn": (".txt", "frames", lambda f: (f[0], int(f[1]), f[2:], True)),
    "mmaction2_rawframes": (".txt", "frames", lambda f: (f[0], int(f[1]), f[2:], True)),
    "mmaction2_videos": (".txt", "clips", lambda f: (f[0], None, f[1:], True)),
    "pyslowfast": (".csv", "clips", lambda f: (f[0], None, f[1:], True)),
}
hostile = st.lists(
    st.tuples(
        file_names.filter(
            lambda name: len(name.encode("utf-8", "surrogateescape")) < 60
        ),
        st.lists(st.sampled_from(CLASSES), unique=True, max_size=1),
        st.sampled_from(["train", "val", "test"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda video: video[0],
)
tmp_folders = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("form", LINES)
@given(videos=hostile)
@tmp_folders
def test_lines_say_what_the_manifests_say(tmp_path_factory, form, videos):
    entries = [entry(i, tuple(labels), split) for i, labels, split in videos]
    results = Results(tmp_path_factory.mktemp("lists"), entries)
    lists = results.write(form)
    suffix, stage, parse = LINES[form]
    needed = FORMATS[form].least_labels
    for split in {one.splits["default"] for one in entries}:
        text = (lists / f"{split}{suffix}").read_bytes().decode()
        got = [parse(line.strip().split()) for line in text.split("\n")[:-1]]
        expected = []
        for one in sorted(entries, key=lambda e: e.row.id):
            if one.splits["default"] == split and len(one.labels) >= needed:
                path, frames = results.expected(stage, one.row.id)
                frames = None if stage == "clips" else frames
                numbers = [str(CLASSES.index(label)) for label in one.labels]
                expected.append((path, frames, numbers, True))
        assert got == expected


@given(videos=hostile)
@tmp_folders
def test_what_is_missing_reads_back_as_it_is(tmp_path_factory, videos):
    entries = [
        Entry(Row(i, "missing", "no such file"), tuple(labels), {"default": split})
        for i, labels, split in videos
    ]
    results = Results(tmp_path_factory.mktemp("lists"), entries)
    missing = results.write() / "missing.tsv"
    with missing.open(newline="", errors="surrogateescape") as file:
        got = list(csv.DictReader(file, dialect="excel-tab"))
    assert sorted((r["id"], r["split"], r["label"]) for r in got) == sorted(
        (i, split, "".join(labels)) for i, labels, split in videos
    )
    assert {r["status"] for r in got} <= {"missing"}


def test_several_labels_are_several_fields(tmp_path):
    both = [entry("a", ("drive a car", "run"), "train")]
    results = Results(tmp_path, both)
    lines = {
        form: (results.write(form) / "train.txt").read_text()
        for form in ("ibm", "tsn", "mmaction2_videos")
    }
    assert lines == {
        "ibm": "00000/a 1 10 2 0\n",
        "tsn": "00000/a 10 2 0\n",
        "mmaction2_videos": "00000/a.mp4 2 0\n",
    }
    for form in ("pyslowfast", "torchvision", "3d_resnets"):
        with pytest.raises(SystemExit, match=r"'a' has 2 labels \(drive a car, run\)"):
            results.write(form)


def test_a_reader_that_needs_a_label_is_not_given_a_video_without(results):
    lists = results.write("tsn")
    assert "run+h" not in (lists / "test.txt").read_text()
    line = "run/h.mp4\ttest\t\tno_label\tthe format's reader needs one\n"
    assert line in (lists / "missing.tsv").read_text()


def test_one_frame_has_no_flow(tmp_path):
    results = Results(tmp_path, [entry("a", (), "train"), entry("b", (), "train")])
    results.rows["frames", "a"] = replace(results.rows["frames", "a"], frames=1)
    results.write_manifests({"a": "00000", "b": "00001"})
    lists = results.write("ibm_flow")
    assert (lists / "train.txt").read_text() == "00001/b 1 10\n"
    assert "a\ttrain\t\ttoo_short\t" in (lists / "missing.tsv").read_text()


def test_torchvision_reads_the_folders_wherever_the_results_are_moved(results):
    from torchvision.datasets import DatasetFolder

    entries = {one.row.id: one for one in ENTRIES}
    for (stage, video_id), row in results.rows.items():
        if stage == "clips" and row.ok:
            files.write_text(Path(row.path), video_id)
    results.write("torchvision")
    moved = results.folder.with_name("moved")
    shutil.move(results.folder, moved)
    found = {}
    for split in ("train", "test"):
        data = DatasetFolder(
            str(moved / "splits/torchvision/default" / split),
            loader=lambda path: Path(path).read_text(),
            extensions=(".mp4",),
            allow_empty=True,
        )
        assert data.classes == ["drive=20a=20car", "jump", "run"]
        for video_id, number in data:
            (label,) = entries[video_id].labels
            assert data.classes[number] == slug(label)
            found[video_id] = split
    assert found == {
        "jump/a.mp4": "train",
        "run/c, d.mp4": "train",
        "jump/b.mp4": "test",
        "run/f.mp4": "test",
    }


def test_links_lead_to_sources_that_an_encoding_leaves_where_they_are(tmp_path):
    results = Results(tmp_path / "results", [entry("a.avi", ("run",), "train")])
    source = tmp_path / "far/a.avi"
    files.write_text(source, "it")
    results.rows["clips", "a.avi"] = replace(
        results.rows["clips", "a.avi"], path=str(source)
    )
    results.write_manifests({"a.avi": "00000"})
    link = results.write("torchvision") / "train/run/a.avi.avi"
    assert link.readlink() == source
    line = (results.write("ibm", frames=False) / "train.txt").read_text()
    assert line == f"{source} 1 10 0\n"


@pytest.mark.parametrize("form", ["ibm", "torchvision"])
def test_sources_are_found_from_results_on_another_disk(tmp_path, monkeypatch, form):
    """A folder of results is often a link to where there is room."""
    (tmp_path / "scratch/of/mine").mkdir(parents=True)
    (tmp_path / "results").symlink_to("scratch/of/mine")
    monkeypatch.chdir(tmp_path)
    results = Results(Path("results"), [entry("a.avi", ("run",), "train")])
    files.write_text(tmp_path / "videos/a.avi", "it")
    results.rows["clips", "a.avi"] = replace(
        results.rows["clips", "a.avi"], path="videos/a.avi"
    )
    results.write_manifests({"a.avi": "00000"})
    lists = results.write(form, frames=False)
    if form == "torchvision":
        found = lists / "train/run/a.avi.avi"
    else:
        name = (lists / "train.txt").read_text().split(" ")[0]
        found = results.folder / "clips/default" / name
    assert found.read_text() == "it"


def hara(path: Path, subset: str) -> list[tuple]:
    """Read a subset as datasets/videodataset.py of 3D-ResNets-PyTorch does."""
    data = json.loads(path.read_text())
    number = {name: place for place, name in enumerate(data["labels"])}
    samples = []
    for key, value in data["database"].items():
        if value["subset"] == subset:
            annotations = value["annotations"]
            label = number[annotations["label"]] if "label" in annotations else -1
            begin, end = annotations["segment"]
            samples.append((key, value["video_path"], label, list(range(begin, end))))
    return samples


@given(videos=hostile)
@tmp_folders
def test_hara_reads_the_json(tmp_path_factory, videos):
    entries = [entry(i, tuple(labels), split) for i, labels, split in videos]
    results = Results(tmp_path_factory.mktemp("lists"), entries)
    lists = results.write("3d_resnets") / "annotations.json"
    subsets = {"train": "training", "val": "validation", "test": "testing"}
    for split, subset in subsets.items():
        expected = []
        for one in sorted(entries, key=lambda e: e.row.id):
            if one.splits["default"] == split:
                path, frames = results.expected("frames", one.row.id)
                label = CLASSES.index(one.labels[0]) if one.labels else -1
                expected.append((one.row.id, path, label, [*range(1, frames + 1)]))
        assert hara(lists, subset) == expected


def test_the_table_has_everything(tmp_path):
    events = (Event(0.5, 1.0, "run", "it\nruns"), Event(None, None, "", "so what"))
    splits = {"split1": "train", "split2": "test"}
    full = Entry(Row("b", start=1.0, end=2.5), ("jump", "run"), splits, events)
    gone = Entry(Row("a\udcff", "missing", "no file"), ("run",), {"split1": "unused"})
    results = Results(tmp_path, [full, gone])
    results.write("parquet", name="split1")
    path = tmp_path / "splits/parquet/split1/videos.parquet"
    table = parquet.read_table(path)
    nothing = dict.fromkeys(
        (
            "clip_path",
            "frames_path",
            "start",
            "end",
            "frames",
            "fps",
            "width",
            "height",
        ),
    )
    assert table.to_pylist() == [
        {
            "id": r"a\udcff",
            "split": None,
            "labels": ["run"],
            "label_ids": [0],
            "status": "missing",
            "message": "no file",
            **nothing,
            "duration": None,
            "events": [],
            "sets": [("split1", "unused")],
        },
        {
            "id": "b",
            "split": "train",
            "labels": ["jump", "run"],
            "label_ids": [1, 0],
            "status": "ok",
            "message": "",
            "clip_path": "00001/b.mp4",
            "frames_path": "00001/b",
            "start": 1.0,
            "end": 2.5,
            "frames": 11,
            "fps": 25.0,
            "width": 340,
            "height": 256,
            "duration": 0.44,
            "events": [
                {"start": 0.5, "end": 1.0, "label": "run", "text": "it\nruns"},
                {"start": None, "end": None, "label": "", "text": "so what"},
            ],
            "sets": [("split1", "train"), ("split2", "test")],
        },
    ]
    assert {c.compression for c in columns(path)} == {"ZSTD"}


def columns(path: Path):
    group = parquet.read_metadata(path).row_group(0)
    return [group.column(number) for number in range(group.num_columns)]


def test_the_table_tells_clips_from_frames_that_failed(results):
    row = results.rows["frames", "jump/a.mp4"]
    results.rows["frames", "jump/a.mp4"] = row.failed("corrupt", "half")
    names = {i: "00000" for _, i in results.rows}
    results.write_manifests(names)
    lists = results.write("parquet")
    first = parquet.read_table(lists / "videos.parquet").to_pylist()[0]
    assert (first["status"], first["frames_path"], first["frames"]) == (
        "corrupt",
        None,
        10,
    )
    assert first["clip_path"] == "00000/jump+a.mp4.mp4"
    assert "jump/a.mp4" in (lists / "missing.tsv").read_text()


def test_a_validation_list_of_test_videos_stays_in_the_test_list(results):
    splits = {
        "base": "annotations",
        "base_set": "default",
        "validation": {"part": 0.5, "seed": 0, "source": "test_leaking"},
        "unused": None,
    }
    entries = [entry(f"{n}", ("run",), "test") for n in range(4)]
    results = Results(results.folder, entries)
    lists = results.write("parquet", splits, "own")
    table = parquet.read_table(lists / "videos.parquet").to_pylist()
    assert sorted(row["split"] for row in table) == ["test"] * 4 + ["val"] * 2
    with pytest.raises(SystemExit, match="is in the lists 'test' and 'val'"):
        results.write("3d_resnets", splits, "own")


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_again_is_the_same_byte_for_byte(results, form):
    def state():
        return {
            path.relative_to(results.folder): path.readlink()
            if path.is_symlink()
            else path.read_bytes()
            for path in results.write(form).rglob("*")
            if not path.is_dir()
        }

    first = state()
    assert first
    assert state() == first


@pytest.mark.parametrize(
    ("form", "separator", "path", "message"),
    [
        ("ibm", ";", "far;off", "holds the separator ';'; choose another one"),
        ("ibm", " ", "far off", "holds the separator ' '; choose another one"),
        ("tsn", ";", "far off", "holds the separator ' '; name another encoding"),
        ("ibm", ";", "far\noff", "has a line break"),
    ],
)
def test_a_path_that_no_reader_could_tell_is_refused(
    tmp_path, form, separator, path, message
):
    results = Results(tmp_path, [entry("a", ("run",), "train")])
    lists = results.write(form, separator=separator)
    before = texts(lists)
    row = results.rows["frames", "a"]
    results.rows["frames", "a"] = replace(row, path=f"/{path}/a")
    results.write_manifests({"a": "00000"})
    with pytest.raises(SystemExit, match=re.escape(message)):
        results.write(form, separator=separator)
    assert texts(lists) == before
    assert os.listdir(lists.parent) == ["default"]  # noqa: PTH208


def test_manifests_of_another_index_are_refused(results):
    tables.write(results.folder / "frames/default/00001.tsv", [])
    with pytest.raises(SystemExit, match=r"no row of 'jump/b\.mp4'"):
        results.write()


def test_the_name_of_a_split_stays_inside_the_folder(tmp_path):
    results = Results(tmp_path, [entry("a", ("run",), "../../outside")])
    assert (results.write() / "=2E.+..+outside.txt").exists()
    results = Results(tmp_path, [entry("a", ("run",), "classes")])
    with pytest.raises(SystemExit, match="cannot be called 'classes'"):
        results.write()

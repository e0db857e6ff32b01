"""Readers of the official annotations, on miniatures in their true syntax."""

import json
from collections import Counter
from pathlib import Path

import pytest

from scripts import unpack_archive
from scripts.common.annotations import (
    READERS,
    Annotated,
    Annotations,
    Event,
    Files,
    check_classes,
)
from scripts.common.sources import Source, image_folders
from tests.miniatures import KINETICS, MAKERS, clip_names, kinetics_csv, written

FORMATS = {name: name for name in READERS} | {
    "kinetics400": "kinetics",
    "kinetics600": "kinetics",
    "kinetics700": "kinetics",
    "kinetics700_2020": "kinetics",
    "something_v1": "something",
    "something_v2": "something",
}
CODES = {"Charades_v1_classes.txt": "c000 Cooking\n"}
every_dataset = pytest.mark.parametrize("dataset", MAKERS)


def unpacked(archive: Path | list[Path], folder: Path) -> list:
    """Unpack an archive, or the parts of one; return its rows."""
    parts = archive if isinstance(archive, list) else [archive]
    rows = unpack_archive.unpack(parts, folder / "archive.tsv", 10**9)
    assert all(row.ok for row in rows)
    return rows


def files_of(made: dict, folder: Path) -> Files:
    """Return the annotation files of a miniature; archives are unpacked."""
    paths = []
    for number, path in enumerate(made["annotations"]):
        if path.suffix in (".zip", ".rar", ".gz"):
            rows = unpacked(path, folder / str(number))
            paths += [Path(row.path) for row in rows]
        else:
            paths.append(path)
    return Files(paths)


def read(dataset: str, folder: Path) -> Annotations:
    """Return what the dataset's reader says of its miniature."""
    files = files_of(MAKERS[dataset](folder / "made"), folder / "unpacked")
    return READERS[FORMATS[dataset]](files)


def read_files(form: str, folder: Path, texts: dict[str, str]) -> list[Annotated]:
    """Return the videos of some annotation files."""
    return list(READERS[form](Files(written(folder, texts))).videos)


def charades(*rows: str, **texts: str) -> dict[str, str]:
    """Return the files of Charades with these rows of id and actions."""
    table = "id,actions,length\n" + "".join(f"{row},1\n" for row in rows)
    return CODES | {"Charades_v1_train.csv": table, **texts}


def splits_of(annotations: Annotations) -> Counter:
    """Return how many videos there are by set and list."""
    return Counter(
        f"{name} {split}"
        for video in annotations.videos
        for name, split in video.splits.items()
    )


@every_dataset
def test_names_of_videos_are_found_in_the_archives(dataset, tmp_path):
    made = MAKERS[dataset](tmp_path / "made")
    groups = [
        unpacked(archive, tmp_path / f"videos{number}")
        for number, archive in enumerate(made["archives"])
    ]
    if dataset == "something_v1":
        groups = [list(image_folders(rows, 12)) for rows in groups]
    source = Source(groups)
    files = files_of(made, tmp_path / "annotations")
    videos = list(READERS[FORMATS[dataset]](files).videos)
    assert 4 <= len(videos) <= 8
    found = [source.find(video.name) for video in videos]
    assert None not in found
    assert len({row.path for row in found}) == len(videos)
    if dataset == "kinetics400":
        corrupt = videos[
            [video.id for video in videos].index("0347ZoDXyP0_000095_000105")
        ]
        assert "replacement" in source.find(corrupt.name).path


@every_dataset
def test_ids_are_unique_and_labels_are_the_classes(dataset, tmp_path):
    annotations = read(dataset, tmp_path)
    videos = list(annotations.videos)
    assert len({video.id for video in videos}) == len(videos)
    assert all(video.splits for video in videos)
    if annotations.classes is not None:
        check_classes(videos, annotations.classes)


def test_ucf101(tmp_path):
    annotations = read("ucf101", tmp_path)
    assert annotations.classes == ("ApplyEyeMakeup", "HandstandPushups", "YoYo")
    videos = {video.id: video for video in annotations.videos}
    video = videos["HandstandPushups/v_HandStandPushups_g01_c01.avi"]
    assert video.name == video.id
    assert video.labels == ("HandstandPushups",)
    assert video.splits == {"split1": "test", "split2": "train", "split3": "test"}
    assert splits_of(annotations)["split1 train"] == 3


def test_hmdb51(tmp_path):
    annotations = read("hmdb51", tmp_path)
    assert annotations.classes == ("brush_hair", "wave")
    videos = {video.id: video for video in annotations.videos}
    video = videos["brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi"]
    assert video.labels == ("brush_hair",)
    assert video.splits == {"split1": "train", "split2": "test", "split3": "unused"}
    assert splits_of(annotations)["split1 unused"] == 1


@pytest.mark.parametrize("dataset", [name for name in MAKERS if "kinetics" in name])
def test_kinetics(dataset, tmp_path):
    annotations = read(dataset, tmp_path)
    assert annotations.classes == ("abseiling", "mountain climber (exercise)")
    videos = {f"{video.name}.mp4": video for video in annotations.videos}
    assert set(videos) == {name for split in KINETICS for name in clip_names(split)}
    video = videos["15qwsMlDRrk_000000_000010.mp4"]
    assert video == Annotated(
        id="15qwsMlDRrk_000000_000010",
        name="15qwsMlDRrk_000000_000010",
        url="https://www.youtube.com/watch?v=15qwsMlDRrk",
        start=0.0,
        end=10.0,
        is_cut=True,
        labels=("mountain climber (exercise)",),
        splits={"default": "train"},
    )
    test = videos["--65_UAU7ao_000000_000010.mp4"]
    assert test.labels == (("abseiling",) if dataset == "kinetics400" else ())
    assert splits_of(annotations) == {
        "default train": 3,
        "default val": 2,
        "default test": 1,
    }


def test_a_clip_of_several_rows_has_all_labels_and_is_not_trained_on(tmp_path):
    header = "label,youtube_id,time_start,time_end\n"
    texts = {
        "kinetics_train.csv": header
        + "yoga,aaaaaaaaaaa,1,11\nzumba,aaaaaaaaaaa,1,11\nyoga,bbbbbbbbbbb,0,10\n"
        + "yoga,aaaaaaaaaaa,2,12\n",
        "kinetics_val.csv": header + "yoga,bbbbbbbbbbb,0,10\n",
    }
    videos = {v.id: v for v in read_files("kinetics", tmp_path, texts)}
    assert videos["aaaaaaaaaaa_000001_000011"].labels == ("yoga", "zumba")
    assert videos["bbbbbbbbbbb_000000_000010"].labels == ("yoga",)
    assert videos["bbbbbbbbbbb_000000_000010"].splits == {"default": "val"}
    assert len(videos) == 3


def test_the_json_of_kinetics_says_what_the_csv_does(tmp_path):
    files = files_of(MAKERS["kinetics600"](tmp_path / "made"), tmp_path / "unpacked")
    tables = [files.one(name) for name in files.names if name.endswith(".csv")]
    jsons = [files.one(name) for name in files.names if name.endswith(".json")]
    assert len(tables) == len(jsons) == 3
    one, other = (READERS["kinetics"](Files(paths)) for paths in (tables, jsons))
    assert list(one.videos) == list(other.videos)
    assert one.classes == other.classes


def test_something_v2(tmp_path):
    annotations = read("something_v2", tmp_path)
    assert annotations.classes == (
        "Tilting something with something on it until it falls off",
        "Opening something",
        "Holding something next to something",
    )
    videos = {video.id: video for video in annotations.videos}
    assert videos["78687"] == Annotated(
        id="78687",
        name="78687.webm",
        labels=("Holding something next to something",),
        splits={"default": "train"},
    )
    assert videos["74225"].splits == {"default": "val"}
    assert videos["1420"].labels == ()


def test_something_v2_may_have_the_names_of_20bn(tmp_path):
    files = files_of(MAKERS["something_v2"](tmp_path / "made"), tmp_path / "unpacked")
    texts = {
        f"something-something-v2-{name}": files.one(name).read_text()
        for name in ("labels.json", "train.json")
    }
    videos = read_files("something", tmp_path / "old", texts)
    assert [video.id for video in videos] == ["78687", "42326", "100904"]


def test_something_v1(tmp_path):
    annotations = read("something_v1", tmp_path)
    assert annotations.classes == (
        "Unfolding something",
        "Something falling like a feather or paper",
    )
    videos = {video.id: video for video in annotations.videos}
    assert videos["100218"].name == "100218"
    assert videos["100218"].labels == ("Something falling like a feather or paper",)
    assert videos["48032"].splits == {"default": "val"}
    assert videos["7"].labels == ()


def test_moments(tmp_path):
    annotations = read("moments", tmp_path)
    assert annotations.classes == ("adult+female+singing", "yawning")
    videos = {video.id: video for video in annotations.videos}
    video = videos["adult+female+singing/flickr-1-2.3_4.mp4"]
    assert video.labels == ("adult+female+singing",)
    assert video.splits == {"default": "val"}


def test_charades_with_sentences(tmp_path):
    annotations = read("charades", tmp_path)
    assert annotations.classes[1] == "Putting clothes somewhere"
    videos = {video.id: video for video in annotations.videos}
    assert videos["AO8RW"] == Annotated(
        id="AO8RW",
        name="AO8RW",
        labels=("Putting clothes somewhere", "Holding some clothes"),
        splits={"default": "train", "sta": "train"},
        events=(
            Event(0.0, 0.6, "Putting clothes somewhere"),
            Event(0.2, 0.9, "Holding some clothes"),
            Event(0.7, 1.0, "Putting clothes somewhere"),
            Event(0.0, 0.6, text="a person is putting a book."),
            Event(0.5, 1.0, text="person opens the ## door."),
        ),
    )
    assert videos["46GP8"].events == (Event(0.1, 7.4, "Cooking"),)
    assert videos["46GP8"].splits == {"default": "train"}
    assert videos["YSKX3"].labels == ()
    assert videos["YSKX3"].splits == {"default": "test", "sta": "test"}


def test_activities_with_captions(tmp_path):
    videos = {video.id: video for video in read("activitynet", tmp_path).videos}
    assert videos["v_V1zhqaGFY2A"] == Annotated(
        id="v_V1zhqaGFY2A",
        name="v_V1zhqaGFY2A",
        url="https://www.youtube.com/watch?v=V1zhqaGFY2A",
        labels=("Zumba", "Fun sliding down"),
        splits={"default": "train", "captions": "train", "captions_2": "train"},
        events=(
            Event(0.0, 0.4, "Zumba"),
            Event(0.5, 1.0, "Fun sliding down"),
            Event(0.6, 0.9, "Zumba"),
            Event(0.0, 0.5, text="They dance."),
            Event(0.5, 1.0, text="End"),
        ),
    )
    val = videos["v_uqiMw7tQ1Cc"]
    assert val.splits == {"default": "val", "captions": "val_1", "captions_2": "val_2"}
    assert [event.text for event in val.events] == ["", "A class.", "Many people."]
    assert videos["v_-VexPWU4tSQ"].labels == ()
    assert videos["v_-VexPWU4tSQ"].splits == {"default": "test"}


def test_captions_alone_and_activities_alone(tmp_path):
    files = files_of(MAKERS["activitynet"](tmp_path / "made"), tmp_path / "unpacked")
    captions = {"val_1.json": files.one("val_1.json").read_text()}
    [video] = read_files("activitynet", tmp_path / "captions", captions)
    assert video.splits == {"captions": "val_1"}
    assert video.url == "https://www.youtube.com/watch?v=uqiMw7tQ1Cc"
    name = "activity_net.v1-3.min.json"
    activities = {name: files.one(name).read_text()}
    videos = read_files("activitynet", tmp_path / "activities", activities)
    assert len(videos) == 4
    assert {"default"} == {name for video in videos for name in video.splits}


def test_youcook2(tmp_path):
    annotations = read("youcook2", tmp_path)
    assert annotations.classes == ("grilled cheese", "foie gras")
    videos = {video.id: video for video in annotations.videos}
    assert videos["GLd3aX16zBg"] == Annotated(
        id="GLd3aX16zBg",
        name="GLd3aX16zBg",
        url="https://www.youtube.com/watch?v=GLd3aX16zBg",
        labels=("grilled cheese",),
        splits={"default": "train"},
        events=(
            Event(0.0, 0.5, text="spread margarine on bread"),
            Event(0.5, 1.0, text="place cheese on the bread"),
        ),
    )
    assert videos["4eWzsx1vAi8"].splits == {"default": "test"}
    assert videos["4eWzsx1vAi8"].events[0] == Event(0.0, 0.5)


def test_recipes_without_names_are_numbers(tmp_path):
    entry = {"subset": "training", "recipe_type": "113", "annotations": []}
    database = {"database": {"GLd3aX16zBg": entry}}
    texts = {"youcookii_annotations_trainval.json": json.dumps(database)}
    [video] = read_files("youcook2", tmp_path, texts)
    assert video.labels == ("113",)
    assert video.url == "https://www.youtube.com/watch?v=GLd3aX16zBg"


@every_dataset
def test_line_ends_byte_order_marks_and_blank_lines_do_no_harm(dataset, tmp_path):
    files = files_of(MAKERS[dataset](tmp_path / "made"), tmp_path / "unpacked")
    read = READERS[FORMATS[dataset]]
    plain = read(files)
    changed = []
    for name in files.names:
        text = files.one(name).read_text().replace("\r\n", "\n")
        text = "\r\n".join([*text.split("\n"), "", " ", ""])
        path = tmp_path / "changed" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        changed.append(path)
    again = read(Files(changed))
    assert list(again.videos) == list(plain.videos)
    assert again.classes == plain.classes


def test_capital_letters_and_what_a_mac_adds_do_no_harm(tmp_path):
    texts = charades("A,") | {"Charades_sta_train.txt": "A 0 1##text\n"}
    [video] = read_files("charades", tmp_path, texts)
    assert video.splits == {"default": "train", "sta": "train"}
    clips = {"val.csv": kinetics_csv("val", "val"), "._val.csv": "\0\5\x16\7"}
    assert len(read_files("kinetics", tmp_path, clips)) == 2


def test_later_files_of_one_name_count(tmp_path):
    older = kinetics_csv("val", "val")
    newer = kinetics_csv("train", "val")
    paths = written(tmp_path, {"a/val.csv": older, "b/val.csv": newer})
    videos = list(READERS["kinetics"](Files(paths)).videos)
    assert [f"{video.name}.mp4" for video in videos] == clip_names("train")

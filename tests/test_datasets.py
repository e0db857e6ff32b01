"""Every recipe of config/datasets, on a miniature in its true format, to its lists."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from pyarrow import parquet

from scripts.common import index, tables
from tests import miniatures
from tests.projects import Project
from tests.web import serve

# Encodings as quick as can be: what is tested is what comes before and after them.
TINY = {"fps": 12, "short_side": 32, "preset": "ultrafast"}


def archives(made: list) -> list | dict:
    """Return archives as the config has them: those of equal names in groups."""
    entries = [
        {"parts": list(map(str, entry))} if isinstance(entry, list) else str(entry)
        for entry in made
    ]
    names = [Path(entry).name for entry in entries if isinstance(entry, str)]
    if len(set(names)) == len(names):
        return entries
    groups: dict[str, list] = {}
    for entry in entries:
        groups.setdefault(Path(entry).parent.name, []).append(entry)
    return groups


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A build of all datasets; Kinetics-400 comes from a web server, with its lists."""
    root = tmp_path_factory.mktemp("datasets")
    datasets = {}
    for name, make in miniatures.MAKERS.items():
        made = make(root / "published" / name)
        datasets[name] = {
            "recipe": name,
            "source": {"archives": archives(made["archives"])},
            "annotations": {"files": list(map(str, made["annotations"]))},
            "shards": 1,
        }
    # Both editions are taken from the same archives.
    datasets["kinetics700"]["source"] = datasets["kinetics700_2020"]["source"]
    datasets["charades"]["splits"] = {"default": "annotations", "sta": "annotations"}
    datasets["ucf101"]["splits"] = {
        "split1": "annotations",
        "val1": {"base": "split1", "validation": {"part": 0.5}},
        "copy": {"base": "split1", "validation": {"source": "test_leaking"}},
    }
    datasets["hmdb51"]["splits"] = {
        "split1": "annotations",
        "all1": {"base": "split1", "unused": "val"},
    }
    with serve(root / "published") as web:
        train, others = [], {}
        for group, paths in datasets["kinetics400"]["source"]["archives"].items():
            near = [str(Path(p).relative_to(root / "published")) for p in paths]
            if group == "train":
                train = near
            else:
                others[group] = [web.url(path) for path in near]
        (web.folder / "k400_train_path.txt").write_text(
            "".join(f"{web.url(path)}\n" for path in train)
        )
        source = {"train": [{"list": web.url("k400_train_path.txt")}], **others}
        # The replacement comes last, as in the recipe.
        source["kinetics400"] = source.pop("kinetics400")
        datasets["kinetics400"]["source"]["archives"] = source
        datasets["mini_kinetics400"] = {
            "recipe": "mini_kinetics400",
            "source": {"archives": source},
            "annotations": datasets["kinetics400"]["annotations"],
            "subset": {"classes": ["Abseiling"]},
            "shards": 1,
        }
        project = Project(root / "project")
        project.folder.mkdir()
        project.configure(
            {
                "datasets": datasets,
                "encodings": {"default": TINY},
                "lists": {"formats": ["ibm", "parquet"]},
                "download": {"min_free": 0},
            }
        )
        project.run("lists")
        project.downloads = Counter(request.path for request in web.requests)
    return project


def entries(project: Project, name: str) -> dict[str, index.Entry]:
    videos = index.read_videos(project.folder / f"results/{name}/index/videos.tsv")
    return {entry.row.id: entry for entry in videos}


def lists(project: Project, name: str, sets="default") -> dict[str, list[str]]:
    """The labels of each list's videos by the names of their classes, in order."""
    folder = project.folder / f"results/{name}/splits/ibm/{sets}"
    classes = index.read_classes(folder / "classes.txt")
    return {
        path.stem: [
            " & ".join(classes[int(label)] for label in line.split(" ")[3:])
            for line in path.read_text().splitlines()
        ]
        for path in sorted(folder.glob("*.txt"))
        if path.name != "classes.txt"
    }


@pytest.mark.parametrize("name", [*miniatures.MAKERS, "mini_kinetics400"])
def test_every_video_is_found_and_encoded(project, name):
    videos = entries(project, name)
    assert videos
    assert {entry.row.status for entry in videos.values()} == {"ok"}
    clips = (project.folder / f"results/{name}/clips/default").glob("*.tsv")
    rows = {row.id: row for row in tables.read_all(clips)}
    assert set(rows) == set(videos)
    assert {row.frames for row in rows.values()} == {12}, "each video has one second"


K600 = {
    "train": ["abseiling", "abseiling", "mountain climber (exercise)"],
    "val": ["mountain climber (exercise)", "abseiling"],
    "test": [""],
}
EYE, HAND = "ApplyEyeMakeup", "HandstandPushups"
TILT = "Tilting something with something on it until it falls off"
OPEN, HOLD = "Opening something", "Holding something next to something"
UNFOLD = "Unfolding something"
FALL = "Something falling like a feather or paper"
SING = "adult+female+singing"
SLIDE = "Fun sliding down"
LISTS = {
    ("ucf101", "split1"): {"train": [EYE, HAND, "YoYo"], "test": [EYE, HAND, "YoYo"]},
    ("ucf101", "val1"): {
        "train": [EYE, HAND, "YoYo"],
        "val": [],
        "test": [EYE, HAND, "YoYo"],
    },
    ("hmdb51", "split1"): {
        "train": ["brush_hair", "wave"],
        "test": ["brush_hair", "wave"],
    },
    ("hmdb51", "all1"): {
        "train": ["brush_hair", "wave"],
        "val": ["brush_hair"],
        "test": ["brush_hair", "wave"],
    },
    ("kinetics400", "default"): K600 | {"test": ["abseiling"]},
    ("mini_kinetics400", "default"): {
        "train": ["abseiling", "abseiling"],
        "val": ["abseiling"],
        "test": ["abseiling"],
    },
    ("kinetics600", "default"): K600,
    ("kinetics700", "default"): K600,
    ("kinetics700_2020", "default"): K600,
    ("something_v1", "default"): {
        "train": [FALL, UNFOLD],
        "val": [UNFOLD],
        "test": [""],
    },
    ("something_v2", "default"): {
        "train": [TILT, OPEN, HOLD],
        "val": [TILT, OPEN],
        "test": [""],
    },
    ("moments", "default"): {
        "train": [SING, SING, "yawning"],
        "val": [SING, "yawning"],
    },
    ("charades", "default"): {
        "train": ["Cooking", "Putting clothes somewhere & Holding some clothes"],
        "test": ["Cooking", ""],
    },
    ("charades", "sta"): {
        "train": ["Putting clothes somewhere & Holding some clothes"],
        "test": [""],
    },
    ("activitynet", "default"): {
        "train": [f"Zumba & {SLIDE}", SLIDE],
        "val": ["Zumba"],
        "test": [""],
    },
    ("activitynet", "captions"): {
        "train": [f"Zumba & {SLIDE}"],
        "val_1": ["Zumba"],
    },
    ("youcook2", "default"): {
        "train": ["grilled cheese", "foie gras"],
        "val": ["foie gras"],
        "test": ["grilled cheese"],
    },
}


@pytest.mark.parametrize(("name", "sets"), LISTS, ids="/".join)
def test_lists_say_what_the_annotations_say(project, name, sets):
    assert lists(project, name, sets) == LISTS[name, sets]


def test_events_and_sentences_are_in_the_table_of_everything(project):
    folder = project.folder / "results/charades/splits/parquet/default"
    table = parquet.read_table(folder / "videos.parquet").to_pylist()
    (video,) = (row for row in table if row["id"] == "AO8RW")
    assert video["labels"] == ["Putting clothes somewhere", "Holding some clothes"]
    said = [(e["start"], e["end"], e["text"]) for e in video["events"] if e["text"]]
    assert said[0] == (0.0, 0.6, "a person is putting a book.")


def test_each_file_is_downloaded_once_for_two_datasets(project):
    assert project.downloads
    assert set(project.downloads.values()) == {1}


def test_a_second_run_does_nothing_even_without_the_downloads(project):
    shutil.rmtree(project.folder / "results/kinetics400/downloads")
    assert project.planned("lists") == {}

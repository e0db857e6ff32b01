"""The field's datasets in miniature: true names, layouts and syntax, tiny videos.

Each `make_<dataset>(folder)` writes the files as they are published and returns their
paths: `archives`, in which the parts of one archive are a list, and `annotations`.
"""

import functools
import io
import json
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests import rar_writer

# A video of one second; what follows is the codec of each container.
SOURCE = "testsrc2=size=96x64:rate=12:duration=1"
CODECS = {
    ".avi": ("-c:v", "mpeg4", "-vtag", "xvid"),
    ".mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p"),
    ".webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime"),
    "/%05d.jpg": (),
}

Made = dict[str, list]


@functools.cache
def encoded(suffix: str) -> tuple[bytes, ...]:
    """Return a video, or its pictures, encoded once in a process."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", SOURCE]
        target = f"{folder}/video{suffix}"
        Path(target).parent.mkdir(exist_ok=True)
        subprocess.run([*command, *CODECS[suffix], target], check=True)
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return tuple(path.read_bytes() for path in paths)


def videos(*names: str) -> dict[str, bytes]:
    """Return the same video under several names, encoded as the names say."""
    return {name: encoded(Path(name).suffix)[0] for name in names}


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a zip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar.gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def rar_of(members: Mapping[str, bytes]) -> bytes:
    """Return a RAR archive."""
    return rar_writer.rar4([rar_writer.Entry(*member) for member in members.items()])


def written(folder: Path, files: Mapping[str, bytes | str]) -> list[Path]:
    """Write files below a folder; return their paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def cut(path: Path, names: list[str]) -> list[Path]:
    """Cut a file into parts of one size with these names."""
    data = path.read_bytes()
    size = -(-len(data) // len(names))
    parts = {name: data[i * size : (i + 1) * size] for i, name in enumerate(names)}
    path.unlink()
    return written(path.parent, parts)


UCF101 = (
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi",
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi",
    "HandstandPushups/v_HandStandPushups_g08_c01.avi",
    "HandstandPushups/v_HandStandPushups_g01_c01.avi",
    "YoYo/v_YoYo_g08_c01.avi",
    "YoYo/v_YoYo_g01_c01.avi",
)


def make_ucf101(folder: Path) -> Made:
    """Six videos of three classes; the second of each class is tested in split 1."""
    classes = ["ApplyEyeMakeup", "HandstandPushups", "YoYo"]
    lines = [f"{number} {name}" for number, name in enumerate(classes, start=1)]
    lists = {"classInd.txt": "\r\n".join(lines) + "\r\n"}
    for split in (1, 2, 3):
        train, test = UCF101[(split + 1) % 2 :: 2], UCF101[split % 2 :: 2]
        numbers = {name: classes.index(name.split("/")[0]) + 1 for name in train}
        lists[f"trainlist0{split}.txt"] = "".join(f"{n} {numbers[n]}\n" for n in train)
        lists[f"testlist0{split}.txt"] = "".join(f"{n}\n" for n in test)
    rar = rar_of(videos(*(f"UCF-101/{name}" for name in UCF101)))
    members = {f"ucfTrainTestlist/{k}": text.encode() for k, text in lists.items()}
    name = "UCF101TrainTestSplits-RecognitionTask.zip"
    return {
        "archives": written(folder, {"UCF101.rar": rar}),
        "annotations": [zipped(folder / name, members)],
    }


HMDB51 = {
    "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi": (1, 2, 0),
    "brush_hair/atheismblog_brush_hair_u_nm_np2_ri_goo_3.avi": (2, 1, 1),
    "brush_hair/Haare_k#mmen_brush_hair_u_cm_np1_fr_goo_1.avi": (0, 0, 2),
    "wave/20060723sfjffbartsinger_wave_f_cm_np1_ba_med_0.avi": (1, 1, 2),
    "wave/winKen_wave_u_cm_np1_ri_bad_1.avi": (2, 2, 1),
}


def make_hmdb51(folder: Path) -> Made:
    """Five videos of two classes: a RAR of RARs, one for each class."""
    rars, lists = {}, {}
    for label in ("brush_hair", "wave"):
        mine = [name for name in HMDB51 if name.startswith(label)]
        rars[f"{label}.rar"] = rar_of(videos(*mine))
        for split in range(3):
            lines = [f"{n.split('/')[1]} {HMDB51[n][split]} \n" for n in mine]
            name = f"testTrainMulti_7030_splits/{label}_test_split{split + 1}.txt"
            lists[name] = "".join(lines).encode()
    return {
        "archives": written(folder, {"hmdb51_org.rar": rar_of(rars)}),
        "annotations": written(folder, {"test_train_splits.rar": rar_of(lists)}),
    }


# By list: class, YouTube id and start of each clip of ten seconds.
KINETICS = {
    "train": [
        ("abseiling", "0347ZoDXyP0", 95),
        ("abseiling", "-3B32lodo2M", 59),
        ("mountain climber (exercise)", "15qwsMlDRrk", 0),
    ],
    "val": [
        ("abseiling", "_vzHWdv5F1U", 143),
        ("mountain climber (exercise)", "U8IITDKEfTg", 0),
    ],
    "test": [("abseiling", "--65_UAU7ao", 0)],
}
DEEPMIND = {"train": "train", "val": "validate", "test": "test"}


def clip_names(split: str, label: str | None = None) -> list[str]:
    """Return the file names of a list's clips, or of one class of it."""
    return [
        f"{youtube_id}_{start:06d}_{start + 10:06d}.mp4"
        for name, youtube_id, start in KINETICS[split]
        if label in (None, name)
    ]


def kinetics_csv(
    split: str, said: str, labels: bool = True, is_cc: bool = False
) -> str:
    """Return the CSV file of a list; labels with blanks are quoted, as is done."""
    header = ["label"] * labels + ["youtube_id", "time_start", "time_end", "split"]
    lines = [header + ["is_cc"] * is_cc]
    for label, youtube_id, start in KINETICS[split]:
        quoted = f'"{label}"' if " " in label else label
        fields = [youtube_id, str(start), str(start + 10), said]
        lines.append([quoted] * labels + fields + ["0"] * is_cc)
    return "".join(",".join(line) + "\n" for line in lines)


def kinetics_json(split: str) -> str:
    """Return the JSON file of a list, as DeepMind publishes it."""
    entries = {}
    for label, youtube_id, start in KINETICS[split]:
        segment = {"segment": [float(start), float(start + 10)]}
        entries[youtube_id] = {
            "annotations": segment if split == "test" else {"label": label} | segment,
            "duration": 10.0,
            "subset": DEEPMIND[split],
            "url": f"https://www.youtube.com/watch?v={youtube_id}",
        }
    return json.dumps(entries)


def deepmind_tar(path: Path) -> Path:
    """Write DeepMind's archive of annotations, which has all in CSV and in JSON."""
    root = path.name.removesuffix(".tar.gz")
    members = {}
    for split, said in DEEPMIND.items():
        table = kinetics_csv(split, said, labels=split != "test")
        members[f"{root}/{said}.csv"] = table.encode()
        members[f"{root}/{said}.json"] = kinetics_json(split).encode()
    return tarred(path, members)


def make_kinetics400(folder: Path) -> Made:
    """Tars without class folders, and a replacement of a clip that is corrupt."""
    archives = []
    for split in KINETICS:
        members = videos(*(f"./{name}" for name in clip_names(split)))
        if split == "train":
            members[f"./{clip_names(split)[0]}"] = b"corrupt"
        archives.append(tarred(folder / split / "part_0.tar.gz", members))
    good = videos(f"replacement_for_corrupted_k400/{clip_names('train')[0]}")
    archives.append(tarred(folder / "replacement_for_corrupted_k400.tgz", good))
    tables = {
        f"{split}.csv": kinetics_csv(split, split, is_cc=True) for split in KINETICS
    }
    return {
        "archives": archives,
        "annotations": written(folder / "annotations", tables),
    }


def make_kinetics600(folder: Path) -> Made:
    """A tar for each class, one of them made on a Mac; DeepMind's annotations."""
    archives = []
    for split in ("train", "val"):
        for label in dict.fromkeys(label for label, *_ in KINETICS[split]):
            names = clip_names(split, label)
            root = f"{label}/" if split == "val" and " " in label else "./"
            members = videos(*(f"{root}{name}" for name in names))
            if root != "./":
                members |= {f"{root}._{name}": b"Mac OS X" for name in names}
            archives.append(tarred(folder / split / f"{label}.tar.gz", members))
    test = videos(*(f"./{name}" for name in clip_names("test")))
    archives.append(tarred(folder / "test/part_0.tar.gz", test))
    return {
        "archives": archives,
        "annotations": [deepmind_tar(folder / "kinetics600.tar.gz")],
    }


def _k700_tars(folder: Path) -> list[Path]:
    archives = []
    labels = sorted({label for label, *_ in KINETICS["train"]})
    for split in ("train", "val"):
        for number, label in enumerate(labels, start=1):
            names = (f"{label}/{name}" for name in clip_names(split, label))
            path = folder / split / f"k700_{split}_{number:03d}.tar.gz"
            archives.append(tarred(path, videos(*names)))
    test = videos(*(f"./{name}" for name in clip_names("test")))
    return [*archives, tarred(folder / "test/k700_test_001.tar.gz", test)]


def make_kinetics700(folder: Path) -> Made:
    """A numbered tar for each class, with class folders; DeepMind's annotations."""
    return {
        "archives": _k700_tars(folder),
        "annotations": [deepmind_tar(folder / "kinetics700.tar.gz")],
    }


def make_kinetics700_2020(folder: Path) -> Made:
    """The same tars with three CSV files, that of test without labels."""
    tables = {
        f"{split}.csv": kinetics_csv(split, DEEPMIND[split], labels=split != "test")
        for split in KINETICS
    }
    return {
        "archives": _k700_tars(folder),
        "annotations": written(folder / "annotations", tables),
    }


SOMETHING = {
    "Holding something next to something": "Holding [something] next to [something]",
    "Opening something": "Opening [something]",
    "Tilting something with something on it until it falls off": (
        "Tilting [something] with [something] on it until it falls off"
    ),
}


def make_something_v2(folder: Path) -> Made:
    """Six videos of three classes in a tar.gz that is cut into two parts."""
    labels = list(SOMETHING)
    train = [("78687", 0), ("42326", 1), ("100904", 2)]
    validation = [("74225", 1), ("116154", 2)]
    names = [f"{number}.webm" for number, _ in [*train, *validation, ("1420", 0)]]
    tar = tarred(
        folder / "videos.tgz",
        videos(*(f"20bn-something-something-v2/{name}" for name in names)),
    )

    def entries(chosen: list[tuple[str, int]]) -> bytes:
        found = [
            {
                "id": number,
                "label": labels[label].lower().replace("something", "potato"),
                "template": SOMETHING[labels[label]],
                "placeholders": ["potato"],
            }
            for number, label in chosen
        ]
        return json.dumps(found, indent=0).encode()

    # The numbers are not in the order of the file.
    numbers = {name: str(len(labels) - 1 - at) for at, name in enumerate(labels)}
    members = {
        "labels/labels.json": json.dumps(numbers).encode(),
        "labels/train.json": entries(train),
        "labels/validation.json": entries(validation),
        "labels/test.json": json.dumps([{"id": "1420"}]).encode(),
        "labels/test-answers.csv": f"1420;{labels[0]}\n".encode(),
    }
    parts = cut(tar, [f"20bn-something-something-v2-0{part}" for part in range(2)])
    name = "20bn-something-something-download-package-labels.zip"
    return {"archives": [parts], "annotations": [zipped(folder / name, members)]}


def make_something_v1(folder: Path) -> Made:
    """Four folders of pictures in a tar.gz that is cut into three parts."""
    root = "20bn-something-something-v1"
    pictures = {
        f"{root}/{number}/{at:05d}.jpg": data
        for number in ("100218", "24413", "48032", "7")
        for at, data in enumerate(encoded("/%05d.jpg"), start=1)
    }
    tar = tarred(folder / "videos.tgz", pictures)
    tables = {
        "labels": "Unfolding something\nSomething falling like a feather or paper\n",
        "train": "100218;Something falling like a feather or paper\n"
        "24413;Unfolding something\n",
        "validation": "48032;Unfolding something\n",
        "test": "7\n",
    }
    texts = {f"something-something-v1-{key}.csv": text for key, text in tables.items()}
    return {
        "archives": [cut(tar, [f"{root}-0{part}" for part in range(3)])],
        "annotations": written(folder, texts),
    }


def make_moments(folder: Path) -> Made:
    """Five videos of two classes; the zip holds the annotations too."""
    train = [
        "adult+female+singing/0P3XG_vf91c_35.mp4",
        "adult+female+singing/yt-zxQfALnTdfc_56.mp4",
        "yawning/getty-video-id635808620_4.mp4",
    ]
    validation = [
        "adult+female+singing/flickr-1-2.3_4.mp4",
        "yawning/_8zmP1e-EjU_2.mp4",
    ]
    tables = {
        "moments_categories.txt": "yawning,1\nadult+female+singing,0\n",
        "trainingSet.csv": "".join(f"{n},{n.split('/')[0]},3,0\n" for n in train),
        "validationSet.csv": "".join(
            f"{n},{n.split('/')[0]},8,1\n" for n in validation
        ),
    }
    members = videos(
        *(f"training/{name}" for name in train),
        *(f"validation/{name}" for name in validation),
    )
    members |= {name: text.encode() for name, text in tables.items()}
    members = {f"Moments_in_Time_Raw/{name}": data for name, data in members.items()}
    return {
        "archives": [zipped(folder / "Moments_in_Time_Raw.zip", members)],
        "annotations": written(folder, tables),
    }


CHARADES_HEADER = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,"
    "length\n"
)


def make_charades(folder: Path) -> Made:
    """Four videos with actions and sentences; one has none, one ends too late."""
    rows = {
        "train": 'AO8RW,HR43,Kitchen,6,7,Yes,"A person, who cooks.",pan,"A ""cook""",'
        "c001 0.00 0.60;c000 0.20 0.90;c001 0.70 1.00,1.00\n"
        "46GP8,HR43,Kitchen,6,7,Yes,A script.,pan,Text,c002 0.10 7.40,1.00\n",
        "test": "YSKX3,0KZ7,Bathroom,5,7,Yes,A script.,,Text,,1.00\n"
        "0YUGY,0KZ7,Bathroom,5,7,Yes,A script.,,Text,c002 0.00 0.50,1.00\n",
    }
    classes = (
        "c000 Holding some clothes\nc001 Putting clothes somewhere\nc002 Cooking\n"
    )
    members = {"Charades/Charades_v1_classes.txt": classes.encode()}
    for split, text in rows.items():
        table = CHARADES_HEADER + text
        members[f"Charades/Charades_v1_{split}.csv"] = table.encode()
    sentences = {
        "charades_sta_train.txt": "AO8RW 0.0 0.6##a person is putting a book.\n"
        "AO8RW 0.5 1.0##person opens the ## door.\n",
        "charades_sta_test.txt": "YSKX3 0.1 0.9##a person is awakening.\n",
    }
    names = (f"Charades_v1_480/{n}.mp4" for n in ("AO8RW", "46GP8", "YSKX3", "0YUGY"))
    return {
        "archives": [zipped(folder / "Charades_v1_480.zip", videos(*names))],
        "annotations": [
            zipped(folder / "Charades.zip", members),
            *written(folder, sentences),
        ],
    }


def make_activitynet(folder: Path) -> Made:
    """Four videos in the archives of releases 1.2 and 1.3; activities and captions."""
    database = {
        "sJFgo9H6zNo": ("training", [([0.1, 0.5], "Fun sliding down")]),
        "V1zhqaGFY2A": (
            "training",
            [
                ([0, 0.4], "Zumba"),
                ([0.5, 1], "Fun sliding down"),
                ([0.6, 0.9], "Zumba"),
            ],
        ),
        "uqiMw7tQ1Cc": ("validation", [([0.2, 0.8], "Zumba")]),
        "-VexPWU4tSQ": ("testing", []),
    }
    entries = {
        key: {
            "duration": 1.0,
            "subset": subset,
            "resolution": "96x64",
            "url": f"https://www.youtube.com/watch?v={key}",
            "annotations": [{"segment": s, "label": label} for s, label in annotations],
        }
        for key, (subset, annotations) in database.items()
    }
    whole = {"database": entries, "taxonomy": [], "version": "VERSION 1.3"}

    def captions(key: str, *said: tuple[float, float, str]) -> bytes:
        times = [list(one[:2]) for one in said]
        sentences = [one[2] for one in said]
        value = {"duration": 1.0, "timestamps": times, "sentences": sentences}
        return json.dumps({f"v_{key}": value}).encode()

    members = {
        "train.json": captions(
            "V1zhqaGFY2A", (0, 0.5, "They dance. "), (0.5, 1, " End")
        ),
        "val_1.json": captions("uqiMw7tQ1Cc", (0.1, 0.9, "A class.")),
        "val_2.json": captions("uqiMw7tQ1Cc", (0.2, 1, "Many people.")),
        "train_ids.json": b'["v_V1zhqaGFY2A"]',
    }
    tars = {
        "v1-2_train.tar.gz": ["v1-2/train/v_sJFgo9H6zNo.mp4"],
        "v1-2_val.tar.gz": ["v1-2/val/v_uqiMw7tQ1Cc.mp4"],
        "v1-3_train_val.tar.gz": ["v1-3/train_val/v_V1zhqaGFY2A.webm"],
        "v1-3_test.tar.gz": ["v1-3/test/v_-VexPWU4tSQ.mp4"],
    }
    return {
        "archives": [tarred(folder / k, videos(*names)) for k, names in tars.items()],
        "annotations": [
            *written(folder, {"activity_net.v1-3.min.json": json.dumps(whole)}),
            zipped(folder / "captions.zip", members),
        ],
    }


def make_youcook2(folder: Path) -> Made:
    """Four videos of two recipe types, with sentences but for the test list."""

    def entry(key: str, subset: str, recipe: str) -> dict:
        steps = [
            {"segment": [0, 0.5], "id": 0, "sentence": "spread margarine on bread"},
            {"segment": [0.5, 1], "id": 1, "sentence": "place cheese on the bread"},
        ]
        if subset == "testing":
            steps = [{"segment": step["segment"], "id": step["id"]} for step in steps]
        return {
            "duration": 1.0,
            "subset": subset,
            "recipe_type": recipe,
            "annotations": steps,
            "video_url": f"https://www.youtube.com/watch?v={key}",
        }

    trainval = {
        "GLd3aX16zBg": entry("GLd3aX16zBg", "training", "113"),
        "xHr8X2Wpmno": entry("xHr8X2Wpmno", "training", "405"),
        "-dh_uGahzYo": entry("-dh_uGahzYo", "validation", "405"),
    }
    test = {"4eWzsx1vAi8": entry("4eWzsx1vAi8", "testing", "113")}
    names = {
        "youcookii_annotations_trainval": trainval,
        "youcookii_annotations_test_segments_only": test,
    }
    raw = [
        f"raw_videos/{value['subset']}/{value['recipe_type']}/{key}.mp4"
        for key, value in (trainval | test).items()
    ]
    tars = [
        tarred(
            folder / f"{name}.tar.gz",
            {f"{name}.json": json.dumps({"database": database}).encode()},
        )
        for name, database in names.items()
    ]
    recipes = {"label_foodtype.csv": "113,grilled cheese\n405,foie gras\n"}
    return {
        "archives": [tarred(folder / "raw_videos.tar.gz", videos(*raw))],
        "annotations": [*tars, *written(folder, recipes)],
    }


# By dataset, as the files of config/datasets are called.
MAKERS: dict[str, Callable[[Path], Made]] = {
    "ucf101": make_ucf101,
    "hmdb51": make_hmdb51,
    "kinetics400": make_kinetics400,
    "kinetics600": make_kinetics600,
    "kinetics700": make_kinetics700,
    "kinetics700_2020": make_kinetics700_2020,
    "something_v1": make_something_v1,
    "something_v2": make_something_v2,
    "moments": make_moments,
    "charades": make_charades,
    "activitynet": make_activitynet,
    "youcook2": make_youcook2,
}

"""What does not belong into annotations is named, with its file and line."""

import json

import pytest

from scripts.common.annotations import READERS, AnnotationError, Files
from tests.miniatures import written
from tests.test_annotations import CODES, charades, read_files

UCF_CLASSES = {"classInd.txt": "1 Archery\n2 YoYo\n"}
UCF_TRAIN = {"trainlist01.txt": "Archery/v_a.avi 1\n"}
MOMENTS = {"moments_categories.txt": "yawning,0\n"}
LABELS = {"labels.json": '{"Opening something": "0"}'}
CLASSES_1 = {"something-something-v1-labels.csv": "Opening something\n"}
ACTIVITIES = "activity_net.v1-3.min.json"
RECIPES = "youcookii_annotations_trainval.json"


def activity(entry: dict, key: str = "sJFgo9H6zNo", name: str = ACTIVITIES) -> dict:
    """Return the file of ActivityNet, or of YouCook2, with one entry."""
    return {name: json.dumps({"database": {key: entry}})}


def csv_of(row: str, name: str = "train.csv") -> dict[str, str]:
    """Return a CSV file of Kinetics with one row."""
    return {name: f"label,youtube_id,time_start,time_end,split\n{row}\n"}


def clip(value: dict) -> dict[str, str]:
    """Return a JSON file of Kinetics with one entry."""
    return {"train.json": json.dumps({"aaaaaaaaaaa": value})}


@pytest.mark.parametrize(
    ("form", "texts", "message"),
    [
        ("ucf101", {}, r"no file 'classInd.txt' \(there are: none is like it\); see"),
        ("ucf101", UCF_CLASSES, "no file 'trainlist01.txt'"),
        ("ucf101", UCF_CLASSES | UCF_TRAIN, "no file 'testlist01.txt'"),
        (
            "ucf101",
            {"classInd.txt": "1 A\n3 B\n"},
            "line 2: '3 B' is not '2 ClassName'",
        ),
        ("ucf101", {"classInd.txt": "1 A\n2 A\n"}, "names 'A' twice"),
        ("ucf101", {"classInd.txt": "\n"}, "names no class"),
        (
            "ucf101",
            UCF_CLASSES | {"trainlist01.txt": "v_a.avi 1\n"},
            "trainlist01.txt, line 1: 'v_a.avi 1' is not 'Class/video.avi'",
        ),
        (
            "ucf101",
            UCF_CLASSES | {"trainlist01.txt": "\nArchry/v_a.avi 1\n"},
            r"line 2: no class is named 'Archry' \(is it 'Archery'\?\)",
        ),
        (
            "ucf101",
            UCF_CLASSES | {"trainlist01.txt": "YoYo/v_a.avi 1\n"},
            "'YoYo' is class 2, not 1",
        ),
        (
            "ucf101",
            UCF_CLASSES | UCF_TRAIN | {"testlist01.txt": "Archery/v_a.avi\n"},
            "'Archery/v_a.avi' is in split 1 already, in its train list",
        ),
        ("hmdb51", {"readme.txt": ""}, r"named like '\*_test_split1.txt'"),
        ("hmdb51", {"wave_test_split1.txt": "a.avi 3\n"}, "line 1: 'a.avi 3' is not"),
        (
            "hmdb51",
            {"wave_test_split1.txt": "a.avi 1 \na.avi 2 \n"},
            "line 2: 'a.avi' stands twice",
        ),
        (
            "hmdb51",
            {"wave_test_split1.txt": "a.avi 1\n", "run_test_split2.txt": "a.avi 1\n"},
            "no file 'run_test_split1.txt'",
        ),
        ("kinetics", {}, "no file 'train.csv'"),
        ("kinetics", {"train.csv": "\n"}, "train.csv is empty"),
        (
            "kinetics",
            {"train.csv": "label,id,time_start,time_end\n"},
            r"has no column 'youtube_id' \(it has: label, id, time_start, time_end\)",
        ),
        (
            "kinetics",
            csv_of("a, b,aaaaaaaaaaa,0,10,train"),
            "line 2 has 6 fields, the header has 5; .* quotes",
        ),
        (
            "kinetics",
            csv_of('"yoga,aaaaaaaaaaa,0,10,train'),
            "line 2: unexpected end of data; mend the quotes",
        ),
        (
            "kinetics",
            csv_of("yoga,#NAME?,0,10,train"),
            "line 2: '#NAME\\?' is no YouTube id",
        ),
        (
            "kinetics",
            csv_of("yoga,aaaaaaaaaaa,10,10,train"),
            "line 2: from '10' to '10' is no segment",
        ),
        (
            "kinetics",
            csv_of("yoga,aaaaaaaaaaa,0,soon,train"),
            "from '0' to 'soon' is no segment",
        ),
        (
            "kinetics",
            csv_of("yoga,aaaaaaaaaaa,0,10,trian"),
            "'trian' is no list: one of train, val",
        ),
        (
            "kinetics",
            csv_of("yoga,aaaaaaaaaaa,0,10,", "clips.csv"),
            "neither row nor file says a list: one of train",
        ),
        (
            "kinetics",
            csv_of(",aaaaaaaaaaa,0,10,val", "val.csv"),
            "only clips of test may have no label",
        ),
        (
            "kinetics",
            csv_of("riding camel,aaaaaaaaaaa,0,10,train")
            | csv_of("riding_camels,bbbbbbbbbbb,0,10,val", "val.csv"),
            r"val.csv, line 2: no class is named 'riding_camels' \(is it 'riding cam",
        ),
        ("kinetics", {"train.json": "[1]"}, "is a list, where an object belongs"),
        ("kinetics", clip({}), "'aaaaaaaaaaa' has no 'annotations'"),
        ("kinetics", clip({"annotations": 3}), "annotations is a number, where an obj"),
        ("kinetics", clip({"annotations": {}}), "'aaaaaaaaaaa' has no 'segment'"),
        (
            "kinetics",
            clip({"annotations": {"segment": "0"}}),
            "segment is text, where a list belongs",
        ),
        (
            "kinetics",
            clip({"annotations": {"segment": [0]}}),
            "segment has 1 times, where start and end go",
        ),
        (
            "kinetics",
            {"train.json": '{"aaaaaaaaaaa": {}, "aaaaaaaaaaa": {}}'},
            "'aaaaaaaaaaa' stands twice",
        ),
        ("kinetics", {"train.json": '{"aaa": '}, "column 9: .*; it may be cut"),
        ("something", {}, "no file 'something-something-v2-labels.json'"),
        ("something", LABELS, "no file 'train.json'"),
        (
            "something",
            {"labels.json": '{"Opening something": "1"}'},
            "numbers of the classes are not 0 to 0",
        ),
        (
            "something",
            LABELS | {"train.json": '[{"id": "1", "template": "Closing [something]"}]'},
            r"entry 1 \(video 1\): no class is named 'Closing something' \(is it 'Op",
        ),
        ("something", LABELS | {"train.json": '[{"id": "1"}]'}, "video 1 has no label"),
        ("something", LABELS | {"train.json": '[{"no": "1"}]'}, "entry 1 has no 'id'"),
        (
            "something",
            LABELS | {"train.json": '{"id": "1"}'},
            "is an object, where a list belongs",
        ),
        (
            "something",
            LABELS | {"test.json": '[{"id": "1"}, {"id": "1"}]'},
            "video 1 stands twice",
        ),
        (
            "something",
            CLASSES_1 | {"something-something-v1-train.csv": "x;Opening something\n"},
            "line 1: 'x' is no number of a video",
        ),
        (
            "something",
            CLASSES_1 | {"something-something-v1-train.csv": "1;Closing something\n"},
            "line 1: no class is named 'Closing something'",
        ),
        ("moments", {"trainingSet.csv": ""}, "no file 'moments_categories.txt'"),
        ("moments", MOMENTS, "no file 'trainingSet.csv'"),
        ("moments", {"moments_categories.txt": "yawning\n"}, "is not 'name,number'"),
        ("moments", {"moments_categories.txt": "yawning,1\n"}, "not 0 to 0"),
        (
            "moments",
            MOMENTS | {"trainingSet.csv": "yawning/a.mp4,yawnin,3,0\n"},
            "line 1: no class is named 'yawnin'",
        ),
        (
            "moments",
            MOMENTS | {"trainingSet.csv": ",yawning,3,0\n"},
            "line 1: it names no video",
        ),
        (
            "moments",
            MOMENTS | {"trainingSet.csv": "y/a.mp4,yawning\ny/a.mp4,yawning\n"},
            "line 2: 'y/a.mp4' stands twice",
        ),
        ("charades", CODES, "no file 'Charades_v1_train.csv'"),
        ("charades", {"Charades_v1_classes.txt": "c001 A\n"}, "is not 'c000 name'"),
        ("charades", charades("A,c000 0 1", "A,"), "line 3: 'A' stands twice"),
        ("charades", charades("A,c001 0 1"), "no class has the code 'c001'; .* c000"),
        ("charades", charades("A,c000 0"), "the action 'c000 0' is not 'c000 start"),
        ("charades", charades("A,c000 0 x"), "action: 'x' is not a number of seconds"),
        (
            "charades",
            charades("A,", **{"charades_sta_train.txt": "B 0 1##text\n"}),
            "charades_sta_train.txt, line 1: Charades has no video 'B'",
        ),
        (
            "charades",
            charades("A,", **{"charades_sta_test.txt": "A 0 1 text\n"}),
            "line 1: 'A 0 1 text' is not 'id start end##sentence'",
        ),
        (
            "charades",
            charades(
                "A,",
                **{
                    "charades_sta_train.txt": "A 0 1##text\n",
                    "charades_sta_test.txt": "A 0 1##text\n",
                },
            ),
            "'A' is in both lists",
        ),
        ("activitynet", {}, "no file 'activity_net.v1-3.min.json'"),
        ("activitynet", {ACTIVITIES: "{}"}, "has no 'database'"),
        ("activitynet", activity({}), "'sJFgo9H6zNo' has no 'subset'"),
        ("activitynet", activity({"subset": "train"}), "'train' is none of training"),
        (
            "activitynet",
            activity({"subset": "training", "annotations": [{"label": "A"}]}),
            "has no 'segment'",
        ),
        (
            "activitynet",
            {"train.json": '{"v_a": {"timestamps": [[0, 1]], "sentences": []}}'},
            "1 timestamps and 0 sentences",
        ),
        ("youcook2", {}, f"no file '{RECIPES}'"),
        ("youcook2", activity({"subset": "x"}, name=RECIPES), "'x' is none of"),
        (
            "youcook2",
            activity({"subset": "training"}, name=RECIPES),
            "has no 'recipe_type'",
        ),
        (
            "youcook2",
            activity({"subset": "training", "recipe_type": "1"}, name=RECIPES)
            | {"label_foodtype.csv": "2,pizza\n"},
            "has no recipe type '1'",
        ),
        (
            "youcook2",
            activity({"subset": "training", "recipe_type": "1"}, name=RECIPES)
            | activity(
                {"subset": "testing", "recipe_type": "1"},
                name="youcookii_annotations_test_segments_only.json",
            ),
            "'sJFgo9H6zNo' is in youcookii_annotations_trainval.json too",
        ),
        ("youcook2", {"label_foodtype.csv": "1,a\n1,b\n"}, "'1,b' is not 'number,name"),
    ],
)
def test_what_does_not_belong_is_named(form, texts, message, tmp_path):
    with pytest.raises(AnnotationError, match=message):
        read_files(form, tmp_path, texts)


@pytest.mark.parametrize("form", ["ucf101", "kinetics"])
def test_files_that_are_no_utf8_are_named(form, tmp_path):
    name = {"ucf101": "classInd.txt", "kinetics": "train.csv"}[form]
    paths = written(tmp_path, {name: b"1 Archery\n2 J\xfcrgen\n"})
    with pytest.raises(AnnotationError, match=f"{name} is not UTF-8 .*byte 0xfc"):
        READERS[form](Files(paths))

"""HMDB51: <class>_test_split1.txt to 3, for each class."""

from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    Annotated,
    AnnotationError,
    Annotations,
    Files,
)

SPLITS = (1, 2, 3)
# A video that a split leaves out has a list of its own, or it would look forgotten.
PARTS = {"0": "unused", "1": "train", "2": "test"}


def read_hmdb51(files: Files) -> Annotations:
    """Return HMDB51 with the sets `split1`, `split2` and `split3`, those there are.

    A video's id and name is `<class>/<file>.avi`. Its list is `train`, `test`, or
    `unused` for the videos that the split leaves out. Classes are sorted.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    endings = [f"_test_split{number}.txt" for number in SPLITS]
    there = [e for e in endings if any(name.endswith(e) for name in files.names)]
    labels = sorted(
        {
            path.name.removesuffix(ending)
            for ending in there or endings[:1]
            for path in files.matching(f"*{ending}")
        }
    )
    splits: dict[str, dict[str, str]] = {}
    for ending in there:
        group = ending.removeprefix("_test_").removesuffix(".txt")
        for label in labels:
            path = files.one(f"{label}{ending}")
            for line, text in reading.lines(path):
                file, _, number = text.rpartition(" ")
                if not file or number not in PARTS:
                    raise AnnotationError(
                        f"{path}, line {line}: '{text}' is not 'video.avi N' with N one"
                        " of 0, 1 and 2; get the official file"
                    )
                taken = splits.setdefault(f"{label}/{file.rstrip()}", {})
                if group in taken:
                    raise AnnotationError(
                        f"{path}, line {line}: '{file}' stands twice; remove one"
                    )
                taken[group] = PARTS[number]
    videos = [
        Annotated(name, name, labels=(name.split("/")[0],), splits=of)
        for name, of in splits.items()
    ]
    return Annotations(videos, tuple(labels))

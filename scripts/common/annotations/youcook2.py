"""YouCook2: recipes with sentences for their steps."""

from dataclasses import replace
from pathlib import Path

from scripts.common.annotations import reading
from scripts.common.annotations.base import (
    DEFAULT_SET,
    Annotated,
    AnnotationError,
    Annotations,
    Event,
    Files,
)
from scripts.common.annotations.classes import unique_classes

TRAINVAL = "youcookii_annotations_trainval.json"
TEST = "youcookii_annotations_test_segments_only.json"
RECIPES = "label_foodtype.csv"


def read_youcook2(files: Files) -> Annotations:
    """Return YouCook2; its test list and the names of recipes may be absent.

    A video's id and name is its YouTube id. Its label is the name of its recipe type,
    or the type's number without label_foodtype.csv. Its events are the steps, in the
    test list without sentences.

    Raises:
        AnnotationError: a file is missing or has another syntax.
    """
    recipes = read_recipes(files.one(RECIPES)) if RECIPES in files else None
    videos = read_steps(files.one(TRAINVAL))
    if TEST in files:
        for key, video in read_steps(files.one(TEST)).items():
            if key in videos:
                raise AnnotationError(
                    f"{TEST}: '{key}' is in {TRAINVAL} too; remove one of them"
                )
            videos[key] = video
    if recipes is None:
        return Annotations(list(videos.values()))
    named = []
    for video in videos.values():
        number = video.labels[0]
        if number not in recipes:
            raise AnnotationError(
                f"'{video.id}': {RECIPES} has no recipe type '{number}'"
            )
        named.append(replace(video, labels=(recipes[number],)))
    return Annotations(named, unique_classes(list(recipes.values()), RECIPES))


def read_recipes(path: Path) -> dict[str, str]:
    """Return the names of recipe types by their numbers, in the order of the file.

    Its rows are `number,name`; a header is left out.

    Raises:
        AnnotationError: a row is something else.
    """
    recipes: dict[str, str] = {}
    for line, fields in reading.rows(path):
        number, name, *_ = [reading.tidy(field) for field in (*fields, "")]
        if line == 1 and not number.isdecimal():
            continue
        if not number.isdecimal() or not name or number in recipes:
            raise AnnotationError(
                f"{path}, line {line}: '{','.join(fields)}' is not 'number,name' with a"
                " number of its own; get the official file"
            )
        recipes[number] = name
    return recipes


def read_steps(path: Path) -> dict[str, Annotated]:
    """Return the videos of one file by their ids, labelled with numbers of recipes.

    Raises:
        AnnotationError: it has another syntax.
    """
    videos = {}
    for key, value, split, items in reading.database(path):
        events = [
            Event(*times, text=reading.tidy(str(item.get("sentence") or "")))
            for item, _, times in items
        ]
        recipe = reading.entry(value, "recipe_type", f"{path}, '{key}'")
        videos[key] = Annotated(
            key,
            key,
            value.get("video_url") or f"https://www.youtube.com/watch?v={key}",
            labels=(str(recipe),),
            splits={DEFAULT_SET: split},
            events=tuple(events),
        )
    return videos

"""Names of classes: one class by several spellings, and what does not match."""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from scripts.common.annotations.base import Annotated, AnnotationError

_BLANKS = re.compile(r"[\s_-]+")
# So many names are told in one message.
MOST_TOLD = 5


def class_key(name: str) -> str:
    """Return what is equal for spellings of one class: letters and digits alone.

    >>> class_key("Riding_a bike") == class_key("riding (a) Bike")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    return "".join(filter(str.isalnum, folded))


def match_classes(wanted: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the known class that each wanted name means, in the order of `wanted`.

    A name that is a known class means it; any other means the class of its key.

    Raises:
        AnnotationError: names that mean no class, or one of several.
    """
    by_key = defaultdict(list)
    for name in dict.fromkeys(known):
        by_key[class_key(name)].append(name)
    exact = {name for names in by_key.values() for name in names}
    matched, lost, unclear = [], [], []
    for name in wanted:
        names = [name] if name in exact else by_key.get(class_key(name), [])
        matched += names[:1]
        if not names:
            lost.append(name)
        elif len(names) > 1:
            unclear.append(f"'{name}' may be {_quoted(names)}")
    if lost or unclear:
        problems = [_unknown(lost, exact)] if lost else []
        raise AnnotationError("; ".join(problems + unclear[:MOST_TOLD]))
    return matched


def check_classes(videos: Iterable[Annotated], classes: Iterable[str]) -> None:
    """Refuse labels that are no official class, and classes that no video has.

    Args:
        videos: of a whole dataset, not of a part of it.
        classes: the official names.

    Raises:
        AnnotationError: the message names them.
    """
    official = dict.fromkeys(classes)
    used = set()
    for video in videos:
        used.update(video.labels)
        used.update(event.label for event in video.events if event.label)
    if unknown := sorted(used.difference(official)):
        raise AnnotationError(_unknown(unknown, official))
    if unused := [name for name in official if name not in used]:
        raise AnnotationError(
            f"no video has the class {_quoted(unused)}; are all annotation files"
            " there? see `annotations: files` in the config"
        )


def refuse_twins(classes: Iterable[str]) -> None:
    """Refuse two classes that differ in capitals, blanks, `_` and `-` alone.

    They are one class spelled in two ways, and would be two in every list.

    Raises:
        AnnotationError: the message names them.
    """
    spelled: dict[str, str] = {}
    for name in classes:
        twin = spelled.setdefault(" ".join(_BLANKS.split(name.casefold())), name)
        if twin != name:
            raise AnnotationError(
                f"the classes '{twin}' and '{name}' are one in two spellings; write it"
                " in one way, or call them by names that differ"
            )


def refuse_unknown(label: str, official: Iterable[str], place: str) -> None:
    """Refuse a label that is no official class.

    Raises:
        AnnotationError: the message names it and where it stands.
    """
    if label not in official:
        raise AnnotationError(f"{place}: {_unknown([label], official)}")


def unique_classes(names: list[str], place: str) -> tuple[str, ...]:
    """Return the names of an official list.

    Raises:
        AnnotationError: there is none, or one stands twice.
    """
    if not names:
        raise AnnotationError(f"{place} names no class; get the official file")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AnnotationError(f"{place} names {_quoted(twice)} twice; remove one")
    return tuple(names)


def _unknown(names: list[str], known: Iterable[str]) -> str:
    told = []
    spelled = {class_key(name): name for name in known}
    for name in names[:MOST_TOLD]:
        near = difflib.get_close_matches(class_key(name), spelled, n=1)
        hint = f" (is it '{spelled[near[0]]}'?)" if near else ""
        told.append(f"'{name}'{hint}")
    return f"no class is named {', '.join(told)}{_and_more(names)}"


def _quoted(names: list[str]) -> str:
    told = ", ".join(f"'{name}'" for name in names[:MOST_TOLD])
    return f"{told}{_and_more(names)}"


def _and_more(names: list[str]) -> str:
    more = len(names) - MOST_TOLD
    return f" and {more} more" if more > 0 else ""

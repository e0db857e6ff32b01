"""The class lists that logits follow; labels/README.md says where they come from."""

from functools import cache
from pathlib import Path

LABELS = Path(__file__).with_name("labels")
SUBSETS = Path(__file__).parents[1] / "config" / "classes"

SAME_AS = {"something_v1": "something_v2"}
"""Lists that have the names of another one, in the same order."""

PART_OF = {"mini_kinetics400": "kinetics400", "mini_ssv2": "something_v2"}
"""Lists that are a subset of another one, in its order; a file in SUBSETS has it."""


class UnknownClasses(KeyError):
    """A class list that is not here; the message names those that are."""

    def __str__(self) -> str:
        return self.args[0]  # KeyError would print its repr, in quotes


def class_lists() -> list[str]:
    """The names of all class lists that are here, sorted."""
    files = (path.stem for path in LABELS.glob("*.txt"))
    return sorted({"kinetics400", *SAME_AS, *PART_OF, *files})


@cache
def class_names(classes: str, outputs: int | None = None) -> tuple[str, ...]:
    """The class names of a list, in the order of the logits.

    classes: the list's name, a card's `classes`.
    outputs: the number of logits; "class 0", "class 1", … then stand for a list that
        is not here, because nobody published it.

    Raises `UnknownClasses`, a KeyError, for such a list if `outputs` is not given.
    """
    if classes in SAME_AS:
        return class_names(SAME_AS[classes])
    if classes in PART_OF:
        part = set(_lines(SUBSETS / f"{classes}.txt"))
        return tuple(name for name in class_names(PART_OF[classes]) if name in part)
    if classes == "kinetics400":
        from torchvision.models.video import R2Plus1D_18_Weights

        return tuple(R2Plus1D_18_Weights.KINETICS400_V1.meta["categories"])
    if classes in class_lists():
        return _lines(LABELS / f"{classes}.txt")
    if outputs is not None:
        return tuple(f"class {number}" for number in range(outputs))
    known = ", ".join(class_lists())
    raise UnknownClasses(f"no class list {classes!r}; there are {known}")


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines())

"""How good scores are: accuracies, average precision, confusions.

Plain arrays in, plain figures out; parts are in 0..1.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class ClassMismatch(ValueError):
    """Classes of a dataset are not among those of a model."""


def class_key(name: str) -> str:
    """Return what two spellings of a class have in common.

    >>> class_key("ApplyEyeMakeup") == class_key("apply eye_makeup")
    True
    """
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def matched(wanted: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Return for each class the number of the one of that name, int64 (wanted,).

    Names are compared by `class_key`, where none is the same to the letter.

    Raises:
        ClassMismatch: some have no counterpart, or several; the message names them.
    """
    exact = {name: number for number, name in enumerate(known)}
    by_key: dict[str, set[int]] = {}
    for number, name in enumerate(known):
        by_key.setdefault(class_key(name), set()).add(number)
    numbers, lost = [], []
    for name in wanted:
        found = {exact[name]} if name in exact else by_key.get(class_key(name), set())
        if len(found) == 1:
            numbers.append(*found)
        else:
            lost.append(name)
    if lost:
        shown = ", ".join(f"'{name}'" for name in lost[:10])
        more = f" and {len(lost) - 10} more" if len(lost) > 10 else ""
        raise ClassMismatch(
            f"{len(lost)} of the dataset's {len(wanted)} classes are none of the"
            f" model's {len(known)}: {shown}{more}; name them as the model does"
        )
    return np.array(numbers, dtype=np.int64)


def ranks(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return at which place each video's class is, 0 for the first, int64 (videos,).

    Of equal scores the true class is taken for the last, and so is one that is no
    number: a network that tells nothing apart is not right by chance.

    Args:
        scores: (videos, classes).
        truth: number of each video's class.
    """
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    return (~(scores < own)).sum(axis=1) - 1


@dataclass(frozen=True)
class Accuracy:
    """How often a video's class was found, in parts of 1.

    Attributes:
        top1, top5: as the first, or among the first five.
        mean_class: mean of the classes' top-1, each counted alike.
    """

    top1: float
    top5: float
    mean_class: float


def accuracy(places: np.ndarray, truth: np.ndarray) -> Accuracy:
    """Return the accuracies; NaN where there is no video.

    Args:
        places: what `ranks` gives.
        truth: number of each video's class.
    """
    if not len(places):
        return Accuracy(np.nan, np.nan, np.nan)
    of_class = [(places[truth == number] < 1).mean() for number in np.unique(truth)]
    return Accuracy(
        float((places < 1).mean()), float((places < 5).mean()), float(np.mean(of_class))
    )


def average_precisions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the average precision of each class, float64 (classes,).

    NaN for a class that no video has.

    Args:
        scores: (videos, classes).
        truth: bool (videos, classes).
    """
    from sklearn.metrics import average_precision_score

    found = np.full(truth.shape[1], np.nan)
    for number in np.flatnonzero(truth.any(axis=0)):
        found[number] = average_precision_score(truth[:, number], scores[:, number])
    return found


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return how many videos of a class were taken for which, int64.

    Args:
        truth, predicted: numbers of classes, 0 to `classes` - 1 of truth; what was
            predicted beyond that is counted in the last column.
        classes: how many the dataset has.

    Returns:
        (classes, classes + 1), a row for each true class.
    """
    counts = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(counts, (truth, np.minimum(predicted, classes)), 1)
    return counts

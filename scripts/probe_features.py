"""Tell what features are worth: a simple classifier on each video's mean feature.

Input:  the dataset's file of features, and the index.
Output: a directory with metrics.tsv, classes.tsv, videos.csv, missing.tsv,
        model_classes.txt and confusion.png, as `evaluate_model` makes them, and
        projection.png  the tested videos in two dimensions, by class

`linear` is logistic regression on standardised features; its regularisation is chosen
on the list `val`, or on a fifth of `train` where there is none or it is what is tested.
`knn` are the nearest training videos by cosine; each votes with a weight of
exp(cosine / 0.07), as in https://arxiv.org/abs/1805.01978.
"""

import argparse
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from scripts.common import cli, files, index
from scripts.common.judging import charts, metrics
from scripts.common.judging.evaluation import Scored, figures, percent, write_evaluation
from scripts.common.judging.projection import projected, sampled
from scripts.common.lists.base import ListError
from scripts.common.lists.splits import members_of
from scripts.common.store import FeatureStore
from scripts.common.tables import Row

# Of the logarithm of a neighbour's weight.
TEMPERATURE = 0.07
# Part of the training videos that is held out where there is no other list.
HELD_OUT = 0.2
# Most iterations of the regression, which nearly always needs fewer.
ITERATIONS = 500


class NothingToProbe(ValueError):
    """The videos at hand do not make a probe."""


@dataclass(frozen=True)
class Videos:
    """Some labelled videos.

    Attributes:
        ids: of the videos.
        vectors: mean features, float32 (videos, numbers).
        labels: the class of each, (videos,).
    """

    ids: list[str]
    vectors: np.ndarray
    labels: np.ndarray


def mean_features(
    store: FeatureStore, ids: Sequence[str], name: str = "features"
) -> np.ndarray:
    """Return the mean over all windows and places of each video, float32 (videos, dim).

    One video after the other is read: in memory are the means alone.

    Args:
        store: the features.
        ids: of videos that are in it.
        name: which feature.
    """
    vectors = np.empty((len(ids), store.shape(name)[-1]), dtype=np.float32)
    for vector, video in zip(vectors, ids, strict=True):
        array = store.read(video, name)
        vector[:] = array.reshape(-1, array.shape[-1]).mean(axis=0, dtype=np.float64)
    return vectors


def read_list(
    store: FeatureStore, ids: Iterable[str], labels: dict[str, tuple], name: str
) -> tuple[Videos, list[Row]]:
    """Return a list's labelled videos, and rows of those without (finite) features.

    Raises:
        NothingToProbe: a video has several labels.
    """
    labelled = [video for video in ids if labels[video]]
    for video in labelled:
        if len(labels[video]) > 1:
            raise NothingToProbe(
                f"'{video}' has {len(labels[video])} labels; a probe tells one class"
                " of a video from the others"
            )
    there = [video for video in labelled if video in store]
    vectors = mean_features(store, there, name) if there else np.zeros((0, 1))
    finite = np.isfinite(vectors).all(axis=1)
    kept = [video for video, fine in zip(there, finite, strict=True) if fine]
    lost = [
        Row(video, "not_finite" if video in store else "no_features")
        for video in sorted(set(labelled) - set(kept))
    ]
    names = np.array([labels[video][0] for video in kept], dtype=object)
    return Videos(kept, vectors[finite], names), lost


def linear(strength: float) -> object:
    """Return an untrained linear classifier."""
    regression = LogisticRegression(C=strength, max_iter=ITERATIONS)
    return make_pipeline(StandardScaler(), regression)


def nearest(neighbours: int) -> object:
    """Return an untrained classifier by the nearest neighbours."""

    def weights(distances: np.ndarray) -> np.ndarray:
        return np.exp((1 - distances) / TEMPERATURE)

    return KNeighborsClassifier(neighbours, metric="cosine", weights=weights)


def top1(classifier, videos: Videos) -> float:
    """Return a classifier's accuracy, 0..1."""
    return float((classifier.predict(videos.vectors) == videos.labels).mean())


def held_out(train: Videos, seed: int) -> tuple[Videos, Videos]:
    """Return training videos in two parts, the second with a fifth of each class."""
    _, counts = np.unique(train.labels, return_counts=True)
    few = len(counts) > HELD_OUT * len(train.labels) or counts.min() < 2
    parts = train_test_split(
        np.arange(len(train.ids)),
        test_size=HELD_OUT,
        random_state=seed,
        stratify=None if few else train.labels,
    )
    kept, out = (
        Videos([train.ids[n] for n in part], train.vectors[part], train.labels[part])
        for part in parts
    )
    return kept, out


def chosen_strength(
    train: Videos, val: Videos | None, strengths: Sequence[float], seed: int
) -> float:
    """Return the strength with the best accuracy on `val`, or on a part of `train`.

    Of several that are equally good, the smallest: the most regularised.
    """
    if len(strengths) == 1:
        return strengths[0]
    part, val = (train, val) if val else held_out(train, seed)
    ordered = sorted(strengths)
    found = []
    for strength in ordered:
        classifier = linear(strength).fit(part.vectors, part.labels)
        found.append(top1(classifier, val))
        print(f"C {strength:g}: {percent(found[-1])} %", flush=True)
    return ordered[int(np.argmax(found))]


def scores_of(classifier, vectors: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return a probability of each class, 0 of those that it was not trained on."""
    scores = np.zeros((len(vectors), len(classes)), dtype=np.float32)
    place = {name: number for number, name in enumerate(classes)}
    columns = [place[name] for name in classifier.classes_]
    scores[:, columns] = classifier.predict_proba(vectors)
    return scores


def probe(train: Videos, val: Videos | None, options: dict) -> tuple[object, dict]:
    """Return a trained classifier, and the figures that say which it is.

    Raises:
        NothingToProbe: there are fewer than two classes to train on.
    """
    classes = np.unique(train.labels)
    if len(classes) < 2:
        raise NothingToProbe(
            f"the training list has labelled features of {len(classes)} classes; a"
            " probe needs two or more"
        )
    if options["method"] == "knn":
        neighbours = min(options["neighbours"], len(train.ids))
        classifier, about = nearest(neighbours), {"neighbours": neighbours}
    else:
        strengths, seed = options["strengths"], options["seed"]
        strength = chosen_strength(train, val, strengths, seed)
        classifier, about = linear(strength), {"inverse regularisation": strength}
    classifier.fit(train.vectors, train.labels)
    largest = np.unique(train.labels, return_counts=True)[1].max() / len(train.labels)
    about |= {"part of the largest class": percent(largest)}
    return classifier, {**about, "training videos": len(train.ids)}


def run(arguments: argparse.Namespace, folder: Path) -> Scored:
    """Write the probe to a folder and return the scores of the tested videos."""
    options, chosen = arguments.options, arguments.options["list"]
    entries = {
        entry.row.id: entry
        for entry in index.read_videos(arguments.index / "videos.tsv")
    }
    members = members_of(chosen["splits"], chosen["set"], entries)
    labels = {video: entry.labels for video, entry in entries.items()}
    store = FeatureStore(arguments.features)

    def read(split: str) -> tuple[Videos, list[Row]]:
        if split not in members:
            raise ListError(
                f"the set of splits '{chosen['set']}' has no list '{split}'; it has"
                f" {', '.join(members)}"
            )
        return read_list(store, members[split], labels, options["feature"])

    train, _ = read("train")
    test, lost = read(chosen["split"])
    val = None
    if "val" in members and chosen["split"] != "val":
        val = read("val")[0]
    classifier, about = probe(train, val if val and val.ids else None, options)
    classes = sorted({*train.labels, *test.labels})
    scores = scores_of(classifier, test.vectors, classes)
    own = [(label,) for label in test.labels]
    numbers = np.arange(len(classes))
    scored = Scored(test.ids, scores, own, tuple(classes), classes, numbers)
    weights = store.provenance["weights"]
    if weights.startswith("random"):
        print("note: features of random weights mean nothing")
    title = f"{options['title']}: {store.provenance['model']}"
    write_evaluation(scored, lost, folder, title, {**about, "weights": weights})
    if len(test.ids) > 1:
        shown = sampled(len(test.ids), options["seed"])
        points, name = projected(test.vectors[shown], options["seed"])
        chart = charts.projection(points, test.labels[shown], name, title)
        chart.savefig(folder / "projection.png")
    return scored


def main(argv: list[str] | None = None) -> None:
    """Probe the features of one model on one dataset."""
    parser = cli.command("probe_features", __doc__)
    parser.add_argument("--features", type=Path, required=True, help="HDF5 file")
    parser.add_argument("--index", type=Path, required=True, help="index directory")
    parser.add_argument("--probe", type=Path, required=True, help="directory to write")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    cli.add_options(parser, "an entry of `probes`, with `list`, as of score_videos")
    arguments = parser.parse_args(argv)
    try:
        with (
            threadpool_limits(arguments.threads),
            warnings.catch_warnings(),
            files.atomic(arguments.probe) as folder,
        ):
            # After so many iterations the accuracy no longer changes.
            warnings.simplefilter("ignore", ConvergenceWarning)
            folder.mkdir()
            scored = run(arguments, folder)
    except (ListError, NothingToProbe, metrics.ClassMismatch) as error:
        sys.exit(f"error: {error}")
    print(f"{len(scored.ids)} videos tested")
    for name, value in figures(scored):
        print(f"{name}: {percent(value)} %")


if __name__ == "__main__":
    main()

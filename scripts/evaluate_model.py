"""Tell how good a model is on a list of videos, from their scores.

Input:  the scores of all shards, the index, and the ticket of the model's weights.
Output: a directory with
        scores.h5       of all videos, flat: `ids` in the form of file names, `scores`
                        (videos, classes)
        model_classes.txt  line n is the model's class n, the order of the scores
        videos.csv      each video with its labels, the place of its class from 1, and
                        the first five classes with their scores
        missing.tsv     listed, but without scores, and why
   where the videos have labels
        metrics.tsv     top-1, top-5 and mean class accuracy; mean average precision
                        where a video may have several labels; all in percent
        classes.tsv     the same by class, and what it is taken for most often
        confusion.png   which class is taken for which
   where they have none
        submission.csv  one line `id;class;…` a video: the numbers of the dataset's
                        classes, the most likely five first, as IBM's program writes
                        them and Something-Something's server takes them

Classes are matched by name, with case, spaces and punctuation left out of account.
"""

import argparse
import json
import sys
from pathlib import Path

import h5py
import numpy as np

from scripts.aggregate_features import sources
from scripts.common import cli, files, index, store, tables
from scripts.common.engine import features
from scripts.common.ids import unslug
from scripts.common.judging import metrics, scoring
from scripts.common.judging.evaluation import Scored, figures, percent, write_evaluation
from scripts.common.lists.base import ListError


def read_scores(path: Path, folder: Path, names: tuple[str, ...]) -> Scored:
    """Return the scores in a file with what the index says of their videos.

    Args:
        path: flat HDF5 of the scores.
        folder: the index.
        names: the model's classes.

    Raises:
        ClassMismatch: the model does not know a class of the dataset.
    """
    with h5py.File(path) as file:
        ids = [unslug(name) for name in file["ids"].asstr()]
        empty = np.zeros((0, len(names)), np.float32)
        scores = file["scores"][()] if ids else empty
    order = sorted(range(len(ids)), key=ids.__getitem__)
    ids, scores = [ids[n] for n in order], scores[order]
    labels = {e.row.id: e.labels for e in index.read_videos(folder / "videos.tsv")}
    classes = index.read_classes(folder / "classes.txt")
    used = {label for video in ids for label in labels[video]}
    if used:
        # Of a subset, or of a list that lacks some, only these are asked for.
        classes = [name for name in classes if name in used]
    numbers = metrics.matched(classes, names)
    return Scored(ids, scores, [labels[v] for v in ids], names, classes, numbers)


def evaluate(arguments: argparse.Namespace, folder: Path) -> Scored:
    """Write the evaluation to a folder and return the scores."""
    ticket = json.loads(arguments.ticket.read_text())
    wanted = set(scoring.listed(arguments.index, arguments.options["list"]))
    shards = index.read_shards(arguments.index / "shards.tsv")
    manifests = [arguments.scores / f"{shard}.tsv" for shard in shards]
    rows = [row for row in tables.read_all(manifests) if row.id in wanted]
    about = features.provenance(
        scoring.complete(
            arguments.options["scores"], ticket["weights"], ticket.get("clips")
        )
    )
    store.flatten(
        folder / "scores.h5", sources(manifests, lambda row: row.id in wanted), about
    )
    names = features.class_names(ticket)
    scored = read_scores(folder / "scores.h5", arguments.index, names)
    lost = [row for row in rows if not row.ok]
    more = {"weights": ticket["weights"]}
    write_evaluation(scored, lost, folder, arguments.options["title"], more)
    return scored


def main(argv: list[str] | None = None) -> None:
    """Evaluate one model on one list of a dataset."""
    parser = cli.command("evaluate_model", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index directory")
    parser.add_argument(
        "--scores", type=Path, required=True, help="folder of the shards' manifests"
    )
    parser.add_argument("--ticket", type=Path, required=True, help="of the weights")
    cli.add_options(
        parser, "`list`, as of score_videos; `scores`, its options; and `title`"
    )
    parser.add_argument(
        "--evaluation", type=Path, required=True, help="directory to write"
    )
    arguments = parser.parse_args(argv)
    try:
        with files.atomic(arguments.evaluation) as folder:
            folder.mkdir()
            scored = evaluate(arguments, folder)
    except (ListError, metrics.ClassMismatch) as error:
        sys.exit(f"error: {error}")
    print(f"{len(scored.ids)} videos have scores")
    if scored.labelled:
        for name, value in figures(scored):
            print(f"{name}: {percent(value)} %")


if __name__ == "__main__":
    main()

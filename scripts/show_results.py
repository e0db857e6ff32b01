"""Say what a build has made of a dataset so far, and where it is; also while it runs.

Input:  the dataset's folder below results/.
Output: lines on the terminal.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.common import cli, store, tables
from scripts.common.journal import Journal
from scripts.common.judging.judged import read_judged

# Figures of a training, an evaluation or a probe that say most.
SHOWN = ("epoch", "val_top1", "val_map", "top-1 accuracy", "mean average precision")


def finished(folder: Path) -> int:
    """Return how many videos the journals in a stage's folder hold as done."""
    journals = (Journal(path) for path in folder.glob("*.journal"))
    return sum(row.ok for journal in journals for row in journal.rows.values())


def videos(results: Path) -> int:
    """Return the number of videos in a dataset's index."""
    shards = tables.records(results / "index" / "shards.tsv")
    return sum(int(shard["rows"]) for shard in shards)


def found(folder: Path) -> str:
    """Return what a training, an evaluation or a probe found, or how far it is."""
    figures = read_judged(folder).figures
    if shown := [f"{name} {figures[name]}" for name in SHOWN if name in figures]:
        return ", ".join(shown)
    curves = folder / "curves.tsv"
    epochs = len(curves.read_text().splitlines()) - 1 if curves.exists() else 0
    return f"epoch {epochs} so far" if epochs else "no figures yet"


def describe(results: Path) -> Iterator[str]:
    """Yield a line for each thing that a dataset's build has made."""
    total = videos(results)
    for name, what in (("clips", "Clips"), ("frames", "Frames"), ("flow", "Flow")):
        for folder in sorted(results.glob(f"{name}/*/")):
            yield f"{what:<9} {folder}/: {finished(folder)} of {total} videos"
    for folder in sorted(results.glob("features/*/")):
        done = f"{finished(folder)} of {total} videos"
        path = folder.with_suffix(".h5")
        if not path.exists():
            yield f"Features  {folder}/: {done}, not put together yet"
        elif store.provenance(path)["weights"].startswith("random"):
            yield f"Features  {path}: {done} (random weights: they mean nothing)"
        else:
            yield f"Features  {path}: {done}"
    for path in sorted(results.glob("features/*.h5")):
        if not path.with_suffix("").is_dir():
            streams = store.provenance(path)["streams"]
            names = ", ".join(stream["name"] for stream in streams)
            yield f"Features  {path}: {names}, side by side"
    for folder in sorted(results.glob("splits/*/*/")):
        # The .tsv files only tell of the lists; Snakemake leaves a hidden one.
        lists = (path for path in folder.glob("[!.]*") if path.suffix != ".tsv")
        names = ", ".join(sorted(path.name for path in lists))
        yield f"Lists     {folder}/ ({names})"
    judged = {"trainings": "Training", "evaluations": "Judged", "probes": "Probe"}
    for name, what in judged.items():
        for folder in sorted(results.glob(f"{name}/*/")):
            yield f"{what:<9} {folder}/: {found(folder)}"
    if (results / "checked.txt").exists():
        verdict = (results / "checked.txt").read_text().strip()
        yield f"Failures  {results / 'failures.tsv'}: {verdict}"
    if (results / "report.html").exists():
        yield f"Report    {results / 'report.html'}"


def main(argv: list[str] | None = None) -> None:
    """Describe one dataset."""
    parser = cli.command("show_results", __doc__)
    parser.add_argument("results", type=Path, help="for example results/demo")
    results = parser.parse_args(argv).results
    if not (results / "index" / "shards.tsv").exists():
        sys.exit(f"error: {results} has no index; is it a dataset's folder?")
    print("\n".join(describe(results)))


if __name__ == "__main__":
    main()

"""Say what a build has made of a dataset, and where it is.

Input:  the dataset's folder below results/.
Output: lines on the terminal.
"""

import argparse
from pathlib import Path

from scripts.common import store, tables


def describe_features(path: Path) -> str:
    """Return a line about one HDF5 file of features."""
    about = store.provenance(path)
    rows = tables.read(path.with_suffix(".tsv"))
    done = sum(row.ok for row in rows)
    note = ""
    if about["weights"].startswith("random"):
        note = " (random weights: they mean nothing)"
    return f"{path}: {done} of {len(rows)} videos{note}"


def describe(results: Path) -> list[str]:
    """Return the lines about one dataset; what is not there is left out."""
    lines = [f"Features  {describe_features(p)}" for p in results.glob("features/*.h5")]
    for folder in sorted(results.glob("splits/*/*")):
        names = ", ".join(sorted(path.name for path in folder.glob("*.txt")))
        lines.append(f"Lists     {folder}/ ({names})")
    for name, what in (("clips", "Clips"), ("frames", "Frames")):
        lines += [f"{what:<9} {folder}/" for folder in results.glob(f"{name}/*")]
    checked = results / "checked.txt"
    if checked.exists():
        lines.append(f"Failures  {results / 'failures.tsv'}: {checked.read_text()}")
    lines.append(f"Report    {results / 'report.html'}")
    return [line.rstrip() for line in lines]


def main(argv: list[str] | None = None) -> None:
    """Describe one dataset."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.show_results",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--results", type=Path, required=True, help="for example results/demo"
    )
    print("\n".join(describe(parser.parse_args(argv).results)))


if __name__ == "__main__":
    main()

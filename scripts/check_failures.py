"""End the run with an error where more videos failed than the dataset allows.

Input:  the index, and failures.tsv of `summarise_dataset`.
Output: a text file that says how many failed; only where they are few enough.

This is the last job of a dataset, so that all that could be done is done before.
"""

import sys
from collections import Counter
from pathlib import Path

from scripts.common import cli, files, tables


def verdict(
    reasons: dict[str, str], videos: int, max_failed: float
) -> tuple[bool, str]:
    """Return whether the failures are few enough, and a sentence about them.

    Args:
        reasons: reason by id of each video that failed at any stage.
        videos: number of videos of the dataset.
        max_failed: part of them that may fail.
    """
    counts = ", ".join(
        f"{count} {reason}" for reason, count in Counter(reasons.values()).most_common()
    )
    failed = len(reasons)
    text = f"{failed} of {videos} videos failed" + (f" ({counts})" if counts else "")
    return failed <= max_failed * videos, text


def read_reasons(path: Path) -> dict[str, str]:
    """Return the reason by id of failures.tsv."""
    return {record["id"]: record["status"] for record in tables.records(path)}


def main(argv: list[str] | None = None) -> None:
    """Check one dataset."""
    parser = cli.command("check_failures", __doc__)
    parser.add_argument("--videos", type=Path, required=True, help="index/videos.tsv")
    parser.add_argument("--failures", type=Path, required=True, help="failures.tsv")
    parser.add_argument("--page", type=Path, required=True, help="report to point at")
    parser.add_argument("--checked", type=Path, required=True, help="file to write")
    cli.add_options(parser, "`max_failed`")
    arguments = parser.parse_args(argv)
    max_failed = arguments.options["max_failed"]
    videos = sum(1 for _ in tables.records(arguments.videos))
    few, text = verdict(read_reasons(arguments.failures), videos, max_failed)
    if not few:
        sys.exit(
            f"error: {text}, and max_failed is {max_failed:g}. All else is built;"
            f" {arguments.page} and {arguments.failures} say which and why. Mend or"
            " remove these videos, or raise `max_failed` of the dataset."
        )
    files.write_text(arguments.checked, text + "\n")
    print(text)


if __name__ == "__main__":
    main()

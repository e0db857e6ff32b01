"""Download one file, from the first of its addresses that gives it.

Output: the file. What arrives before a break or a kill is kept in a hidden folder
        beside it, and the next run goes on from there.
"""

import sys
from dataclasses import replace
from pathlib import Path

from scripts.common import cli
from scripts.common.downloads import NotReady, fetch_file
from scripts.common.downloads.settings import add_settings
from scripts.common.tables import Failure


def advice(target: Path) -> str:
    """Return what a user can do where no address gives the file."""
    return (
        "Download it by hand and name the file in the config (`source: archives:` or"
        f" `annotations: files:`) in place of its address, or place it at {target}"
        " and run `snakemake --touch` for it."
    )


def main(argv: list[str] | None = None) -> None:
    """Download the file of the command line."""
    parser = cli.command("download_file", __doc__)
    parser.add_argument("--file", type=Path, required=True, help="the file to make")
    cli.add_options(
        parser,
        "`urls` (addresses of the same file), `bytes` and `sha256` (null where they"
        " are not known), and `version`",
    )
    add_settings(parser)
    arguments = parser.parse_args(argv)
    options, target = arguments.options, arguments.file
    # max_bytes is about videos; an archive is as large as it is.
    settings = replace(arguments.settings, max_bytes=None)
    try:
        fetch_file(
            options["urls"], target, settings, options["bytes"], options["sha256"]
        )
    except NotReady as error:
        sys.exit(f"error: {error}")
    except Failure as failure:
        sys.exit(
            f"error: {target.name} was not downloaded. {failure}. {advice(target)}"
        )
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()

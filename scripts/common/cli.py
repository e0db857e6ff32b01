"""Command lines that look alike: `python -m scripts.<rule>`, with a --help."""

import argparse
import json
import sys


def command(name: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Return a parser for `python -m scripts.<name>` that shows the text as it is."""
    # Names of files may be any bytes; what a log cannot hold of them is escaped there.
    sys.stdout.reconfigure(errors="backslashreplace")
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def positive(text: str) -> int:
    """Return the number that is typed, which is to be 1 or more."""
    number = int(text) if text.strip().isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of 1 or more")
    return number


def add_options(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add `--options`: what decides about a result, as the workflow passes it."""
    parser.add_argument(
        "--options", type=json.loads, required=True, metavar="JSON", help=meaning
    )

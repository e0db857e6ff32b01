"""Command lines that look alike: `python -m scripts.<rule>`, with a --help."""

import argparse
import json


def command(name: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Return a parser for `python -m scripts.<name>` that shows the text as it is."""
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_options(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add `--options`: what decides about a result, as the workflow passes it."""
    parser.add_argument(
        "--options", type=json.loads, required=True, metavar="JSON", help=meaning
    )

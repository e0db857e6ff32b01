"""The zoo at a prompt.

python -m models                      all variants
python -m models tsm ssv2             those called `tsm` and `ssv2`: by their names,
                                      upstream names and class lists
python -m models --published          those with published weights
python -m models s3d_k400             one variant, by its own or an upstream name
python -m models s3d_k400 --json      the same for programs: its card, its protocol (how
                                      its accuracy was measured), its parameters and
                                      multiply-accumulates
python -m models check s3d_k400 FILE  whether a checkpoint file fits a variant
"""

import argparse
import json
import shutil
import signal
import sys
from dataclasses import asdict

import models
from models import listing
from models.cards.protocols import protocol


def main(argv: list[str] | None = None) -> None:
    """List, show or check."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["check"]:
        check(argv[1:])
        return
    parser = argparse.ArgumentParser(
        prog="python -m models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", nargs="*", help="a variant, or parts of names")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--published",
        action="store_true",
        help="of a list, only those whose weights are published",
    )
    arguments = parser.parse_args(argv)
    texts, unknown = arguments.text, None
    if len(texts) == 1:
        try:
            show(models.resolve(texts[0]), arguments.json)
            return
        except models.UnknownModel as error:
            unknown = error
    names = listing.matching(texts, arguments.published)
    if not names:
        words = " and ".join(map(repr, texts))
        parser.exit(2, f"error: {unknown or f'no variant is called {words}'}\n")
    if arguments.json:
        print(json.dumps([models.card(name).as_dict() for name in names], indent=2))
    else:
        print(listing.table(names))


def show(name: str, as_json: bool) -> None:
    """Print a variant's card, how its accuracy was measured, and its counts."""
    card = models.card(name)
    counts = {
        "parameters": models.count_parameters(name),
        "macs": models.count_macs(name),
    }
    if as_json:
        record = card.as_dict() | {"protocol": asdict(protocol(card))} | counts
        print(json.dumps(record, indent=2))
    else:
        width = shutil.get_terminal_size((88, 24)).columns
        print(listing.described(card, **counts, width=width))


def check(argv: list[str]) -> None:
    """Load a checkpoint file into a variant, or say why it does not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m models check",
        description="Tell whether a checkpoint file fits a variant.",
    )
    parser.add_argument("name", help="a variant, or its upstream name")
    parser.add_argument("file", help="checkpoint")
    arguments = parser.parse_args(argv)
    try:
        name = models.resolve(arguments.name)
        extractor = models.create(name, checkpoint=arguments.file)
    except (
        models.UnknownModel,
        models.CheckpointError,
        models.CheckpointUnavailable,
    ) as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {arguments.file}: {error.strerror}")
    print(f"{arguments.file} fits {name}; its sha256 is {extractor.checkpoint}")


if __name__ == "__main__":
    # `| head` may leave first; a program that prints takes that for its end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()

"""The zoo at a prompt.

python -m models                     all variants
python -m models tsm ssv2            those with `tsm` and `ssv2` in their name
python -m models s3d_k400            one variant, or an upstream name: its card, its
                                     protocol (how its accuracy was measured), its
                                     parameters and multiply-accumulates, as JSON
python -m models check s3d_k400 FILE whether a checkpoint file fits a variant
"""

import argparse
import json
import signal
import sys
from dataclasses import asdict

import models
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
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    arguments = parser.parse_args(argv)
    try:
        name = models.resolve(arguments.text[0]) if len(arguments.text) == 1 else None
    except models.UnknownModel as error:
        name, unknown = None, error
    if name is not None:
        print(json.dumps(description(name), indent=2))
        return
    names = matching(arguments.text)
    if not names:
        parser.error(
            str(unknown)
            if len(arguments.text) == 1
            else f"no name has {' and '.join(map(repr, arguments.text))} in it"
        )
    if arguments.json:
        print(json.dumps([models.card(name).as_dict() for name in names], indent=2))
    else:
        print(table(names))


def matching(texts: list[str]) -> list[str]:
    """The names of variants that have all texts in them, whatever the capitals."""
    wanted = [text.casefold() for text in texts]
    return [name for name in models.names() if all(text in name for text in wanted)]


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
    except (models.UnknownModel, models.CheckpointError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    print(f"{arguments.file} fits {name}; its sha256 is {extractor.checkpoint}")


def description(name: str) -> dict:
    """A variant's card, how its accuracy was measured, and its counts, plain JSON."""
    card = models.card(name)
    return card.as_dict() | {
        "protocol": asdict(protocol(card)),
        "parameters": models.count_parameters(name),
        "macs": models.count_macs(name),
    }


def table(names: list[str]) -> str:
    """Variants as a table, one a line, columns aligned."""
    head = "name", "frames", "stride", "fps", "crop", "features", "top-1"
    rows = [head, *(_row(models.card(name)) for name in names)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _row(card: models.Card) -> tuple[str, ...]:
    top1 = card.published.get(f"{card.classes} top-1")
    return (
        card.name,
        str(card.frames),
        str(card.stride),
        "video's" if card.fps is None else f"{card.fps:g}",
        str(card.crop),
        str(card.features["features"].dim),
        "-" if top1 is None else f"{top1:.1f} %",
    )


if __name__ == "__main__":
    # `| head` may leave first; a program that prints takes that for its end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()

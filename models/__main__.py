"""List the zoo, or show one model: `python -m models [NAME]`.

A model is shown as JSON: its card, the number of its parameters, and the
multiply-accumulates ("macs") of one window.
"""

import argparse
import json

import models


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    parser.add_argument("name", nargs="?", help="a variant, or its upstream name")
    name = parser.parse_args().name
    if name is None:
        print(table())
        return
    try:
        print(json.dumps(description(models.resolve(name)), indent=2))
    except models.UnknownModel as error:
        parser.error(str(error))


def description(name: str) -> dict:
    """A variant's card and its counts, plain JSON."""
    counts = {
        "parameters": models.count_parameters(name),
        "macs": models.count_macs(name),
    }
    return models.card(name).as_dict() | counts


def table() -> str:
    """The zoo as a table, one variant a line, columns aligned."""
    head = "name", "frames", "stride", "fps", "crop", "features", "params", "top-1"
    rows = [head, *(_row(models.card(name)) for name in models.names())]
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
        f"{models.count_parameters(card.name) / 1e6:.2f} M",
        "-" if top1 is None else f"{top1:.1f} %",
    )


if __name__ == "__main__":
    main()

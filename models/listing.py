"""The zoo in words: a table of variants, and one variant described."""

import textwrap
from collections.abc import Iterator, Sequence

from models import cards
from models.cards.base import FILTERS, NEVER, Card
from models.cards.protocols import AVERAGES, protocol

_HEAD = ("name", "frames", "stride", "fps", "crop", "features", "weights", "accuracy")


def matching(texts: Sequence[str], published: bool = False) -> list[str]:
    """The names of variants that have all texts in what they are called, sorted.

    Upstream names and class lists count too; capitals make no difference.

    published: only those whose weights are.
    """
    wanted = [text.casefold() for text in texts]
    return [
        card.name
        for card in map(cards.card, cards.names())
        if all(text in _called(card) for text in wanted)
        and not (published and card.checkpoint.size == NEVER)
    ]


def table(names: Sequence[str]) -> str:
    """Variants as a table, one a line, columns aligned."""
    return "\n".join(_aligned([_HEAD, *(_row(cards.card(name)) for name in names)]))


def described(card: Card, parameters: int, macs: dict[str, int], width: int) -> str:
    """A variant in words, in lines of up to so many characters.

    parameters, macs: as `models.count_parameters` and `models.count_macs` give them.
    """
    parts = {
        "input": [_window(card), _pixels(card)],
        "gives": _aligned([_shape(card, name) for name in card.features], left=True),
        "classes": [f"{card.features['logits'].dim} of {card.classes}"],
        "parameters": [f"{parameters / 1e6:.2f} million"],
        "multiply-adds": [f"{sum(macs.values()) / 1e9:.1f} billion for such a clip"],
        "accuracy": [_accuracy(card)],
        "weights": list(_weights(card)),
        "paper": [card.paper],
        "source": [card.source],
        "also called": [", ".join(card.aliases) or "-"],
    }
    label = max(map(len, parts)) + 4
    lines = [card.name]
    for part, texts in parts.items():
        first = f"  {part}".ljust(label)
        for text in texts:
            lines += textwrap.wrap(
                text,
                max(width, 60),
                initial_indent=first,
                subsequent_indent=" " * (label + 2),
                break_long_words=False,
                break_on_hyphens=False,
            )
            first = " " * label
    return "\n".join(lines)


def _called(card: Card) -> str:
    return " ".join((card.name, card.classes, *card.aliases)).casefold()


def _aligned(rows: Sequence[Sequence[str]], left: bool = False) -> list[str]:
    """Rows as lines whose columns are aligned, the first to the left, or all."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if left or not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(card: Card) -> tuple[str, ...]:
    label, figure = next(iter(card.published.items()), ("", None))
    return (
        card.name,
        str(card.frames),
        str(card.stride),
        "video's" if card.fps is None else f"{card.fps:g}",
        str(card.crop),
        str(card.features["features"].dim),
        "-" if card.checkpoint.size == NEVER else "yes",
        "-" if figure is None else f"{figure:.1f} % {label.split()[-1]}",
    )


def _window(card: Card) -> str:
    frames = f"{card.frames} frames"
    if card.consecutive > 1:
        frames += f" and the {card.consecutive - 1} behind each"
    rate = "the video's own rate" if card.fps is None else f"{card.fps:g} fps"
    if card.sampling == "uniform":
        return f"{frames}, one of each of as many equal parts of the video, at {rate}"
    return f"{frames}, {card.stride} apart, at {rate}"


def _pixels(card: Card) -> str:
    rule = card.resize
    if rule.exact:
        size = f"{rule.exact[0]} x {rule.exact[1]} pixels"
    elif rule.short or rule.height[0] == rule.height[1]:
        size = f"short side {rule.smallest} pixels"
    else:
        size = f"height {rule.height[0]} pixels, width {rule.height[1]} or more"
    colours = card.colour
    if card.flow:
        colours = f"{card.flow.algorithm} flow of up to {card.flow.bound:g} pixels"
    return (
        f"{size}, {FILTERS[rule.filter]}; the central {card.crop} x {card.crop};"
        f" {colours}, mean {_numbers(card.mean)}, deviation {_numbers(card.std)}"
    )


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _shape(card: Card, name: str) -> tuple[str, str, str]:
    feature = card.features[name]
    shape = " x ".join(map(str, (*feature.axes, feature.dim)))
    return name, shape, feature.meaning


def _accuracy(card: Card) -> str:
    if not card.published:
        return "none published"
    figures = ", ".join(f"{label} {value} %" for label, value in card.published.items())
    test = protocol(card)
    return (
        f"{figures}; clips x crops: {test.clips} x {test.crops}, {test.sampling},"
        f" {AVERAGES[test.average]}"
    )


def _weights(card: Card) -> Iterator[str]:
    file = card.checkpoint
    if file.size == NEVER:
        yield f"{NEVER}; what the program of {card.source} makes fits"
        return
    yield f"{file.file}, {file.size}; {file.layout}; licence: {file.licence}"
    if file.sha256:
        yield f"sha256 {file.sha256}{'' if len(file.sha256) == 64 else '…'}"
    yield from file.urls
    yield f"page: {file.page}"

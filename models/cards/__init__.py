"""The registry of the zoo: every variant's card, by name and by upstream name.

A family's file here lists its variants in CARDS; the networks stand in the module of
the same name beside this folder. A family whose names are a grammar has a function
`parse` besides, which makes the card of any such name. Nothing here imports torch: a
workflow that is only being planned needs names, not networks.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

from models.cards import (
    i3d,
    ibm,
    leftthomas,
    mvit,
    r2plus1d,
    rev_mvit,
    s3d,
    slowfast,
    tsm,
    x3d,
)
from models.cards.base import Card
from models.cards.spelling import spelled

FAMILIES = (
    i3d,
    ibm,
    leftthomas,
    mvit,
    r2plus1d,
    rev_mvit,
    s3d,
    slowfast,
    tsm,
    x3d,
)


class UnknownModel(KeyError):
    """A name that is not in the zoo; the message proposes the nearest one."""

    def __init__(self, name: str, known: list[str]) -> None:
        spellings = {_bare(other): other for other in reversed(known)}
        near = difflib.get_close_matches(_bare(name), spellings, n=1, cutoff=0.6)
        alike = name and any(name.casefold() in other.casefold() for other in known)
        if alike:
            hint = f"`python -m models {name}` lists those like it"
        elif near:
            hint = f"did you mean {spellings[near[0]]!r}?"
        else:
            hint = "`python -m models` lists it"
        super().__init__(f"{name!r} is not in the zoo; {hint}")

    def __str__(self) -> str:
        return self.args[0]  # KeyError would print its repr, in quotes


def register(cards: Iterable[Card]) -> tuple[dict[str, Card], dict[str, str]]:
    """Return the cards by name, and the names by alias.

    Raises ValueError when a name or an alias is taken.
    """
    by_name: dict[str, Card] = {}
    by_alias: dict[str, str] = {}
    for card in cards:
        for name in (card.name, *card.aliases):
            if name in by_name or name in by_alias:
                raise ValueError(f"{name!r} is in the zoo already")
        by_name[card.name] = card
        by_alias.update(dict.fromkeys(card.aliases, card.name))
    return by_name, by_alias


def _bare(name: str) -> str:
    """The spelling of a name without the family before "/"."""
    return spelled(name).rpartition("/")[2]


def _spellings(aliases: Mapping[str, str]) -> dict[str, str]:
    """The names by their aliases' spelling, with and without the family before "/".

    A spelling that several variants share is none of them.
    """
    found: dict[str, set[str]] = {}
    for alias, name in aliases.items():
        for spelling in {spelled(alias), _bare(alias)}:
            found.setdefault(spelling, set()).add(name)
    return {key: names.pop() for key, names in found.items() if len(names) == 1}


_ZOO, _ALIASES = register(card for family in FAMILIES for card in family.CARDS)
_SPELLINGS = _spellings(_ALIASES)


def names() -> list[str]:
    """The names of all variants that are declared, sorted."""
    return sorted(_ZOO)


def card(name: str) -> Card:
    """The card of a variant. Raises `UnknownModel`, a KeyError, with a proposal."""
    found = _ZOO.get(name) or _parsed(name)
    if found is None or found.name != name:
        raise UnknownModel(name, names())
    return found


def resolve(upstream_name: str) -> str:
    """The variant that an upstream program calls `upstream_name`, in any spelling.

    A dataset in parentheses may follow. A variant's own name resolves to itself.
    Raises `UnknownModel`, a KeyError, with a proposal.
    """
    if upstream_name in _ZOO:
        return upstream_name
    if upstream_name in _ALIASES:
        return _ALIASES[upstream_name]
    if spelled(upstream_name) in _SPELLINGS:
        return _SPELLINGS[spelled(upstream_name)]
    if found := _parsed(upstream_name):
        return found.name
    plain = spelled(re.sub(r" *\(.*\)$", "", upstream_name))
    if plain in _SPELLINGS:
        return _SPELLINGS[plain]
    raise UnknownModel(upstream_name, names() + sorted(_ALIASES))


def _parsed(name: str) -> Card | None:
    """The card that a family's grammar makes of a name; None where none does."""
    grammars = (family.parse for family in FAMILIES if hasattr(family, "parse"))
    return next(filter(None, (parse(name) for parse in grammars)), None)

"""Kinds of flow: a network knows one, and refuses others."""

from models.cards.base import Card

DIRECTION = "from a frame to the next, in its pixels; x right, y down"


def mismatch(
    card: Card, algorithm: str, bound: float, direction: str = DIRECTION
) -> str | None:
    """Return how flow differs from that which a network takes; None where it does not.

    Args:
        card: of a model that takes flow.
        algorithm, bound, direction: as they are stored with flow.
    """
    if direction != DIRECTION:
        return f"{card.name} takes flow {DIRECTION}; this is {direction}"
    if (algorithm, bound) == (card.flow.algorithm, card.flow.bound):
        return None
    return (
        f"{card.name} takes flow of {card.flow.algorithm} cut off at"
        f" {card.flow.bound:g} pixels; this is of {algorithm} cut off at {bound:g}"
    )

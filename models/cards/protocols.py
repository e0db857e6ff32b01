"""How published accuracies were measured: the views of each video, and their mean.

As said beside the figures on the cards. Where upstream's own crops or clips begin a
pixel or a frame elsewhere than ours (PySlowFast's, torchvision's), figures can differ
in the last digits.
"""

from dataclasses import dataclass

from models.cards.base import Card

AVERAGES = {
    "logits": "the mean of the views' logits",
    "probabilities": "the mean of the views' probabilities",
    "maximum": "the largest logit of a class in any view",
}
"""The ways to one score of several views."""


@dataclass(frozen=True)
class Protocol:
    """The views of a video in a test.

    sampling: `dense`, clips of neighbouring frames at equal distances; or `uniform`,
        clips with frames from all of the video.
    clips, crops: how many clips, and crops of each; their product is that of views.
    average: a key of `AVERAGES`.
    size: side of the crops in pixels; None is the card's.
    """

    sampling: str
    clips: int = 1
    crops: int = 1
    average: str = "logits"
    size: int | None = None


def protocol(card: Card) -> Protocol:
    """Return the protocol of a card's published accuracy; of others, one view."""
    repository = card.source.rsplit("/", 1)[-1]
    dense = card.sampling == "dense"
    if not card.published:
        return Protocol(card.sampling)
    if repository == "action-recognition-pytorch":
        # The eight with weights are tested on full frames; the benchmark, on one view.
        if card.crop == 256:
            return Protocol(card.sampling, 10 if dense else 2, 3)
    elif repository == "temporal-shift-module":
        if dense:
            return Protocol("dense", 10, 3, "logits", 256)
        if card.classes == "something_v2":
            return Protocol("uniform", 2, 3, "logits", 256)
    elif repository == "vision":
        return Protocol("dense", 5)
    elif repository == "SlowFast" and card.classes != "ava":
        return _pyslowfast(card, dense)
    return Protocol(card.sampling)


def _pyslowfast(card: Card, dense: bool) -> Protocol:
    if card.classes == "charades":
        return Protocol("dense", 10, 3, "maximum")
    if not dense:
        return Protocol("uniform")
    if "mvit" in card.name:
        crops = 3 if card.name.startswith("mvitv2_l") else 1
        return Protocol("dense", 5, crops, "probabilities")
    return Protocol("dense", 10, 3, "probabilities")

"""Reversible MViT's variant.

Its users report low accuracies with the published file
(https://github.com/facebookresearch/SlowFast/issues/613).
"""

from models.cards.base import Feature
from models.cards.pyslowfast import accuracy, card, checkpoint

CARDS = (
    card(
        name="rev_mvit_b_16x4_k400",
        upstream=("REV_MVIT_B_16x4_CONV", "REV_MVIT_B_16x4", "REV_MVIT"),
        network="models.rev_mvit:RevMViT",
        arguments={"depth": 16, "stages": (1, 3, 14), "frames": 16, "classes": 400},
        window=(16, 4),
        size=(256, 224),
        features={
            "features": Feature(
                1536, "both streams behind the last norm, averaged over the tokens"
            ),
            "logits": Feature(400, "class scores before softmax"),
        },
        checkpoint=checkpoint("rev/REV_MVIT_B_16x4.pyth", 140, "projects/rev"),
        paper="https://arxiv.org/abs/2302.04869",
        published=accuracy(78.4, 93.4),  # of 5 clips
    ),
)

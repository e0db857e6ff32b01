"""RAFT's variants: torchvision's networks, with the weights that it publishes.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow"
(https://arxiv.org/abs/2003.12039). Flow has no classes and no features: its cards say
less than those of the zoo. Figures are end-point errors in pixels, as torchvision
publishes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.cards.base import Checkpoint


@dataclass(frozen=True)
class FlowCard:
    """One variant.

    name: how the project calls it.
    network: the function of torchvision.models.optical_flow that builds it.
    updates: refinements of a flow, unless told otherwise.
    checkpoint: the published weights.
    source, paper: where network and weights come from.
    published: end-point error in pixels, by a label that says of what.
    """

    name: str
    network: str
    updates: int
    checkpoint: Checkpoint
    published: Mapping[str, float] = field(hash=False)
    source: str = "https://github.com/pytorch/vision"
    paper: str = "https://arxiv.org/abs/2003.12039"


def _checkpoint(file: str, size: str) -> Checkpoint:
    return Checkpoint(
        urls=(f"https://download.pytorch.org/models/{file}",),
        page="https://docs.pytorch.org/vision/stable/models/raft.html",
        file=file,
        size=size,
        layout="state dict",
        licence="BSD-3-Clause",
        sha256=file.removesuffix(".pth").rsplit("-", 1)[1],
    )


CARDS = (
    FlowCard(
        name="raft_large",
        network="raft_large",
        updates=12,
        checkpoint=_checkpoint("raft_large_C_T_SKHT_V2-ff5fadd5.pth", "about 20 MB"),
        published={"Sintel test, clean": 1.819, "Sintel test, final": 3.067},
    ),
    # The authors' own "raft-sintel", with which video_features makes flow for I3D.
    FlowCard(
        name="raft_sintel",
        network="raft_large",
        updates=20,
        checkpoint=_checkpoint("raft_large_C_T_SKHT_V1-0b8c9e55.pth", "about 20 MB"),
        published={"Sintel test, clean": 1.94, "Sintel test, final": 3.18},
        source="https://github.com/princeton-vl/RAFT",
    ),
    FlowCard(
        name="raft_small",
        network="raft_small",
        updates=12,
        checkpoint=_checkpoint("raft_small_C_T_V2-01064c6d.pth", "about 4 MB"),
        published={"Sintel train, clean": 1.9901, "Sintel train, final": 3.2831},
    ),
)
BY_NAME = {card.name: card for card in CARDS}

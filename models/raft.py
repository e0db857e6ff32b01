"""RAFT over a video: each frame goes through the feature encoder once.

torchvision's network takes pairs of images: over a video it would encode every frame
twice, and refine pictures of flow in full size that nobody asks for. Here features are
kept from one pair to the next, and only the last refinement is brought to full size.
"""

from copy import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import optical_flow
from torchvision.models.optical_flow._utils import make_coords_grid, upsample_flow

from models import checkpoints
from models.cards.raft import BY_NAME, FlowCard

SMALLEST = 128
"""Pixels of a side below which the correlations have no fourth level."""


def create(
    name: str,
    checkpoint: str | Path | None = None,
    updates: int | None = None,
    seed: int = 0,
) -> "Raft":
    """Build a variant with its weights, ready on the CPU.

    name: a key of `models.cards.raft.BY_NAME`.
    checkpoint: a file, or None for random weights from `seed`: their flow is
        reproducible, but means nothing.
    updates: refinements of a flow; None is the card's own number.

    Raises `checkpoints.CheckpointError` for a file that is no checkpoint or does not
    fit the network, and FileNotFoundError.
    """
    card = BY_NAME[name]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = getattr(optical_flow, card.network)(weights=None)
    if checkpoint is not None:
        checkpoints.load_strict(network, checkpoints.read(checkpoint))
    return Raft(card, network, updates or card.updates)


class Raft(nn.Module):
    """A variant's network, in evaluation mode, without gradients.

    card: the variant's `FlowCard`.
    network: torchvision's.
    updates: refinements of a flow.
    """

    def __init__(self, card: FlowCard, network: nn.Module, updates: int) -> None:
        super().__init__()
        self.card = card
        self.network = network
        self.updates = updates
        self.eval().requires_grad_(False)

    @torch.inference_mode()
    def step(
        self, seen: tuple[Tensor, Tensor] | None, frames: Tensor
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Go on through a video.

        seen: what the step before returned first; None at a video's beginning.
        frames: the next ones, uint8 (n, 3, H, W), RGB, on the network's device.

        Returns what the next step has to see, and flows, float32 (m, 2, H, W), (x, y)
        in pixels, each from a frame to the next; m is n, or n - 1 at the beginning.
        """
        height, width = frames.shape[-2:]
        images = padded(frames) / 127.5 - 1
        maps = self.network.feature_encoder(images)
        if seen is not None:
            images = torch.cat([seen[0], images])
            maps = torch.cat([seen[1], maps])
        seen = images[-1:], maps[-1:]
        if len(images) == 1:
            return seen, frames.new_empty((0, 2, height, width), dtype=torch.float32)
        flows = self._between(images[:-1], maps[:-1], maps[1:])
        left, _, top, _ = margins(height, width)
        return seen, flows[..., top : top + height, left : left + width]

    def _between(self, images: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Return flows, (n, 2, H, W), from images to the ones after them.

        images: float (n, 3, H, W) in [-1, 1]; before, after: the pairs' features.
        """
        network = self.network
        # It keeps what it builds: with a copy, threads can share the network.
        correlations = copy(network.corr_block)
        correlations.build_pyramid(before, after)
        context = network.context_encoder(images)
        hidden_size = network.update_block.hidden_state_size
        hidden, context = context.tensor_split([hidden_size], dim=1)
        hidden, context = torch.tanh(hidden), F.relu(context)
        start = make_coords_grid(len(images), *before.shape[-2:])
        start = start.to(images.device)
        reached = start
        for _ in range(self.updates):
            correlation = correlations.index_pyramid(centroids_coords=reached)
            hidden, change = network.update_block(
                hidden, context, correlation, reached - start
            )
            reached = reached + change
        weigh = network.mask_predictor
        return upsample_flow(
            flow=reached - start, up_mask=weigh(hidden) if weigh else None
        )


def padded(frames: Tensor) -> Tensor:
    """Return float frames (n, 3, H', W') with the border repeated, as RAFT needs them.

    Sides become multiples of 8, and 128 at least; half of what is added stands before
    the frame, rounded down, as in the authors' own padding.
    """
    return F.pad(frames.float(), margins(*frames.shape[-2:]), mode="replicate")


def margins(height: int, width: int) -> tuple[int, int, int, int]:
    """Return what is added on the left, on the right, above and below, in pixels.

    >>> margins(254, 340)
    (2, 2, 1, 1)
    """
    more = [max(SMALLEST, -(-side // 8) * 8) - side for side in (width, height)]
    across, down = more
    return across // 2, across - across // 2, down // 2, down - down // 2

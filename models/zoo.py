"""Models from cards: the network, its weights, and the contract around both.

A network takes normalised clips, float (N, C, T, H, W), and returns the card's features
by name, each (N, *axes, dim). One whose published weights have other keys than its own
has a method `convert`, from {key: tensor} to {key: tensor}.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models import cards, checkpoints, fetching
from models.cards.base import Card
from models.classes import class_names
from models.networks import build, head_keys, with_classes

# Counts by network and arguments: variants that differ in the window share theirs.
_PARAMETERS: dict[tuple[str, str], int] = {}


def count_parameters(name: str) -> int:
    """The number of trained numbers in a variant's network."""
    card = cards.card(name)
    same = card.network, json.dumps(card.as_dict()["arguments"])
    if same not in _PARAMETERS:
        with torch.device("meta"):  # shapes only: no memory, no initialisation
            _PARAMETERS[same] = sum(p.numel() for p in build(card).parameters())
    return _PARAMETERS[same]


def count_macs(name: str) -> dict[str, int]:
    """The multiply-accumulates of one window of the card's size, by what does them.

    "convolutions" are what studies of convolutional networks publish as FLOPs;
    "matrix products" are linear layers and attention. Norms, activations and poolings
    are not counted.
    """
    card = cards.card(name)
    with torch.device("meta"):
        network = build(card).eval()
        channels = len(card.mean) * card.consecutive
        clip = torch.empty(1, channels, card.frames, card.crop, card.crop)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(clip)
    counts = {"convolutions": 0, "matrix products": 0}
    for operator, flops in counter.get_flop_counts()["Global"].items():
        kind = "convolutions" if "convolution" in str(operator) else "matrix products"
        counts[kind] += flops // 2
    return counts


def create(
    name: str,
    checkpoint: str | Path | Mapping[str, Any] | None = None,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> "Extractor":
    """Build a variant with its weights, ready to extract features on the CPU.

    checkpoint: where the weights come from, in the layout in which they are published:
        a file's path; an http(s) address, kept in PyTorch's own cache folder; a
        mapping of keys to tensors or arrays; or None for random weights from `seed`
        (the features are then reproducible, but mean nothing).
    classes: what the logits are to tell apart, in their order; None: the classes of the
        checkpoint, which are the card's unless the file names its own, as those of
        `train_model` do. For other classes than the checkpoint's the head begins anew,
        with random weights from `seed`; `Extractor.anew` says which these are.

    Raises `UnknownModel`, `checkpoints.CheckpointError` for a file that is no
    checkpoint or does not fit the network, `fetching.CheckpointUnavailable` for a
    failed download, and FileNotFoundError.
    """
    card = cards.card(name)
    origin, state, named = _opened(card, checkpoint)
    wanted = named if classes is None else tuple(classes)
    count = card.features["logits"].dim
    new_head = wanted is not None and (
        wanted != (named or class_names(card.classes, outputs=count))
    )
    if named or new_head:
        card = with_classes(card, len(wanted))
    # The CPU's generator alone is forked and seeded: torch.manual_seed would reseed
    # the accelerators as well, and nothing would put those back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = build(card)
    if state is None:
        return Extractor(card, network, f"random-seed-{seed}", wanted)
    if hasattr(network, "convert"):
        state = network.convert(state)
    anew: tuple[str, ...] = ()
    if new_head:
        anew = tuple(head_keys(card))
        random = network.state_dict()
        state = {**state, **{key: random[key] for key in anew}}
    checkpoints.load_strict(network, state)
    return Extractor(card, network, origin, wanted, anew)


def _opened(
    card: Card, checkpoint: str | Path | Mapping[str, Any] | None
) -> tuple[str, dict[str, Tensor] | None, tuple[str, ...] | None]:
    """Where the weights come from, they themselves, and the classes that they name."""
    if checkpoint is None:
        return "", None, None
    if isinstance(checkpoint, Mapping):
        state = checkpoints.tensors(checkpoint)
        return "mapping", state, checkpoints.class_list(checkpoint)
    path = Path(checkpoint)
    if str(checkpoint).startswith(("http://", "https://")):
        path = fetching.fetch_url(card, str(checkpoint), _cache())
    return fetching.sha256(path), *checkpoints.read_with_classes(path)


class Extractor(nn.Module):
    """A variant's network behind one contract, in evaluation mode, without gradients.

    card: the variant's `Card`.
    checkpoint: where the weights came from: the SHA-256 of the file, "mapping", or
        "random-seed-<n>".
    anew: the keys of the weights that are random beside those of a checkpoint: the
        head's, for other classes.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        card: Card,
        network: nn.Module,
        checkpoint: str,
        classes: tuple[str, ...] | None = None,
        anew: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.card = card
        self.checkpoint = checkpoint
        self.anew = anew
        self._classes = classes
        self.network = network
        # Five dimensions, so that .to(memory_format=torch.channels_last_3d) can
        # convert them with the weights.
        shape = (1, -1, 1, 1, 1)
        self.register_buffer("mean", torch.tensor(card.mean).view(shape), False)
        self.register_buffer("std", torch.tensor(card.std).view(shape), False)
        self.eval().requires_grad_(False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        outputs = self.card.features["logits"].dim
        return self._classes or class_names(self.card.classes, outputs)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """The features of a batch of clips.

        clips: float (N, C, T, H, W) in [0, 1], channels in the card's order of colours,
            on the extractor's device, as `models.prepare` makes them; T is
            `card.frames`, or any other length from `card.min_frames` on, times
            `card.consecutive`.

        Returns the card's features by name, each (N, *axes, dim), in the dtype of the
        weights.
        Raises ValueError for clips of another shape, dtype or range of lengths.
        """
        if clips.dim() != 5 or clips.shape[1] != self.mean.shape[1]:
            raise ValueError(
                f"{self.card.name} takes clips (N, {self.mean.shape[1]}, T, H, W), "
                f"not {tuple(clips.shape)}"
            )
        if not clips.is_floating_point():
            raise ValueError(f"clips are float in [0, 1], not {clips.dtype}")
        least = self.card.min_frames * self.card.consecutive
        if clips.shape[2] < least:
            raise ValueError(
                f"{self.card.name} needs {least} frames or more; "
                f"the clips have {clips.shape[2]}"
            )
        if clips.shape[2] % self.card.consecutive:
            raise ValueError(
                f"{self.card.name} takes {self.card.consecutive} neighbouring frames "
                f"at a time; the clips have {clips.shape[2]}"
            )
        clips = folded((clips - self.mean) / self.std, self.card.consecutive)
        return self.network(clips.to(self.mean.dtype))


def folded(clips: Tensor, consecutive: int) -> Tensor:
    """Clips (N, C, T * k, H, W) as (N, k * C, T, H, W), where k is `consecutive`.

    The channels of a step are those of its k frames one by one: u1, v1, u2, v2, ...
    """
    return clips.unflatten(2, (-1, consecutive)).movedim(3, 1).flatten(1, 2)


def _cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"

"""PySlowFast's 3-D ResNets: C2D, I3D, Slow and SlowFast, and non-local blocks in them.

Feichtenhofer et al., "SlowFast Networks for Video Recognition"
(https://arxiv.org/abs/1812.03982); C2D, I3D and the blocks are those of Wang et al.,
"Non-local Neural Networks" (https://arxiv.org/abs/1711.07971). Module names are those
of the keys of the weights that https://github.com/facebookresearch/SlowFast publishes.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

from torch import Tensor, nn

from models.initial import keep_signal
from models.non_local import SlowFastNonLocal
from models.slowfast_layers import Block, Fuse, Halve, Head, Stem

KERNELS = {
    "C2D": ((1,), (1,), (1,), (1,), (1,)),
    "I3D": ((5,), (3,), (3, 1), (3, 1), (1, 3)),
    "Slow": ((1,), (1,), (1,), (3,), (3,)),
    "Fast": ((5,), (3,), (3,), (3,), (3,)),
}
"""What a pathway's convolutions in time span, in frames: that of the stem, then those
of each stage's blocks, which take turns."""

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Blocks of each stage, by depth."""

BETA = 8
"""Channels of the slow pathway for one of the fast pathway."""


def slow_frames(frames: int, alpha: int) -> list[int]:
    """The frames of a clip that the slow pathway sees, spread from first to last.

    There is one for every `alpha`, and one for the rest. PySlowFast takes the same of
    its own clips, which are multiples of it.
    """
    steps = -(-frames // alpha)
    return [step * (frames - 1) // max(steps - 1, 1) for step in range(steps)]


class ResNet(nn.Module):
    """The network: clips (N, 3, T, H, W) to features (N, D) and logits (N, classes).

    pathways: one of `KERNELS`, or ("Slow", "Fast"). D is 2048, with Fast 2304.
    depth: one of `BLOCKS`.
    halve_time: pool pairs of steps after the first stage of blocks.
    alpha: frames of the fast pathway for one of the slow pathway.
    fusion: what the convolutions from the fast to the slow pathway span, in frames.
    dilated: the last stage keeps its sides, and dilates its convolutions instead.
    spanning: s4's blocks in each pathway that span time, None: as many as 50 layers
        have; its further ones see each frame alone.
    window: side of the head's windows, or None (`Head`).
    attended: the blocks of each stage behind which non-local blocks stand, in the
        first pathway.
    attention: the arguments of the non-local blocks (`SlowFastNonLocal`).
    """

    def __init__(
        self,
        pathways: Sequence[str],
        depth: int,
        classes: int,
        halve_time: bool = False,
        alpha: int = 4,
        fusion: int = 7,
        dilated: bool = False,
        spanning: Sequence[int] | None = None,
        window: int | None = 7,
        attended: Sequence[Sequence[int]] = ((), (), (), ()),
        attention: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        kernels = [KERNELS[pathway] for pathway in pathways]
        self.fused, self.alpha = len(pathways) > 1, alpha
        widths = [64, 64 // BETA] if self.fused else [64]
        stems = zip(widths, kernels, strict=True)
        self.s1 = Stage([{"stem": Stem(width, spans[0][0])} for width, spans in stems])
        inputs = widths
        for stage, blocks in enumerate(BLOCKS[depth], start=1):
            if self.fused:
                slow, fast = inputs
                self.add_module(f"s{stage}_fuse", Fuse(fast, fusion, alpha))
                inputs = [slow + 2 * fast, fast]
            if halve_time and stage == 2:
                self.pool = Halve()
            dilation = 2 if dilated and stage == 4 else 1
            outputs = [2 ** (stage + 1) * width for width in widths]
            counts = [BLOCKS[50][stage - 1]] * len(pathways)
            if stage == 3:
                counts = spanning or counts
            parts = [
                _blocks(
                    inputs[number],
                    outputs[number],
                    blocks,
                    spans=list(islice(cycle(spans[stage]), counts[number])),
                    stride=1 if stage == 1 or dilation == 2 else 2,
                    dilation=dilation,
                    attended=attended[stage - 1] if number == 0 else (),
                    attention=attention or {},
                )
                for number, spans in enumerate(kernels)
            ]
            self.add_module(f"s{stage + 1}", Stage(parts))
            inputs = outputs
        self.head = Head(sum(inputs), classes, window)
        keep_signal(self)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        *stages, head = self.children()
        xs = [clips]
        if self.fused:
            xs = [clips[:, :, slow_frames(clips.shape[2], self.alpha)], clips]
        for stage in stages:
            xs = stage(xs)
        return head(xs)

    @staticmethod
    def recognise(state: Mapping[str, Tensor]) -> str | None:
        """Say which of these networks has such weights; None where none has.

        Neither C2D's pool in time nor the distance of the frames shows in weights.
        """
        found: list[list[int]] = [[] for _ in range(5)]
        for key, value in state.items():
            conv = re.fullmatch(
                r"s([1-5])\.pathway0_(stem\.conv|res\d+\.branch2\.a)\.weight", key
            )
            if conv and value.dim() == 5:
                found[int(conv[1]) - 1].append(value.shape[2])
        depths = {(1, *blocks): depth for depth, blocks in BLOCKS.items()}
        depth = depths.get(tuple(map(len, found)))
        if depth is None:
            return None
        spans = [max(stage) for stage in found]
        firsts = ("C2D", "I3D", "Slow")
        names = {tuple(map(max, KERNELS[name])): name for name in firsts}
        name = names.get(tuple(spans))
        if name is None:
            return None
        if any(".pathway1_" in key for key in state):
            name = "SlowFast"
        if any("_nonlocal" in key for key in state):
            name += " NLN"
        frames = ", ".join(map(str, spans[:-1]))
        return (
            f"{name} R{depth} (its kernels span {frames} and {spans[-1]} frames in s1 "
            "to s5 of the first pathway)"
        )


class Stage(nn.ModuleDict):
    """The layers of each pathway by name, as `pathway<number>_<name>`.

    It takes and returns a list: one tensor (N, C, T, H, W) for each pathway.
    """

    def __init__(self, pathways: Sequence[Mapping[str, nn.Module]]) -> None:
        super().__init__(
            {
                f"pathway{number}_{name}": layer
                for number, layers in enumerate(pathways)
                for name, layer in layers.items()
            }
        )

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        xs = list(xs)
        for name, layer in self.items():
            number = int(name.removeprefix("pathway")[0])
            xs[number] = layer(xs[number])
        return xs


def _blocks(
    inputs: int,
    outputs: int,
    blocks: int,
    spans: Sequence[int],
    stride: int,
    dilation: int,
    attended: Sequence[int],
    attention: Mapping[str, Any],
) -> dict[str, nn.Module]:
    """A stage's layers in one pathway; blocks without a span of their own span 1."""
    layers: dict[str, nn.Module] = {}
    for number in range(blocks):
        span = spans[number] if number < len(spans) else 1
        layers[f"res{number}"] = Block(inputs, outputs, span, stride, dilation)
        if number in attended:
            layers[f"nonlocal{number}"] = SlowFastNonLocal(outputs, **attention)
        inputs, stride = outputs, 1
    return layers

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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNELS = {
    "C2D": ((1,), (1,), (1,), (1,), (1,)),
    "I3D": ((5,), (3,), (3, 1), (3, 1), (1, 3)),
    "Slow": ((1,), (1,), (1,), (3,), (3,)),
    "Fast": ((5,), (3,), (3,), (3,), (3,)),
}
"""What a pathway's convolutions in time span, in frames: that of the stem, then those
of each stage's blocks, which take turns."""

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Blocks of each stage, by depth. Only as many as 50 layers have span time."""

ALPHA = 4
"""Frames of the fast pathway for one of the slow pathway."""

BETA = 8
"""Channels of the slow pathway for one of the fast pathway."""


def slow_frames(frames: int) -> list[int]:
    """The frames of a clip that the slow pathway sees, spread from first to last.

    There is one for every four, and one for the rest. PySlowFast takes the same of its
    own clips, which are multiples of four.
    """
    steps = -(-frames // ALPHA)
    return [step * (frames - 1) // max(steps - 1, 1) for step in range(steps)]


class ResNet(nn.Module):
    """The network: clips (N, 3, T, H, W) to features (N, D) and logits (N, classes).

    pathways: one of `KERNELS`, or ("Slow", "Fast"). D is 2048, with Fast 2304.
    depth: one of `BLOCKS`.
    halve_time: pool pairs of steps after the first stage of blocks.
    fusion: what the convolutions from the fast to the slow pathway span, in frames.
    dilated: the last stage keeps its sides, and dilates its convolutions instead.
    window: side of the head's windows, or None (`Head`).
    attended: the blocks of each stage behind which non-local blocks stand, in the
        first pathway.
    attention: the arguments of the non-local blocks (`Nonlocal`).
    """

    def __init__(
        self,
        pathways: Sequence[str],
        depth: int,
        classes: int,
        halve_time: bool = False,
        fusion: int = 7,
        dilated: bool = False,
        window: int | None = 7,
        attended: Sequence[Sequence[int]] = ((), (), (), ()),
        attention: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        kernels = [KERNELS[pathway] for pathway in pathways]
        self.fused = len(pathways) > 1
        widths = [64, 64 // BETA] if self.fused else [64]
        stems = zip(widths, kernels, strict=True)
        self.s1 = Stage([{"stem": Stem(width, spans[0][0])} for width, spans in stems])
        inputs = widths
        for stage, blocks in enumerate(BLOCKS[depth], start=1):
            if self.fused:
                slow, fast = inputs
                self.add_module(f"s{stage}_fuse", Fuse(fast, fusion))
                inputs = [slow + 2 * fast, fast]
            if halve_time and stage == 2:
                self.pool = Halve()
            dilation = 2 if dilated and stage == 4 else 1
            outputs = [2 ** (stage + 1) * width for width in widths]
            parts = [
                _blocks(
                    inputs[number],
                    outputs[number],
                    blocks,
                    spans=list(islice(cycle(spans[stage]), BLOCKS[50][stage - 1])),
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
        for module in self.modules():
            # PyTorch's own default shrinks the signal layer by layer.
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        *stages, head = self.children()
        xs = [clips]
        if self.fused:
            xs = [clips[:, :, slow_frames(clips.shape[2])], clips]
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


class Stem(nn.Module):
    """A 7 x 7 convolution of stride 2, and a pool of stride 2."""

    def __init__(self, width: int, span: int) -> None:
        super().__init__()
        padding = span // 2, 3, 3
        self.conv = nn.Conv3d(3, width, (span, 7, 7), (1, 2, 2), padding, bias=False)
        self.bn = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x)), inplace=True)
        return F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))


class Fuse(nn.Module):
    """The fast pathway at the slow one's steps, appended to it, twice as wide."""

    def __init__(self, fast: int, span: int) -> None:
        super().__init__()
        self.conv_f2s = nn.Conv3d(
            fast, 2 * fast, (span, 1, 1), (ALPHA, 1, 1), (span // 2, 0, 0), bias=False
        )
        self.bn = nn.BatchNorm3d(2 * fast)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        slow, fast = xs
        more = F.relu(self.bn(self.conv_f2s(fast)), inplace=True)
        return [torch.cat([slow, more], dim=1), fast]


class Halve(nn.Module):
    """The maxima of pairs of steps in time; an odd last one is dropped."""

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        return [F.max_pool3d(x, (2, 1, 1)) for x in xs]


class Block(nn.Module):
    """A residual block; where the shape changes, its shortcut is a convolution."""

    def __init__(
        self, inputs: int, outputs: int, span: int, stride: int, dilation: int
    ) -> None:
        super().__init__()
        if inputs != outputs or stride > 1:
            step = 1, stride, stride
            self.branch1 = nn.Conv3d(inputs, outputs, 1, step, bias=False)
            self.branch1_bn = nn.BatchNorm3d(outputs)
        self.branch2 = Bottleneck(inputs, outputs, span, stride, dilation)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch2(x)
        y += self.branch1_bn(self.branch1(x)) if hasattr(self, "branch1") else x
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    """Convolutions of a span in time, of 3 x 3 and of 1 x 1, of a quarter's width."""

    def __init__(
        self, inputs: int, outputs: int, span: int, stride: int, dilation: int
    ) -> None:
        super().__init__()
        inner = outputs // 4
        self.a = nn.Conv3d(
            inputs, inner, (span, 1, 1), padding=(span // 2, 0, 0), bias=False
        )
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = nn.Conv3d(
            inner,
            inner,
            (1, 3, 3),
            (1, stride, stride),
            padding=(0, dilation, dilation),
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.b_bn = nn.BatchNorm3d(inner)
        self.c = nn.Conv3d(inner, outputs, 1, bias=False)
        self.c_bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a_bn(self.a(x)), inplace=True)
        x = F.relu(self.b_bn(self.b(x)), inplace=True)
        return self.c_bn(self.c(x))


class Nonlocal(nn.Module):
    """Every place and step sees all others, after a pool of them, and adds their mix.

    softmax: weigh the others by a softmax; otherwise by the products over their number.
    pool: sides of the pool, (time, height, width).
    """

    def __init__(self, width: int, softmax: bool, pool: tuple[int, int, int]) -> None:
        super().__init__()
        self.softmax, self.pool = softmax, tuple(pool)
        self.conv_theta = nn.Conv3d(width, width // 2, 1)
        self.conv_phi = nn.Conv3d(width, width // 2, 1)
        self.conv_g = nn.Conv3d(width, width // 2, 1)
        self.conv_out = nn.Conv3d(width // 2, width, 1)
        self.bn = nn.BatchNorm3d(width)
        # Before any training, as it was published, the block changes nothing: products
        # of random features would grow without bound.
        nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool3d(x, self.pool)
        heads = self.conv_theta(x), self.conv_phi(pooled), self.conv_g(pooled)
        query, key, value = (head.flatten(2).transpose(1, 2) for head in heads)
        if self.softmax:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            mixed = query @ key.transpose(1, 2) / key.shape[1] @ value
        mixed = mixed.transpose(1, 2).unflatten(2, x.shape[2:])
        return x + self.bn(self.conv_out(mixed))


class Head(nn.Module):
    """The pathways' last maps averaged, which are the features, and the classifier.

    window: the means over all windows of this side are averaged, so that the middle of
        a larger map counts more; None is a plain mean. Of 224 pixels, maps have 7.
    """

    def __init__(self, width: int, classes: int, window: int | None) -> None:
        super().__init__()
        self.window = window
        self.projection = nn.Linear(width, classes)

    def forward(self, xs: list[Tensor]) -> dict[str, Tensor]:
        features = torch.cat([self._average(x.mean(dim=2)) for x in xs], dim=1)
        return {"features": features, "logits": self.projection(features)}

    def _average(self, maps: Tensor) -> Tensor:
        if self.window is not None:
            sides = [min(self.window, side) for side in maps.shape[2:]]
            maps = F.avg_pool2d(maps, sides, stride=1)
        return maps.mean(dim=(2, 3))


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
            layers[f"nonlocal{number}"] = Nonlocal(outputs, **attention)
        inputs, stride = outputs, 1
    return layers

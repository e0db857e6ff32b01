"""X3D: small 3D ResNets whose k x k x k convolutions keep the channels apart.

Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition"
(https://arxiv.org/abs/2004.04730), as published by
https://github.com/facebookresearch/SlowFast; module names are those of its checkpoints'
keys. All published sizes have the same widths.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.initial import keep_signal

WIDTHS = (24, 48, 96, 192)
"""Channels of the four stages; inside a block there are 2.25 times as many."""

HEAD = 2048
"""Channels of the head, behind `lin_5`."""


class X3D(nn.Module):
    """Clips (N, 3, T, H, W) to features (N, 2048) and logits (N, classes).

    The head averages over all of time and over windows of `window` x `window` places,
    before its last layers: at the size of training, where the last stage has so many
    places, there is one window. "features" and "logits" are means over the windows;
    "stage5" (N, T, 192) is the last stage, averaged over space.

    blocks: of each stage.
    window: the side of the last stage at the size of training; a smaller last stage is
        one window.
    """

    def __init__(self, blocks: tuple[int, ...], window: int, classes: int) -> None:
        super().__init__()
        self.s1 = nn.Module()
        self.s1.pathway0_stem = Stem(WIDTHS[0])
        width = WIDTHS[0]
        for number, (count, outputs) in enumerate(zip(blocks, WIDTHS, strict=True), 2):
            stage = nn.Module()
            for n in range(count):
                stage.add_module(
                    f"pathway0_res{n}",
                    Block(width, outputs, stride=1 if n else 2, squeezes=n % 2 == 0),
                )
                width = outputs
            self.add_module(f"s{number}", stage)
        self.head = Head(width, window, classes)
        keep_signal(self)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = self.s1.pathway0_stem(clips)
        for stage in (self.s2, self.s3, self.s4, self.s5):
            for block in stage.children():
                x = block(x)
        stage5 = x.mean(dim=(3, 4)).transpose(1, 2)
        return {"stage5": stage5, **self.head(x)}


class Stem(nn.Module):
    """A convolution in space, then one in time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_xy = nn.Conv3d(3, width, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.conv = nn.Conv3d(
            width, width, (5, 1, 1), padding=(2, 0, 0), groups=width, bias=False
        )
        self.bn = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(self.conv_xy(x))), inplace=True)


class Block(nn.Module):
    """A residual block; `squeezes`: whether channels are weighed by their means."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeezes: bool) -> None:
        super().__init__()
        self.branch2 = Bottleneck(inputs, outputs, stride, squeezes)
        self.shortcut = stride > 1
        if self.shortcut:
            step = (1, stride, stride)
            self.branch1 = nn.Conv3d(inputs, outputs, 1, step, bias=False)
            self.branch1_bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.branch1_bn(self.branch1(x)) if self.shortcut else x
        return F.relu(shortcut + self.branch2(x), inplace=True)


class Bottleneck(nn.Module):
    """1 x 1 x 1 to more channels, 3 x 3 x 3 within each of them, 1 x 1 x 1 to fewer."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeezes: bool) -> None:
        super().__init__()
        inner = int(2.25 * outputs)
        self.a = nn.Conv3d(inputs, inner, 1, bias=False)
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = nn.Conv3d(
            inner, inner, 3, (1, stride, stride), 1, groups=inner, bias=False
        )
        self.b_bn = nn.BatchNorm3d(inner)
        self.se = SqueezeExcitation(inner) if squeezes else nn.Identity()
        self.c = nn.Conv3d(inner, outputs, 1, bias=False)
        self.c_bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a_bn(self.a(x)), inplace=True)
        x = F.silu(self.se(self.b_bn(self.b(x))))
        return self.c_bn(self.c(x))


class SqueezeExcitation(nn.Module):
    """Weigh the channels by what two layers make of their means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # A sixteenth, as a multiple of 8 that is not more than a tenth below it.
        narrow = max(8, 8 * round(width / 16 / 8))
        narrow += 8 if narrow < 0.9 * width / 16 else 0
        self.fc1 = nn.Conv3d(width, narrow, 1)
        self.fc2 = nn.Conv3d(narrow, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        # In double precision: large numbers cancel before the sigmoid.
        means = x.mean(dim=(2, 3, 4), keepdim=True, dtype=torch.float64)
        weights = _double(self.fc2, F.relu(_double(self.fc1, means))).sigmoid()
        return x * weights.to(x.dtype)


class Head(nn.Module):
    """Features and logits from the last stage, (N, C, T, h, w)."""

    def __init__(self, inputs: int, window: int, classes: int) -> None:
        super().__init__()
        inner = int(2.25 * inputs)
        self.window = window
        self.conv_5 = nn.Conv3d(inputs, inner, 1, bias=False)
        self.conv_5_bn = nn.BatchNorm3d(inner)
        self.lin_5 = nn.Conv3d(inner, HEAD, 1, bias=False)
        self.projection = nn.Linear(HEAD, classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.conv_5_bn(self.conv_5(x)), inplace=True)
        # Time first, and then images: PyTorch averages no clips of bfloat16.
        sides = [min(self.window, side) for side in x.shape[3:]]
        x = F.avg_pool2d(x.mean(dim=2), sides, stride=1).unsqueeze(2)
        x = F.relu(self.lin_5(x))
        features = x.mean(dim=(2, 3, 4))
        return {"features": features, "logits": self.projection(features)}


def _double(layer: nn.Conv3d, x: Tensor) -> Tensor:
    """What a layer of 1 x 1 x 1 gives, in double precision."""
    return F.conv3d(x, layer.weight.double(), layer.bias.double())

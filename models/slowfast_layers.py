"""The layers of PySlowFast's 3-D ResNets (`models.slowfast`).

Module names are those of the keys of the weights that
https://github.com/facebookresearch/SlowFast publishes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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

    def __init__(self, fast: int, span: int, alpha: int) -> None:
        super().__init__()
        self.conv_f2s = nn.Conv3d(
            fast, 2 * fast, (span, 1, 1), (alpha, 1, 1), (span // 2, 0, 0), bias=False
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

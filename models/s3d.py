"""S3D: the Inception network with convolutions separated into space and time.

Xie et al., "Rethinking Spatiotemporal Feature Learning" (https://arxiv.org/abs/1712.04851),
as trained and published by https://github.com/kylemin/S3D: module names are those of
that checkpoint's keys.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.initial import keep_signal

# The Inception stages. Each starts with a max pool (kernel, stride, padding), then
# come its blocks: the widths of the four branches, with (reduced, output) for the two
# that reduce the channels before a 3 x 3 x 3 convolution.
STAGES = (
    (
        ((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        (64, (96, 128), (16, 32), 32),
        (128, (128, 192), (32, 96), 64),
    ),
    (
        (3, 2, 1),
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    (
        (2, 2, 0),
        (256, (160, 320), (32, 128), 128),
        (384, (192, 384), (48, 128), 128),
    ),
)


class Pointwise(nn.Module):
    """A 1 x 1 x 1 convolution, batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 1, bias=False)
        self.bn = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Separable(nn.Module):
    """A k x k convolution in space, then one of k in time, each normed and rectified.

    `stride` is that of all three axes.
    """

    def __init__(self, inputs: int, outputs: int, k: int, stride: int = 1) -> None:
        super().__init__()
        s, p = stride, k // 2
        space = {"stride": (1, s, s), "padding": (0, p, p), "bias": False}
        time = {"stride": (s, 1, 1), "padding": (p, 0, 0), "bias": False}
        self.conv_s = nn.Conv3d(inputs, outputs, (1, k, k), **space)
        self.bn_s = _norm(outputs)
        self.conv_t = nn.Conv3d(outputs, outputs, (k, 1, 1), **time)
        self.bn_t = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn_s(self.conv_s(x)), inplace=True)
        return F.relu(self.bn_t(self.conv_t(x)), inplace=True)


class Inception(nn.Module):
    """Four branches over the same input, concatenated; `widths` as in `STAGES`."""

    def __init__(self, inputs: int, widths: tuple) -> None:
        super().__init__()
        point, (reduced1, wide1), (reduced2, wide2), pooled = widths
        self.branch0 = nn.Sequential(Pointwise(inputs, point))
        self.branch1 = nn.Sequential(
            Pointwise(inputs, reduced1), Separable(reduced1, wide1, 3)
        )
        self.branch2 = nn.Sequential(
            Pointwise(inputs, reduced2), Separable(reduced2, wide2, 3)
        )
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, 1, 1), Pointwise(inputs, pooled))
        self.outputs = point + wide1 + wide2 + pooled

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class S3D(nn.Module):
    """The network: clips (N, 3, T, H, W), T >= 13, to features and logits.

    The last block has floor(ceil(T / 4) / 2) steps in time. The published network
    averages each pair of neighbours, and then the pairs: the first and the last step
    count half, and a clip needs two steps.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        first_pool = STAGES[0][0]
        layers = [
            Separable(3, 64, 7, stride=2),
            nn.MaxPool3d(*first_pool),
            Pointwise(64, 64),
            Separable(64, 192, 3),
        ]
        width = 192
        for pool, *blocks in STAGES:
            layers.append(nn.MaxPool3d(*pool))
            for widths in blocks:
                layers.append(Inception(width, widths))
                width = layers[-1].outputs
        self.base = nn.Sequential(*layers)
        self.fc = nn.Sequential(nn.Conv3d(width, classes, 1))
        keep_signal(self)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        steps = self.base(clips).mean(dim=(3, 4))
        features = ((steps[:, :, :-1] + steps[:, :, 1:]) / 2).mean(dim=2)
        # The head is linear: that of the mean is the mean of the heads of the steps.
        logits = self.fc(features[:, :, None, None, None]).flatten(1)
        return {"features": features, "logits": logits}


def _norm(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=1e-3)

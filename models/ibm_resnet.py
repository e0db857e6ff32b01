"""The ResNets of IBM's study: 2D with or without TAM, I3D-ResNet and S3D-ResNet.

They differ in what a convolution does with time (`models.ibm_layers`), and in how time
is strided: by convolutions in the 3D networks, by poolings between the stages in 2D.
S3D-ResNet is R(2+1)D with as many channels between space and time as behind them.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from models.ibm_layers import TAM, convolutions, halve_time, outputs, pool, stem
from models.initial import keep_signal

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks of each stage, by depth."""


class Block(nn.Module):
    """A residual block: convolutions with batch norm, beside a shortcut.

    convs: the convolutions by name, in order.
    shortcut: what brings the input to the output's shape, or None where it has it.
    blend: what the convolutions' input goes through, and the shortcut's not, or None.
    """

    def __init__(
        self,
        convs: dict[str, nn.Conv3d],
        shortcut: nn.Module | None,
        blend: nn.Module | None,
    ) -> None:
        super().__init__()
        self.order = tuple(convs)
        for name, conv in convs.items():
            self.add_module(name, conv)
            self.add_module(_norm(name), nn.BatchNorm3d(conv.out_channels))
        self.downsample = shortcut
        self.tam = blend

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.tam is None else self.tam(x)
        for name in self.order:
            if name != self.order[0]:
                y = F.relu(y, inplace=True)
            y = self.get_submodule(_norm(name))(self.get_submodule(name)(y))
        y += x if self.downsample is None else self.downsample(x)
        return F.relu(y, inplace=True)


class ResNet(nn.Module):
    """The network: clips (N, channels, T, H, W) of any length to features and logits.

    kind: one of `models.ibm_layers.KINDS`.
    depth: a key of `BLOCKS`.
    time_stride: whether the last three stages halve the steps in time.
    pooling: how the kind "frames" halves them, one of `models.ibm_layers.POOLINGS`.
    depthwise: whether convolutions in time keep the channels apart ("separate").
    blend: arguments of `models.ibm_layers.TAM` before each block, or None.
    channels: 3, a frame of RGB; or another number, as 10 of 5 flows.
    """

    def __init__(
        self,
        kind: str,
        depth: int,
        classes: int,
        time_stride: bool,
        pooling: str = "max",
        depthwise: bool = False,
        blend: dict | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.pooling = pooling if kind == "frames" and time_stride else None
        self.conv1 = stem(kind, 3, channels)
        self.bn1 = nn.BatchNorm3d(64)
        width = 64
        for stage, blocks in enumerate(BLOCKS[depth], 1):
            stride = 1 if stage == 1 else 2
            layer = []
            for number in range(blocks):
                layer.append(
                    _block(
                        width,
                        32 * 2**stage,
                        basic=depth < 50,
                        stride=stride if number == 0 else 1,
                        time_stride=stride if number == 0 and time_stride else 1,
                        kind=kind,
                        depthwise=depthwise,
                        blend=blend,
                    )
                )
                width = 32 * 2**stage * (1 if depth < 50 else 4)
            self.add_module(f"layer{stage}", nn.Sequential(*layer))
        self.fc = nn.Linear(width, classes)
        keep_signal(self, mode="fan_out")

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.bn1(self.conv1(clips)), inplace=True)
        x = self.layer1(pool(x, "max", (1, 3, 3), (1, 2, 2), (0, 1, 1)))
        for layer in (self.layer2, self.layer3, self.layer4):
            x = layer(x if self.pooling is None else halve_time(x, self.pooling))
        return outputs(x, x, self.fc)


def _block(
    inputs: int,
    width: int,
    *,
    basic: bool,
    stride: int,
    time_stride: int,
    kind: str,
    depthwise: bool,
    blend: dict | None,
) -> Block:
    """A block of two convolutions of 3 x 3 (basic), or of one between two of 1 x 1."""
    wide = width if basic else 4 * width
    strides = {"stride": stride, "time_stride": time_stride}
    if basic:
        plan = [(inputs, width, 3, strides), (width, width, 3, {})]
    else:
        plan = [
            (inputs, width, 1, {}),
            (width, width, 3, strides),
            (width, wide, 1, {}),
        ]
    convs = {
        f"conv{number}{suffix}": conv
        for number, (before, behind, k, step) in enumerate(plan, 1)
        for suffix, conv in convolutions(
            kind, before, behind, k, depthwise=depthwise, **step
        ).items()
    }
    shortcut = None
    if stride > 1 or inputs != wide:
        (conv,) = convolutions(kind, inputs, wide, 1, **strides).values()
        shortcut = nn.Sequential(conv, nn.BatchNorm3d(wide))
    return Block(convs, shortcut, TAM(inputs, **blend) if blend else None)


def _norm(conv: str) -> str:
    return conv.replace("conv", "bn")

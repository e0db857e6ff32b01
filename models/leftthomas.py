"""R(2+1)D-18 and C3D of https://github.com/leftthomas/R2Plus1D-C3D, and its frames.

The papers are https://arxiv.org/abs/1711.11248 and https://arxiv.org/abs/1412.0767; the
networks differ from them, and from torchvision's, in where norms and activations
stand. Module names are those of the keys of the published weights.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from models.initial import keep_signal

CLIP = 32
"""Frames of a clip."""


def kept_every(frames: int) -> int:
    """Return n, where every n-th frame of a video is kept: 1, 2, 3 or 4.

    It is the largest n that leaves more than a clip of frames, rounded down.
    """
    return next((n for n in (4, 3, 2) if frames // n > CLIP), 1)


def central_clip(frames: int, sorted_by_name: bool = False) -> list[int]:
    """Return the 32 frame numbers of a video's one clip for validation and test.

    It is the middle of the frames that are kept. A shorter video is repeated forwards
    and backwards in turn until the clip is full.

    frames: how many the video has.
    sorted_by_name: take the kept frames in the order in which the original program
        reads their images, 0, 1, 10, 11, ..., 19, 2, 20: their names count without
        leading zeros and are sorted as text. The published weights were trained so.

    Raises ValueError for a video without frames.
    """
    if frames < 1:
        raise ValueError("a video without frames has no clip")
    every = kept_every(frames)
    kept = range(0, frames, every)
    if sorted_by_name:
        kept = [every * int(name) for name in sorted(map(str, range(len(kept))))]
    first = max(0, (len(kept) - CLIP) // 2)
    clip = list(kept[first : first + CLIP])
    there_and_back = clip + clip[::-1]
    return [there_and_back[n % len(there_and_back)] for n in range(CLIP)]


class R2Plus1D(nn.Module):
    """Clips (N, 3, T, H, W) of any length; features (N, 512), logits (N, classes)."""

    def __init__(self, layers: tuple[int, int, int, int], classes: int) -> None:
        super().__init__()
        self.feature = nn.Sequential()
        stem = Factored(3, 64, (1, 7), stride=(1, 2), inner=45)
        self.feature.add_module("conv1", stem)
        width = 64
        for stage, blocks in enumerate(layers):
            outputs = 64 * 2**stage
            self.feature.add_module(f"conv{stage + 2}", Stage(width, outputs, blocks))
            width = outputs
        self.fc = nn.Linear(width, classes)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        features = self.feature(clips).mean(dim=(2, 3, 4))
        return {"features": features, "logits": self.fc(features)}


class Stage(nn.Module):
    """Residual blocks; the first one halves all sides when it changes the width."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.block1 = Block(inputs, outputs)
        self.blocks = nn.ModuleList(Block(outputs, outputs) for _ in range(blocks - 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.block1(x)
        for block in self.blocks:
            x = block(x)
        return x


class Block(nn.Module):
    """Two factored convolutions, each with one more norm, and the shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shrinks = inputs != outputs
        stride = 2 if self.shrinks else 1
        self.conv1 = Factored(inputs, outputs, (3, 3), (stride, stride))
        self.bn1 = nn.BatchNorm3d(outputs)
        self.conv2 = Factored(outputs, outputs, (3, 3))
        self.bn2 = nn.BatchNorm3d(outputs)
        if self.shrinks:
            self.downsampleconv = Factored(inputs, outputs, (1, 1), (stride, stride))
            self.downsamplebn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.shrinks:
            x = self.downsamplebn(self.downsampleconv(x))
        return F.relu(x + y, inplace=True)


class Factored(nn.Module):
    """A convolution in space, then one in time, each normed and rectified.

    kernel, stride: (in time, in space).
    inner: width between the two; without it, the one that gives about as many weights
        as the convolution in three dimensions has.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        inner: int | None = None,
    ) -> None:
        super().__init__()
        (t, s), (step, side) = kernel, stride
        inner = inner or t * s * s * inputs * outputs // (s * s * inputs + t * outputs)
        self.spatial_conv = nn.Conv3d(
            inputs, inner, (1, s, s), (1, side, side), (0, s // 2, s // 2), bias=False
        )
        self.bn1 = nn.BatchNorm3d(inner)
        self.temporal_conv = nn.Conv3d(
            inner, outputs, (t, 1, 1), (step, 1, 1), (t // 2, 0, 0), bias=False
        )
        self.bn2 = nn.BatchNorm3d(outputs)
        keep_signal(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.spatial_conv(x)), inplace=True)
        return F.relu(self.bn2(self.temporal_conv(x)), inplace=True)


class C3D(nn.Module):
    """C3D without activations between its convolutions, and with an adaptive pool.

    Clips (N, 3, T, H, W), T >= 8, H and W >= 16; "features" (N, 8192) are the pooled
    last convolution, "fc6" and "fc7" (N, 4096) the rectified layers after it.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.feature = nn.Sequential(
            nn.Conv3d(3, 64, 3, padding=1),
            nn.MaxPool3d((1, 2, 2)),
            nn.Conv3d(64, 128, 3, padding=1),
            nn.MaxPool3d(2),
            nn.Conv3d(128, 256, 3, padding=1),
            nn.Conv3d(256, 256, 3, padding=1),
            nn.MaxPool3d(2),
            nn.Conv3d(256, 512, 3, padding=1),
            nn.Conv3d(512, 512, 3, padding=1),
            nn.MaxPool3d(2),
            nn.Conv3d(512, 512, 3, padding=1),
            nn.Conv3d(512, 512, 3, padding=1),
            nn.AdaptiveMaxPool3d((1, 4, 4)),
        )
        self.fc = nn.Sequential(
            nn.Linear(8192, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, classes),
        )
        keep_signal(self, (nn.Conv3d, nn.Linear))

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        features = self.feature(clips).flatten(1)
        fc6 = self.fc[:2](features)
        fc7 = self.fc[2:5](fc6)
        logits = self.fc[5:](fc7)
        return {"features": features, "fc6": fc6, "fc7": fc7, "logits": logits}

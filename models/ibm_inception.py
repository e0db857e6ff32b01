"""The Inceptions of IBM's study: Inception v1 with or without TAM, I3D and S3D.

Unlike DeepMind's I3D and S3D they keep all frames in the first convolution; time is
halved before the stages 3, 4 and 5, or nowhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.ibm_layers import TAM, convolutions, halve_time, outputs, pool, stem
from models.initial import keep_signal
from models.s3d import STAGES


class Unit(nn.Module):
    """Convolutions, each with batch norm and ReLU; keys of `convs` as made there."""

    def __init__(self, convs: dict[str, nn.Conv3d]) -> None:
        super().__init__()
        self.order = tuple(convs)
        for suffix, conv in convs.items():
            self.add_module(f"conv{suffix}", conv)
            norm = nn.BatchNorm3d(conv.out_channels, eps=1e-3)
            self.add_module(f"bn{suffix}", norm)

    def forward(self, x: Tensor) -> Tensor:
        for suffix in self.order:
            x = self.get_submodule(f"conv{suffix}")(x)
            x = F.relu(self.get_submodule(f"bn{suffix}")(x), inplace=True)
        return x


class Branches(nn.Module):
    """Four branches over the same input, concatenated; `widths` as in `STAGES`."""

    def __init__(self, kind: str, inputs: int, widths: tuple, depthwise: bool) -> None:
        super().__init__()
        point, (reduced1, wide1), (reduced2, wide2), pooled = widths

        def unit(wide: int, out: int, k: int) -> Unit:
            return _unit(kind, wide, out, k, depthwise)

        # The branch that was 5 x 5 in the paper is 3 x 3 here, as in most code.
        self.branch1 = unit(inputs, point, 1)
        self.branch2 = nn.Sequential(
            unit(inputs, reduced1, 1), unit(reduced1, wide1, 3)
        )
        self.branch3 = nn.Sequential(
            unit(inputs, reduced2, 1), unit(reduced2, wide2, 3)
        )
        k = (1 if kind == "frames" else 3, 3, 3)
        self.branch4 = nn.Sequential(
            nn.MaxPool3d(k, 1, tuple(side // 2 for side in k)), unit(inputs, pooled, 1)
        )
        self.outputs = point + wide1 + wide2 + pooled

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class Inception(nn.Module):
    """The network: clips (N, channels, T, H, W) to features and logits.

    kind: one of `models.ibm_layers.KINDS`.
    time_stride: whether the stages 3, 4 and 5 halve the steps in time.
    pooling: one of `models.ibm_layers.POOLINGS`: in 2D, how they are halved; in 3D, of
        all poolings but those in the branches.
    depthwise: whether convolutions in time keep the channels apart ("separate").
    blend: arguments of `models.ibm_layers.TAM` behind each unit and block, or None.
    channels: 3, a frame of RGB; or another number, as 10 of 5 flows.

    The last pooling of the kind "separate" takes pairs of steps without padding, so
    that kind needs 2 frames, 5 with strides in time, and without them loses a step.
    """

    def __init__(
        self,
        kind: str,
        classes: int,
        time_stride: bool,
        pooling: str = "max",
        depthwise: bool = False,
        blend: dict | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.kind, self.time_stride, self.pooling = kind, time_stride, pooling
        first = stem(kind, 7 if kind == "joint" else 3, channels)
        layers = {
            "conv1": Unit({"": first}),
            "conv2": _unit(kind, 64, 64, 1, depthwise),
            "conv3": _unit(kind, 64, 192, 3, depthwise),
        }
        # The layers between the poolings, by name, and what each of them gives.
        self.stages = [["conv1"], ["conv2", "conv3"]]
        widths = {"conv1": 64, "conv2": 64, "conv3": 192}
        width = 192
        for number, (_pool, *blocks) in enumerate(STAGES, 3):
            self.stages.append([])
            for letter, branches in zip("abcde", blocks, strict=False):
                name = f"inception{number}{letter}"
                layers[name] = Branches(kind, width, branches, depthwise)
                widths[name] = width = layers[name].outputs
                self.stages[-1].append(name)
        for name, layer in layers.items():
            self.add_module(name, layer)
            if blend:
                self.add_module(_tam(name), TAM(widths[name], **blend))
        self.blend = bool(blend)
        self.fc = nn.Linear(width, classes)
        keep_signal(self)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = clips
        for number, names in enumerate(self.stages, 1):
            if number > 1:
                x = self._pool_before(number, x)
            for name in names:
                x = stage = self.get_submodule(name)(x)
                if self.blend:
                    x = self.get_submodule(_tam(name))(x)
        return outputs(x, stage, self.fc)

    def _pool_before(self, stage: int, x: Tensor) -> Tensor:
        """Halve the sides before stages 2 to 5; from 3 on, the steps in time too."""
        if self.kind == "frames":
            side = 2 if stage == 5 else 3
            x = pool(x, "max", (1, side, side), (1, 2, 2), ceil=True)
            late = stage > 2 and self.time_stride
            return halve_time(x, self.pooling) if late else x
        if stage == 2:
            return pool(x, self.pooling, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        stride = (2 if self.time_stride else 1, 2, 2)
        if stage == 5 and self.kind == "separate":
            return pool(x, self.pooling, (2, 2, 2), stride)
        return pool(x, self.pooling, (3, 3, 3), stride, (1, 1, 1))


def _unit(kind: str, inputs: int, wide: int, k: int, depthwise: bool) -> Unit:
    # Convolutions in time have a bias upstream, though a batch norm follows.
    return Unit(convolutions(kind, inputs, wide, k, depthwise=depthwise, bias=True))


def _tam(layer: str) -> str:
    """conv1 is followed by tam1, inception3a by tam3a."""
    return layer.replace("conv", "tam").replace("inception", "tam")

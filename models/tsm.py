"""TSN and TSM: a 2D network on each frame, with channels shifted between the frames.

Lin et al., "TSM: Temporal Shift Module for Efficient Video Understanding"
(https://arxiv.org/abs/1811.08383), and, without shifts, Wang et al., "Temporal Segment
Networks" (https://arxiv.org/abs/1608.00859), as published by
https://github.com/mit-han-lab/temporal-shift-module; module names are those of its
checkpoints' keys. The 2D networks are torchvision's, made to take clips
(N, C, T, H, W), so that one network serves any number of frames.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual

from models.ibm_layers import FrameConv
from models.non_local import TSMNonLocal

NON_LOCAL = {"layer2": (0, 2), "layer3": (0, 2, 4)}
"""The blocks of a ResNet-50 with a non-local block behind them."""


class TSM(nn.Module):
    """Clips (N, channels, T, H, W), a step of each segment, to features and logits.

    Returns "features_per_segment" (N, T, D) and "logits_per_segment" (N, T, classes);
    "features" (N, D) and "logits" (N, classes), their means over the segments; and
    "map" (N, T, H / 32, W / 32, D), whose mean over space "features_per_segment" is.

    backbone: "mobilenet_v2", or the name of a ResNet in torchvision.
    shift: whether frames exchange channels (TSM), or not (TSN).
    non_local: whether the blocks of `NON_LOCAL` have a non-local block behind them.
    channels: 3, a frame of RGB; or another number, as 10 of 5 flows.
    """

    def __init__(
        self,
        backbone: str,
        classes: int,
        shift: bool,
        non_local: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__()
        build = _mobilenet if backbone == "mobilenet_v2" else _resnet
        self.base_model, width, firsts = build(backbone, channels)
        if shift:
            for block, name in firsts:
                block.add_module(name, Shifted(block.get_submodule(name)))
        for name, numbers in NON_LOCAL.items() if non_local else ():
            stage = self.base_model.get_submodule(name)
            for number in numbers:
                stage[number] = WithNonLocal(stage[number])
        self.new_fc = nn.Linear(width, classes)

    def convert(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights by the network's keys: MobileNetV2's classifier has two names."""
        return {
            key.replace("base_model.classifier.", "new_fc."): value
            for key, value in state.items()
        }

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = clips
        for layer in self.base_model.children():
            x = layer(x)
        features = x.mean(dim=(3, 4)).transpose(1, 2)
        logits = self.new_fc(features)
        return {
            "features": features.mean(dim=1),
            "features_per_segment": features,
            "map": x.movedim(1, -1),
            "logits_per_segment": logits,
            "logits": logits.mean(dim=1),
        }


class Shifted(nn.Module):
    """A layer whose input has an eighth of its channels from the frame behind it.

    Another eighth is from the frame before. Frames beyond the clip's ends are zeros.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        fold = x.shape[1] // 8
        behind, before, same = x.split([fold, fold, x.shape[1] - 2 * fold], dim=1)
        behind = F.pad(behind[:, :, 1:], (0, 0, 0, 0, 0, 1))
        before = F.pad(before[:, :, :-1], (0, 0, 0, 0, 1, 0))
        return self.net(torch.cat([behind, before, same], dim=1))


class WithNonLocal(nn.Module):
    """A block of a ResNet, and a non-local block behind it."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.nl = TSMNonLocal(block.bn3.num_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.nl(self.block(x))


# What is shifted: a module, and the name of the layer in it.
Places = list[tuple[nn.Module, str]]


def _resnet(name: str, channels: int) -> tuple[nn.Module, int, Places]:
    """A ResNet without its head, its width, and each block's first convolution."""
    base = getattr(torchvision.models, name)(weights=None)
    width = base.fc.in_features
    del base.avgpool, base.fc
    _take_clips(base, channels)
    stages = base.layer1, base.layer2, base.layer3, base.layer4
    # Deep networks have shifts in every second block.
    every = 2 if len(base.layer3) >= 23 else 1
    return base, width, [(b, "conv1") for stage in stages for b in stage[::every]]


def _mobilenet(name: str, channels: int) -> tuple[nn.Module, int, Places]:
    """MobileNetV2 without its head; shifts are in the blocks with a shortcut."""
    base = getattr(torchvision.models, name)(weights=None)
    del base.classifier
    _take_clips(base, channels)
    blocks = [block for block in base.features if isinstance(block, InvertedResidual)]
    for block in blocks:
        # In the published weights a block's layers stand in one sequence.
        layers = (part if len(list(part.children())) else [part] for part in block.conv)
        block.conv = nn.Sequential(*(layer for part in layers for layer in part))
    places = [(block.conv, "0") for block in blocks if block.use_res_connect]
    return base, base.last_channel, places


def _take_clips(module: nn.Module, channels: int) -> None:
    """Replace the layers of a 2D network by those that do the same to each frame.

    For other channels than RGB, the first weights are the mean of those of the colours.
    """
    for name, layer in module.named_children():
        if isinstance(layer, nn.Conv2d):
            k, stride = layer.kernel_size[0], layer.stride[0]
            inputs, weight = layer.in_channels, layer.weight.detach()
            if inputs == 3 and channels != 3:
                inputs = channels
                weight = weight.mean(1, keepdim=True).repeat(1, channels, 1, 1)
            conv = FrameConv(inputs, layer.out_channels, k, stride, layer.groups)
            conv.weight = nn.Parameter(weight.unsqueeze(2))
            module.add_module(name, conv)
        elif isinstance(layer, nn.BatchNorm2d):
            module.add_module(name, nn.BatchNorm3d(layer.num_features))
        elif isinstance(layer, nn.MaxPool2d):
            k, s, p = layer.kernel_size, layer.stride, layer.padding
            module.add_module(name, nn.MaxPool3d((1, k, k), (1, s, s), (0, p, p)))
        else:
            _take_clips(layer, channels)

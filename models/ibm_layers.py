"""What the networks of IBM's study share: convolutions, blending, pooling, the head.

Chen et al., "Deep Analysis of CNN-based Spatio-temporal Representations for Action
Recognition" (https://arxiv.org/abs/2010.11757), as published by
https://github.com/IBM/action-recognition-pytorch: module names are those of its
checkpoints' keys. All tensors are clips (N, C, T, H, W), in the 2D networks too, so
that one forward pass serves any number of frames.

A network is of one of three kinds, by what its k x k convolutions do with time:

    "frames"    nothing: k x k in each frame (2D; TSN, and TAM with blending)
    "joint"     k x k x k (I3D)
    "separate"  k x k in each frame, then k in time (S3D, R(2+1)D)
"""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KINDS = ("frames", "joint", "separate")
POOLINGS = ("max", "avg")
BLENDINGS = ("sum", "max")


class FrameConv(nn.Conv3d):
    """A k x k convolution of every frame by itself, without bias.

    In state dicts its weight is that of a 2D network, (outputs, inputs, k, k).
    """

    def __init__(
        self, inputs: int, outputs: int, k: int, stride: int = 1, groups: int = 1
    ) -> None:
        space = {"stride": (1, stride, stride), "padding": (0, k // 2, k // 2)}
        super().__init__(inputs, outputs, (1, k, k), **space, groups=groups, bias=False)
        self.register_state_dict_post_hook(_without_time)
        self.register_load_state_dict_pre_hook(_with_time)


class TAM(nn.Module):
    """Blend each frame with its neighbours: weigh, shift, combine, rectify.

    Fan et al., "More Is Less" (https://arxiv.org/abs/1912.00869). Frames beyond the
    clip's ends are zeros.

    frames: how many are blended: the middle one (of an even number the later of the
        two) with those before and behind it.
    method: one of `BLENDINGS`.
    depthwise: one weight a channel; otherwise all channels are mixed.
    """

    def __init__(
        self, channels: int, frames: int, method: str, depthwise: bool
    ) -> None:
        super().__init__()
        self.frames, self.method = frames, method
        self.groups = channels if depthwise else 1
        layers = [
            nn.ModuleDict({"fc1": FrameConv(channels, channels, 1, groups=self.groups)})
            for _ in range(frames)
        ]
        if frames == 3:
            self.prev_se, self.curr_se, self.next_se = layers
        else:
            self.blending_layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        layers = [layer for layer in self.modules() if isinstance(layer, FrameConv)]
        before = self.frames // 2
        if self.method == "sum":
            # One convolution in time, several times as fast as its frames one by one.
            kernel = torch.cat([layer.weight for layer in layers], dim=2)
            blended = F.conv3d(x, kernel, padding=(before, 0, 0), groups=self.groups)
            return F.relu(blended[:, :, : x.shape[2]])
        moved = (_later(layer(x), n - before) for n, layer in enumerate(layers))
        return F.relu(reduce(torch.maximum, moved))


def convolutions(
    kind: str,
    inputs: int,
    outputs: int,
    k: int,
    stride: int = 1,
    time_stride: int = 1,
    depthwise: bool = False,
    bias: bool = False,
) -> dict[str, nn.Conv3d]:
    """What a k x k convolution of a 2D network becomes, in the order of application.

    The keys are appended to the modules' names: "" and, for the convolution in time
    of the kind "separate", "_t"; `depthwise` and `bias` are for that one. The kind
    "frames" knows no stride in time.
    """
    s, p = stride, k // 2
    if kind == "frames":
        return {"": FrameConv(inputs, outputs, k, s)}
    if kind == "joint" or k == 1:
        step = (time_stride, s, s)
        return {"": nn.Conv3d(inputs, outputs, k, step, p, bias=False)}
    groups = outputs if depthwise else 1
    space = {"stride": (1, s, s), "padding": (0, p, p), "bias": False}
    time = {"stride": (time_stride, 1, 1), "padding": (p, 0, 0), "bias": bias}
    return {
        "": nn.Conv3d(inputs, outputs, (1, k, k), **space),
        "_t": nn.Conv3d(outputs, outputs, (k, 1, 1), **time, groups=groups),
    }


def stem(kind: str, k: int, channels: int) -> nn.Conv3d:
    """The first convolution: 7 x 7, of stride 2, in k frames (one in 2D networks)."""
    if kind == "frames":
        return FrameConv(channels, 64, 7, stride=2)
    padding = (k // 2, 3, 3)
    return nn.Conv3d(channels, 64, (k, 7, 7), (1, 2, 2), padding, bias=False)


def pool(
    x: Tensor,
    method: str,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int],
    padding: tuple[int, int, int] = (0, 0, 0),
    ceil: bool = False,
) -> Tensor:
    """Pool clips by one of `POOLINGS`; the zeros of the padding count in an average.

    ceil: also pool the rest at an axis' end.
    """
    if method == "max":
        return F.max_pool3d(x, kernel, stride, padding, ceil_mode=ceil)
    # Padded here: PyTorch's own padding refuses inputs smaller than the kernel.
    sides = [side for p in reversed(padding) for side in (p, p)]
    return F.avg_pool3d(F.pad(x, sides), kernel, stride, ceil_mode=ceil)


def halve_time(x: Tensor, method: str) -> Tensor:
    """Pool every second frame with its neighbours: T to ceil(T / 2) steps."""
    return pool(x, method, (3, 1, 1), (2, 1, 1), (1, 0, 0))


def outputs(x: Tensor, stage: Tensor, fc: nn.Linear) -> dict[str, Tensor]:
    """What all networks of the study give, from x (N, C, T', h, w) and the head.

    stage: the last stage, which is x but where a blending follows it.
    """
    steps = x.mean(dim=(3, 4)).transpose(1, 2)
    scores = fc(steps)
    return {
        "features": steps.mean(dim=1),
        "features_per_step": steps,
        "map": stage.movedim(1, -1),
        "logits_per_step": scores,
        "logits": scores.mean(dim=1),
    }


def _later(x: Tensor, steps: int) -> Tensor:
    """At each step what stands `steps` later; zeros beyond the ends."""
    padded = F.pad(x, (0, 0, 0, 0, max(-steps, 0), max(steps, 0)))
    return padded.narrow(2, max(steps, 0), x.shape[2])


def _without_time(module, state: dict, prefix: str, _metadata) -> None:
    state[f"{prefix}weight"] = state[f"{prefix}weight"].squeeze(2)


def _with_time(module, state: dict, prefix: str, *_rest) -> None:
    if f"{prefix}weight" in state:
        state[f"{prefix}weight"] = state[f"{prefix}weight"].unsqueeze(2)

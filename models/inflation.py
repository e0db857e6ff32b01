"""Weights of ImageNet's 2D networks in 3D ones: each kernel is repeated in time.

Carreira and Zisserman, "Quo Vadis, Action Recognition?"
(https://arxiv.org/abs/1705.07750): a kernel of t frames gets t times the image's kernel
divided by t, so that on a clip that stands still each step gives what the 2D network
gives of the picture; but at the clip's ends, where kernels reach over zeros.
Convolutions in time alone, which no 2D network has, begin as the identity. Networks of
flow begin with the mean of the colours' kernels, as Wang et al., "Temporal Segment
Networks" (https://arxiv.org/abs/1608.00859), do it. SlowFast's slow pathway begins as
if there were no fast one: with zeros for what comes from there. Weights that have no
likeness in 2D (the head, TAM's blending, non-local blocks, the fast pathway) keep what
they had.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

# A weight's key as patterns, in turn, and what torchvision calls it.
KEYS = {
    # TSN and TSM: without the layers that are put around those of the 2D network.
    r"^base_model\.": "",
    r"\.(net|block)\.": ".",
    # PySlowFast: the first pathway's stem, stages and blocks.
    r"^s1\.pathway0_stem\.": "",
    **{rf"^s{n + 1}\.pathway0_res": f"layer{n}." for n in (1, 2, 3, 4)},
    r"^(conv|bn)\.": r"\g<1>1.",
    r"^(layer\d\.\d+)\.branch1\.": r"\1.downsample.0.",
    r"^(layer\d\.\d+)\.branch1_bn\.": r"\1.downsample.1.",
    **{
        rf"^(layer\d\.\d+)\.branch2\.{letter}{norm}\.": rf"\1.{layer}{n}."
        for n, letter in enumerate("abc", 1)
        for norm, layer in (("", "conv"), ("_bn", "bn"))
    },
}


def inflate(network: nn.Module, images: Mapping[str, Tensor]) -> list[str]:
    """Give a network the weights of its 2D one; return the keys that keep their own.

    network: that of a card which `models.cards.imagenet` knows, on the CPU.
    images: the state dict of torchvision's network.

    Raises ValueError if a weight of the two does not fit.
    """
    state = network.state_dict()
    kept = []
    for key, own in state.items():
        image = images.get(image_key(key))
        if key.startswith(("fc.", "new_fc.")):
            image = None
        if image is not None:
            state[key] = _inflated(image, own.shape, key)
        elif re.search(r"conv\d*_t\.weight$", key):
            state[key] = nn.init.dirac_(torch.empty_like(own), _groups(own))
        elif re.search(r"conv\d*_t\.bias$", key):
            state[key] = torch.zeros_like(own)
        elif not re.search(r"bn\d*_t\.|num_batches_tracked$", key):
            kept.append(key)
    network.load_state_dict(state)
    return kept


def image_key(key: str) -> str:
    """What torchvision calls a weight in its 2D network."""
    for pattern, name in KEYS.items():
        key = re.sub(pattern, name, key)
    block = re.fullmatch(r"features\.(\d+)\.conv\.(\d+)\.(\w+)", key)
    if not block:
        return key
    # MobileNetV2: a convolution, its norm and its activation are one there, except for
    # the last convolution, which has no activation. The first block has one less.
    stage, layer, part = int(block[1]), int(block[2]), block[3]
    last = 3 if stage == 1 else 6
    place = f"{layer // 3}.{layer % 3}" if layer < last else layer - last + last // 3
    return f"features.{stage}.conv.{place}.{part}"


def _inflated(image: Tensor, shape: torch.Size, key: str) -> Tensor:
    """The image's weight in a shape: of more frames, their sum the same."""
    if image.dim() == 4:
        image = _with_inputs(image, shape[1], fused="pathway0" in key)
    if image.dim() == 4 and len(shape) == 5:
        frames = shape[2]
        image = (image / frames).unsqueeze(2).expand(-1, -1, frames, -1, -1)
    if image.shape != shape:
        raise ValueError(f"{key} is {tuple(shape)}, the image's {tuple(image.shape)}")
    return image.clone()


def _with_inputs(image: Tensor, inputs: int, fused: bool) -> Tensor:
    """A kernel for flow in place of colours; or for more inputs behind the image's."""
    colours = image.shape[1] == 3
    if colours and inputs != 3:
        return image.mean(dim=1, keepdim=True).expand(-1, inputs, -1, -1)
    more = inputs - image.shape[1]
    if fused and more > 0:
        zeros = image.new_zeros(len(image), more, *image.shape[2:])
        return torch.cat([image, zeros], dim=1)
    return image


def _groups(weight: Tensor) -> int:
    """The groups of a convolution in time: as many as channels, or one."""
    return len(weight) if weight.shape[1] == 1 else 1

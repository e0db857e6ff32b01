"""Weights of ImageNet's 2D networks in 3D ones: each kernel is repeated in time.

Carreira and Zisserman, "Quo Vadis, Action Recognition?"
(https://arxiv.org/abs/1705.07750): a kernel of t frames gets t times the image's kernel
divided by t, so that on a clip that stands still each step gives what the 2D network
gives of the picture; but at the clip's ends, where kernels reach over zeros.
Convolutions in time alone, which no 2D network has, begin as the identity. Weights that
have no likeness in 2D (the head, TAM's blending, non-local blocks) keep what they had.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def inflate(network: nn.Module, images: Mapping[str, Tensor]) -> list[str]:
    """Give a network the weights of its 2D one; return the keys that keep their own.

    network: that of a card which `models.cards.imagenet` knows, on the CPU.
    images: the state dict of torchvision's network.

    Raises ValueError if a weight of the two does not fit.
    """
    state = network.state_dict()
    kept = []
    for key, own in state.items():
        image = images.get(_image_key(key))
        if key.startswith(("fc.", "new_fc.")):
            image = None
        if image is not None:
            state[key] = _repeated(image, own.shape, key)
        elif re.search(r"conv\d*_t\.weight$", key):
            state[key] = nn.init.dirac_(torch.empty_like(own), _groups(own))
        elif re.search(r"conv\d*_t\.bias$", key):
            state[key] = torch.zeros_like(own)
        elif not re.search(r"bn\d*_t\.|num_batches_tracked$", key):
            kept.append(key)
    network.load_state_dict(state)
    return kept


def _image_key(key: str) -> str:
    """What torchvision calls a weight: without the layers that are put around it."""
    return re.sub(r"\.(net|block)\.", ".", key.removeprefix("base_model."))


def _repeated(image: Tensor, shape: torch.Size, key: str) -> Tensor:
    """The weight of one frame in as many as the shape has, their sum the same."""
    if image.dim() == 4 and len(shape) == 5:
        frames = shape[2]
        image = (image / frames).unsqueeze(2).expand(-1, -1, frames, -1, -1)
    if image.shape != shape:
        raise ValueError(f"{key} is {tuple(shape)}, the image's {tuple(image.shape)}")
    return image.clone()


def _groups(weight: Tensor) -> int:
    """The groups of a convolution in time: as many as channels, or one."""
    return len(weight) if weight.shape[1] == 1 else 1

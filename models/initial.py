"""The weights with which networks begin that have no checkpoint."""

from torch import nn


def keep_signal(
    network: nn.Module,
    layers: tuple[type[nn.Module], ...] = (nn.Conv3d,),
    mode: str = "fan_in",
) -> None:
    """Draw the weights of layers so that the signal keeps its size on its way.

    He et al., "Delving Deep into Rectifiers" (https://arxiv.org/abs/1502.01852).
    PyTorch's own default shrinks it layer by layer: with random weights, features would
    hardly depend on the clip.

    mode: "fan_in" keeps the signal's size forwards, "fan_out" that of gradients.
    """
    for module in network.modules():
        if isinstance(module, layers):
            nn.init.kaiming_normal_(module.weight, mode=mode)

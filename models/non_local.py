"""Non-local blocks, as PySlowFast and the authors of TSM publish them.

Wang et al., "Non-local Neural Networks" (https://arxiv.org/abs/1711.07971): every place
at every step sees all others, and adds a mix of them to itself. The two differ in how
the others are weighed and pooled, and in the names of the weights.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class SlowFastNonLocal(nn.Module):
    """PySlowFast's (https://github.com/facebookresearch/SlowFast), of half the width.

    Clips (N, width, T, H, W) to the same.

    softmax: weigh the others by a softmax; otherwise by the products over their number.
    pool: sides of the pool of the others, (time, height, width).
    """

    def __init__(self, width: int, softmax: bool, pool: tuple[int, int, int]) -> None:
        super().__init__()
        self.softmax, self.pool = softmax, tuple(pool)
        self.conv_theta = nn.Conv3d(width, width // 2, 1)
        self.conv_phi = nn.Conv3d(width, width // 2, 1)
        self.conv_g = nn.Conv3d(width, width // 2, 1)
        self.conv_out = nn.Conv3d(width // 2, width, 1)
        self.bn = nn.BatchNorm3d(width)
        # Before any training, as it was published, the block changes nothing: products
        # of random features would grow without bound.
        nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool3d(x, self.pool)
        query, key = _tokens(self.conv_theta(x)), _tokens(self.conv_phi(pooled))
        value = _tokens(self.conv_g(pooled))
        if self.softmax:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            mixed = query @ key.transpose(1, 2) / key.shape[1] @ value
        return x + self.bn(self.conv_out(_clips(mixed, x)))


class TSMNonLocal(nn.Module):
    """TSM's (https://github.com/mit-han-lab/temporal-shift-module), of half the width.

    Clips (N, width, T, H, W) to the same. It is the paper's embedded Gaussian: a
    softmax of products that are not scaled.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        pool = nn.MaxPool3d((1, 2, 2))
        self.theta = nn.Conv3d(width, inner, 1)
        self.phi = nn.Sequential(nn.Conv3d(width, inner, 1), pool)
        self.g = nn.Sequential(nn.Conv3d(width, inner, 1), pool)
        self.W = nn.Sequential(nn.Conv3d(inner, width, 1), nn.BatchNorm3d(width))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            _tokens(self.theta(x)),
            _tokens(self.phi(x)),
            _tokens(self.g(x)),
        )
        mixed = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return x + self.W(_clips(mixed, x))


def _tokens(x: Tensor) -> Tensor:
    """Clips (N, C, T, H, W) as tokens (N, T * H * W, C)."""
    return x.flatten(2).transpose(1, 2)


def _clips(tokens: Tensor, like: Tensor) -> Tensor:
    """Tokens (N, T * H * W, C) as clips of the steps and sides of another."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[2:])

"""Reversible MViT: two streams of tokens, each changed by what is made of the other.

Mangalam et al., "Reversible Vision Transformers" (https://arxiv.org/abs/2302.04869), as
published by https://github.com/facebookresearch/SlowFast; module names are those of its
checkpoints' keys. Reversibility saves memory in training; here it is only a form.
"""

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from models.mvit import positions

EPS = 1e-6
"""Of all layer norms."""


class RevMViT(nn.Module):
    """Clips (N, 3, T, H, W) to features (N, 16 * width) and logits (N, classes).

    "features" is the mean of the two last streams' tokens behind the norm. Clips of any
    length and size are taken, as in `models.mvit.MViT`.

    depth: the number of blocks.
    stages: the blocks with which the second to fourth stage begin.
    frames, size: the network's own length and side, in pixels.
    width: of the first block; it doubles with each stage.
    """

    def __init__(
        self,
        depth: int,
        stages: tuple[int, int, int],
        frames: int,
        classes: int,
        size: int = 224,
        width: int = 96,
    ) -> None:
        super().__init__()
        self.side = size // 4
        self.pos_embed_spatial = nn.Parameter(torch.empty(1, self.side**2, width))
        self.pos_embed_temporal = nn.Parameter(torch.empty(1, frames // 2, width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv3d(3, width, (3, 7, 7), (2, 4, 4), (1, 3, 3))
        blocks = []
        heads, kv_stride = 1, 2 ** len(stages)
        for number in range(depth):
            if number in stages:
                heads, kv_stride = 2 * heads, kv_stride // 2
                blocks.append(Transition(width, heads, kv_stride))
                width *= 2
            else:
                blocks.append(Block(width, heads, kv_stride))
        self.rev_backbone = nn.Module()
        self.rev_backbone.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(2 * width, eps=EPS)
        self.head = nn.Module()
        self.head.projection = nn.Linear(2 * width, classes)
        for name, parameter in self.named_parameters():
            if name.startswith("pos_embed"):
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = self.patch_embed.proj(clips)
        sides = tuple(x.shape[2:])
        time, space = self.pos_embed_temporal[0], self.pos_embed_spatial[0]
        places = positions(time, space, (self.side, self.side), sides)
        x = x.flatten(2).transpose(1, 2) + places
        first = second = x
        for block in self.rev_backbone.layers:
            first, second, sides = block(first, second, sides)
        features = self.norm(torch.cat([first, second], dim=2)).mean(dim=1)
        return {"features": features, "logits": self.head.projection(features)}


class Block(nn.Module):
    """Attention to the second stream goes to the first, and an MLP of that to it."""

    def __init__(self, width: int, heads: int, kv_stride: int) -> None:
        super().__init__()
        self.F = Normed("attn", Attention(width, width, heads, None, kv_stride), width)
        self.G = Normed("mlp", MLP(width), width)

    def forward(
        self, first: Tensor, second: Tensor, sides: tuple
    ) -> tuple[Tensor, Tensor, tuple]:
        first = first + self.F.attn(self.F.norm(second), sides)[0]
        second = second + self.G.mlp(self.G.norm(first))
        return first, second, sides


class Transition(nn.Module):
    """The streams' mean at half the height and width, and twice as wide, as both."""

    def __init__(self, width: int, heads: int, kv_stride: int) -> None:
        super().__init__()
        wide = 2 * width
        self.F = Normed("attn", Attention(width, wide, heads, 2, kv_stride), width)
        self.G = Normed("mlp", MLP(wide), wide)
        self.res_proj = nn.Linear(width, wide)

    def forward(
        self, first: Tensor, second: Tensor, sides: tuple
    ) -> tuple[Tensor, Tensor, tuple]:
        x = (first + second) / 2
        attention = self.F.attn
        shortcut, _ = attention.pool("q", attention.split(self.res_proj(x)), sides)
        attended, sides = attention(self.F.norm(x), sides)
        x = attention.join(shortcut) + attended
        x = x + self.G.mlp(self.G.norm(x))
        return x, x, sides


class Attention(nn.Module):
    """Attention of pooled queries to pooled keys and values.

    q_stride, kv_stride: of the poolings in height and width; None for no pooling.
    """

    def __init__(
        self, inputs: int, width: int, heads: int, q_stride: int | None, kv_stride: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(inputs, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        dim = width // heads
        for name, stride in {"q": q_stride, "k": kv_stride, "v": kv_stride}.items():
            if stride:
                shape = {"stride": (1, stride, stride), "padding": 1, "groups": dim}
                pool = nn.Conv3d(dim, dim, 3, **shape, bias=False)
                self.add_module(f"pool_{name}", pool)
                self.add_module(f"norm_{name}", nn.LayerNorm(dim, eps=EPS))

    def forward(self, x: Tensor, sides: tuple) -> tuple[Tensor, tuple]:
        """Return the tokens (N, tokens, width), and the (T, H, W) in which they lie."""
        q, k, v = (self.split(part) for part in self.qkv(x).chunk(3, dim=2))
        (k, _), (v, _) = self.pool("k", k, sides), self.pool("v", v, sides)
        if hasattr(self, "pool_q"):
            q, sides = self.pool("q", q, sides)
        x = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(self.join(x)), sides

    def split(self, x: Tensor) -> Tensor:
        """(N, tokens, width) to (N, heads, tokens, width of a head)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def join(self, x: Tensor) -> Tensor:
        """The inverse of `split`."""
        return x.transpose(1, 2).flatten(2)

    def pool(self, name: str, x: Tensor, sides: tuple) -> tuple[Tensor, tuple]:
        """Pool the tokens of each head as those of `name`: "q", "k" or "v"."""
        volume = x.flatten(0, 1).transpose(1, 2).unflatten(2, sides)
        volume = self.get_submodule(f"pool_{name}")(volume)
        tokens = volume.flatten(2).transpose(1, 2).unflatten(0, x.shape[:2])
        return self.get_submodule(f"norm_{name}")(tokens), tuple(volume.shape[2:])


class MLP(nn.Module):
    """Two linear layers with GELU between them, the inner one four times as wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Normed(nn.Module):
    """A layer under its name, and the norm of its input."""

    def __init__(self, name: str, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.add_module(name, layer)

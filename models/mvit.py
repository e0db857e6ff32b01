"""MViT: a transformer over clips that pools its tokens from stage to stage.

Fan et al., "Multiscale Vision Transformers" (https://arxiv.org/abs/2104.11227), and Li
et al., "MViTv2" (https://arxiv.org/abs/2112.01526). The networks are torchvision's; the
weights are those of https://github.com/facebookresearch/SlowFast, whose keys `convert`
maps to torchvision's.
"""

import re
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.video import mvit

# PySlowFast's keys as patterns, and what torchvision calls them.
KEYS = {
    r"^patch_embed\.proj\.": "conv_proj.",
    r"^cls_token$": "pos_encoding.class_token",
    r"^pos_embed_(spatial|temporal|class)$": r"pos_encoding.\1_pos",
    r"\.attn\.proj\.": ".attn.project.0.",
    r"\.attn\.pool_([qkv])\.weight$": r".attn.pool_\1.pool.weight",
    r"\.attn\.norm_([qkv])\.": r".attn.pool_\1.norm_act.0.",
    r"\.mlp\.fc1\.": ".mlp.0.",
    r"\.mlp\.fc2\.": ".mlp.3.",
    r"^(blocks\.\d+)\.proj\.": r"\1.project.",
    r"^head\.projection\.": "head.1.",
}


class MViT(mvit.MViT):
    """Clips (N, 3, T, H, W) to features (N, 8 * width) and logits (N, classes).

    "features" is the class token behind the last norm. Clips of any length and size
    are taken; at another than the network's own, embeddings of positions are
    interpolated, as PySlowFast does it when it loads weights of another size.

    version: 1, or 2 with relative positions, pooled residuals, and widths that double
        in the attention instead of behind it.
    depth: the number of blocks.
    stages: the blocks with which the second to fourth stage begin.
    frames, size: the network's own length and side, in pixels.
    width, heads: of the first block; they double with each stage.
    kernel: of all poolings; None for one above the stride, and none in time.
    """

    def __init__(
        self,
        version: int,
        depth: int,
        stages: Sequence[int],
        frames: int,
        classes: int,
        size: int = 224,
        width: int = 96,
        heads: int = 1,
        kernel: Sequence[int] | None = (3, 3, 3),
    ) -> None:
        super().__init__(
            spatial_size=(size, size),
            temporal_size=frames,
            block_setting=[
                _block(n, version, stages, width, heads, kernel) for n in range(depth)
            ],
            residual_pool=version == 2,
            residual_with_cls_embed=False,
            rel_pos_embed=version == 2,
            proj_after_attn=version == 2,
            num_classes=classes,
        )
        self.version = version

    def convert(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights by torchvision's keys, from PySlowFast's; others stay.

        Older files of the first version do not pool keys and values where that would
        not make them fewer. This network then does not either.
        """
        converted = {}
        for key, value in state.items():
            for pattern, own in KEYS.items():
                key = re.sub(pattern, own, key)
            # PySlowFast's have leading axes of size 1.
            value = value.squeeze() if key.startswith("pos_encoding.") else value
            converted[key] = value
        for number, block in enumerate(self.blocks if self.version == 1 else ()):
            pools = f"blocks.{number}.attn.pool_k.", f"blocks.{number}.attn.pool_v."
            pooled = any(key.startswith(pools) for key in converted)
            if block.attn.pool_k and set(block.attn.pool_k.pool.stride) == {1}:
                block.attn.pool_k = block.attn.pool_k if pooled else None
                block.attn.pool_v = block.attn.pool_v if pooled else None
        return converted

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = self.conv_proj(clips)
        sides = tuple(x.shape[2:])
        own = self.pos_encoding
        token = own.class_token.expand(len(x), 1, -1)
        x = torch.cat([token, x.flatten(2).transpose(1, 2)], dim=1)
        if self.version == 1:
            places = positions(
                own.temporal_pos, own.spatial_pos, own.spatial_size, sides
            )
            x = x + torch.cat([own.class_pos[None], places])
        for block in self.blocks:
            x, sides = block(x, sides)
        features = self.norm(x[:, 0])
        return {"features": features, "logits": self.head(features)}


def positions(
    time: Tensor, space: Tensor, own: tuple[int, int], sides: tuple[int, int, int]
) -> Tensor:
    """The embeddings of T x H x W places, (T * H * W, width): those of time and space.

    time: (steps, width).
    space: (h * w, width), where (h, w) is `own`.
    sides: (T, H, W); where they differ, time is interpolated linearly, space cubically.
    """
    if len(time) != sides[0]:
        time = F.interpolate(time.T[None], sides[0], mode="linear")[0].T
    if own != sides[1:]:
        grid = space.T.unflatten(1, own)[None]
        grid = F.interpolate(grid, sides[1:], mode="bicubic")
        space = grid[0].flatten(1).T
    return (time[:, None] + space).flatten(0, 1)


def _block(
    number: int,
    version: int,
    stages: Sequence[int],
    width: int,
    heads: int,
    kernel: Sequence[int] | None,
) -> mvit.MSBlockConfig:
    """What a block does with its width, and how it pools."""

    def stage(block: int) -> int:
        return sum(first <= block for first in stages)

    # The block in which the width doubles: the stage's first, or the one before it.
    before, after = (number - 1, number) if version == 2 else (number, number + 1)
    first = number in stages
    stride_q = [1, 2, 2] if first else [1, 1, 1]
    stride_kv = [1] + [2 ** (len(stages) - stage(number))] * 2
    pools_q = first or version == 2
    return mvit.MSBlockConfig(
        num_heads=heads * 2 ** stage(number),
        input_channels=width * 2 ** stage(before),
        output_channels=width * 2 ** stage(after),
        kernel_q=_kernel(kernel, stride_q) if pools_q else [],
        kernel_kv=_kernel(kernel, stride_kv),
        stride_q=stride_q if pools_q else [],
        stride_kv=stride_kv,
    )


def _kernel(kernel: Sequence[int] | None, stride: list[int]) -> list[int]:
    if kernel is None:
        return [s + 1 if s > 1 else 1 for s in stride]
    return list(kernel)

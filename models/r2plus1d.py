"""R(2+1)D: ResNets whose convolutions are factored into space and time.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition"
(https://arxiv.org/abs/1711.11248); network and weights are torchvision's.
"""

from torch import Tensor, nn
from torchvision.models.video.resnet import (
    BasicBlock,
    Conv2Plus1D,
    R2Plus1dStem,
    VideoResNet,
)

from models.cards import Card, Checkpoint, Feature, Resize
from models.classes import class_names
from models.zoo import register


class R2Plus1D(VideoResNet):
    """torchvision's network, which returns the input of `fc` as well as its output.

    Clips (N, 3, T, H, W) of any length; features (N, 512) and logits (N, classes).
    """

    def __init__(self, layers: tuple[int, int, int, int], classes: int) -> None:
        super().__init__(
            BasicBlock, [Conv2Plus1D] * 4, list(layers), R2Plus1dStem, classes
        )

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = self.stem(clips)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        features = self.avgpool(x).flatten(1)
        return {"features": features, "logits": self.fc(features)}


@register(
    Card(
        name="r2plus1d_18_k400",
        aliases=("r21d/r2plus1d_18_16_kinetics", "r2plus1d_18_16_kinetics"),
        frames=16,
        stride=1,
        fps=None,
        # In frames of any aspect ratio: the network was trained on frames that
        # were squeezed into this shape.
        resize=Resize(exact=(128, 171)),
        crop=112,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
        features={
            "features": Feature(512, "last stage averaged over space and time"),
            "logits": Feature(400, "class scores before softmax"),
        },
        checkpoint=Checkpoint(
            urls=("https://download.pytorch.org/models/r2plus1d_18-91a641e6.pth",),
            page="https://docs.pytorch.org/vision/stable/models/video_resnet.html",
            file="r2plus1d_18-91a641e6.pth",
            size="120 MiB",
            layout="state dict",
            licence="BSD-3-Clause",
            sha256="91a641e6",
        ),
        source="https://github.com/pytorch/vision",
        paper="https://arxiv.org/abs/1711.11248",
        # Of 5 clips per video at 15 fps (torchvision's protocol).
        published={"kinetics400 top-1": 67.463, "kinetics400 top-5": 86.175},
    )
)
def r2plus1d_18_k400(card: Card) -> nn.Module:
    """R(2+1)D with 18 layers."""
    return R2Plus1D((2, 2, 2, 2), classes=len(class_names(card.classes)))

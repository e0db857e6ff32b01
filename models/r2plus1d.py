"""R(2+1)D: ResNets whose convolutions are factored into space and time.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition"
(https://arxiv.org/abs/1711.11248); network and weights are torchvision's.
"""

from torch import Tensor
from torchvision.models.video.resnet import (
    BasicBlock,
    Conv2Plus1D,
    R2Plus1dStem,
    VideoResNet,
)


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

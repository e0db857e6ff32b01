"""R(2+1)D: ResNets whose convolutions are factored into space and time.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition"
(https://arxiv.org/abs/1711.11248). The network is torchvision's; weights of 34 layers
come from Caffe2 (https://github.com/moabitcoin/ig65m-pytorch), where it differs in two
details.
"""

from torch import Tensor, nn
from torchvision.models.video.resnet import (
    BasicBlock,
    Conv2Plus1D,
    R2Plus1dStem,
    VideoResNet,
)


class OwnWidth(Conv2Plus1D):
    """A factored convolution whose inner width follows from its own two widths.

    In torchvision, the second one of a block takes that of the first, which is too
    small where the block doubles its width.
    """

    def __init__(
        self, inputs: int, outputs: int, _: int, stride: int = 1, padding: int = 1
    ) -> None:
        inner = 27 * inputs * outputs // (9 * inputs + 3 * outputs)
        super().__init__(inputs, outputs, inner, stride, padding)


class R2Plus1D(VideoResNet):
    """torchvision's network, which returns the input of `fc` as well as its output.

    Clips (N, 3, T, H, W) of any length; features (N, 512) and logits (N, classes).
    With `caffe2`, inner widths are `OwnWidth`'s, and eps is Caffe2's.
    """

    def __init__(
        self, layers: tuple[int, int, int, int], classes: int, caffe2: bool = False
    ) -> None:
        convolution = OwnWidth if caffe2 else Conv2Plus1D
        super().__init__(
            BasicBlock, [convolution] * 4, list(layers), R2Plus1dStem, classes
        )
        if caffe2:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.eps = 1e-3

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = self.stem(clips)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        features = self.avgpool(x).flatten(1)
        return {"features": features, "logits": self.fc(features)}

"""R(2+1)D's variants, with torchvision's weights."""

from models.cards.base import Card, Checkpoint, Feature, Resize

CARDS = (
    Card(
        name="r2plus1d_18_k400",
        network="models.r2plus1d:R2Plus1D",
        arguments={"layers": (2, 2, 2, 2), "classes": 400},
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
    ),
)

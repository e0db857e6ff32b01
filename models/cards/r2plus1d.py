"""R(2+1)D's variants: torchvision's of 18 layers, and IG-65M's of 34."""

from dataclasses import replace

from models.cards.base import Card, Checkpoint, Feature, Resize

KINETICS = Card(
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
)


def _ig65m(frames: int, digest: str, published: dict[str, float]) -> Card:
    """34 layers, trained on 65 million videos of Instagram, fine-tuned on Kinetics."""
    page = "https://github.com/moabitcoin/ig65m-pytorch"
    upstream = f"r2plus1d_34_{frames}_ig65m_ft_kinetics"
    file = f"r2plus1d_34_clip{frames}_ft_kinetics_from_ig65m-{digest}.pth"
    return replace(
        KINETICS,
        name=f"r2plus1d_34_{frames}_k400",
        arguments={"layers": (3, 4, 6, 3), "classes": 400, "caffe2": True},
        aliases=(f"r21d/{upstream}", upstream),
        frames=frames,
        checkpoint=Checkpoint(
            urls=(f"{page}/releases/download/v1.0.0/{file}",),
            page=f"{page}/releases/tag/v1.0.0",
            file=file,
            size="about 255 MB",
            layout="state dict",
            licence="MIT",
            sha256=digest,
        ),
        source=page,
        published=published,
    )


CARDS = (
    KINETICS,
    # The first as video_features states it, the second as the Caffe2 original does.
    _ig65m(32, "ade133f1", {"kinetics400 top-1": 79.10}),
    _ig65m(8, "0aa0550b", {"kinetics400 top-1": 74.9, "kinetics400 top-5": 91.8}),
)

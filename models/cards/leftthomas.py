"""R(2+1)D-18 and C3D of leftthomas/R2Plus1D-C3D, trained on three datasets.

They were trained on every 4th frame of long videos, and on closer ones of short videos
(`models.leftthomas.kept_every`): the stride here is that of a dataset's usual videos.
The original program shuffles the frames in time by sorting their images' names as
text; the weights were trained so, and the published accuracies come from it. Here time
is in order; `models.leftthomas.central_clip` has both orders.
"""

from dataclasses import replace

from models.cards.base import Card, Checkpoint, Feature, Resize

R2PLUS1D = Card(
    name="r2plus1d_18_ucf101_leftthomas",
    network="models.leftthomas:R2Plus1D",
    arguments={"layers": (2, 2, 2, 2), "classes": 101},
    aliases=("r2plus1d_c3d/ucf101_r2plus1d",),
    frames=32,
    stride=4,
    fps=None,
    resize=Resize(height=(128, 112), filter="opencv"),
    crop=112,
    half_pixels="down",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    colour="BGR",
    features={
        "features": Feature(512, "last stage averaged over space and time"),
        "logits": Feature(101, "class scores before softmax"),
    },
    classes="ucf101",
    checkpoint=Checkpoint(
        urls=(),  # a person has to give the code
        page="https://pan.baidu.com/s/1uz-g1HEehY5uziycbXNC8A (access code: ducr)",
        file="ucf101_r2plus1d.pth",
        size="about 133 MB",
        layout="state dict",
        licence="none stated",
    ),
    source="https://github.com/leftthomas/R2Plus1D-C3D",
    paper="https://arxiv.org/abs/1711.11248",
    published={"ucf101 top-1": 63.6},
)

C3D = replace(
    R2PLUS1D,
    name="c3d_ucf101_leftthomas",
    network="models.leftthomas:C3D",
    arguments={"classes": 101},
    aliases=("r2plus1d_c3d/ucf101_c3d",),
    min_frames=8,
    features={
        "features": Feature(8192, "last convolution, its maxima at 4 x 4 places"),
        "fc6": Feature(4096, "first linear layer after ReLU"),
        "fc7": Feature(4096, "second linear layer after ReLU"),
        "logits": Feature(101, "class scores before softmax"),
    },
    checkpoint=replace(R2PLUS1D.checkpoint, file="ucf101_c3d.pth", size="about 314 MB"),
    paper="https://arxiv.org/abs/1412.0767",
    published={"ucf101 top-1": 51.63},
)


def _trained_on(
    dataset: str, card: Card, classes: int, stride: int, published: dict[str, float]
) -> Card:
    """The same network for another dataset than UCF101."""
    logits = replace(card.features["logits"], dim=classes)
    file = card.checkpoint.file.replace("ucf101", dataset)
    return replace(
        card,
        name=card.name.replace("ucf101", dataset.replace("kinetics", "k")),
        arguments={**card.arguments, "classes": classes},
        aliases=(card.aliases[0].replace("ucf101", dataset),),
        stride=stride,
        features={**card.features, "logits": logits},
        classes=dataset,
        checkpoint=replace(card.checkpoint, file=file),
        published=published,
    )


CARDS = (
    R2PLUS1D,
    C3D,
    _trained_on("hmdb51", R2PLUS1D, 51, stride=2, published={"hmdb51 top-1": 24.97}),
    _trained_on("hmdb51", C3D, 51, stride=2, published={}),
    _trained_on("kinetics600", R2PLUS1D, 600, stride=4, published={}),
    _trained_on("kinetics600", C3D, 600, stride=4, published={}),
)

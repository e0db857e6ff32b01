"""S3D's variants: one network, fed as its author does or as video_features does."""

from dataclasses import replace

from models.cards.base import Card, Checkpoint, Feature, Resize

_DRIVE = (
    "https://drive.google.com/uc?export=download&id=1IysdsJI7UuWazoxFyYvrbO97Lz_EP5H-"
)
_TORCHIFIED = (
    "https://raw.githubusercontent.com/v-iashin/video_features/master/"
    "models/s3d/checkpoint/S3D_kinetics400_torchified.pt"
)

# As its author evaluates it: pixels in [-1, 1].
AUTHORS = Card(
    name="s3d_k400",
    network="models.s3d:S3D",
    arguments={"classes": 400},
    aliases=("s3d_kylemin/s3d_kylemin",),
    frames=64,
    stride=1,
    fps=25,
    min_frames=13,
    resize=Resize(short=224),
    crop=224,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    features={
        "features": Feature(
            1024, "last Inception block, averaged over space and time, before fc"
        ),
        "logits": Feature(400, "class scores before softmax"),
    },
    checkpoint=Checkpoint(
        urls=(_DRIVE, _TORCHIFIED),
        page="https://github.com/kylemin/S3D",
        file="S3D_kinetics400.pt",
        size="about 33 MB",
        layout="state dict, its keys under DataParallel's module.",
        licence="MIT",
    ),
    source="https://github.com/kylemin/S3D",
    paper="https://arxiv.org/abs/1712.04851",
    published={"kinetics400 top-1": 72.08, "kinetics400 top-5": 90.35},
)

# The same weights as video_features feeds them: pixels in [0, 1].
VIDEO_FEATURES = replace(
    AUTHORS,
    name="s3d_k400_video_features",
    aliases=("s3d_kylemin/s3d_video_features",),
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    checkpoint=replace(
        AUTHORS.checkpoint,
        urls=(_TORCHIFIED, _DRIVE),
        page="https://github.com/v-iashin/video_features",
        file="S3D_kinetics400_torchified.pt",
        layout="state dict",
    ),
    source="https://github.com/v-iashin/video_features",
    published={},  # that program publishes features, and no accuracy
)

CARDS = (AUTHORS, VIDEO_FEATURES)

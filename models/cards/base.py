"""What the zoo knows about a variant, as frozen data.

A `Card` says everything that decides a model's features: the window of frames, how
frames become the network's input, what comes out, and where the weights are
published. Nothing here imports torch. A card is checked when it is made, and
`Card.as_dict` is plain JSON, because the card is stored beside the features that it
explains.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FILTERS = {
    "bilinear": "bilinear without antialiasing on float pixels, between their centres",
    "opencv": "bilinear without antialiasing at 8 bits, as cv2.resize does it",
    "pillow": "bilinear with antialiasing at 8 bits, as PIL's Image.resize does it",
}
"""The resize filters; all are bilinear."""

SAMPLINGS = {
    "dense": "frames that are `stride` apart, from anywhere in the video",
    "uniform": "the whole video in as many parts as the window has frames, one of each",
}
"""The ways to take a window from a video."""

CHANNELS = {"RGB": 3, "BGR": 3, "flow": 2}
"""The colour orders of clips with their channels; flow is (u, v)."""


@dataclass(frozen=True)
class Resize:
    """How frames are resized before the crop: by one of the first three fields.

    short: the short side becomes `short` pixels; the long side keeps the aspect
        ratio, rounded down to a whole pixel.
    exact: frames become (height, width); the aspect ratio is ignored.
    height: (height, least width): frames get this height, and the width keeps the
        aspect ratio, rounded down. Where it would be below the least, the first
        number becomes the width, and the height keeps the ratio.
    filter: a key of `FILTERS`.
    """

    short: int | None = None
    exact: tuple[int, int] | None = None
    height: tuple[int, int] | None = None
    filter: str = "bilinear"

    def __post_init__(self) -> None:
        rules = (self.short, self.exact, self.height)
        _require(
            sum(rule is not None for rule in rules) == 1,
            "give short or exact or height",
        )
        _require(self.smallest > 0, "the resized frame must have pixels")
        _require(self.filter in FILTERS, f"no filter {self.filter!r}")

    @property
    def smallest(self) -> int:
        """The shortest side that a resized frame can have, in pixels."""
        return self.short or min(self.exact or self.height)


@dataclass(frozen=True)
class Feature:
    """One output of a model for each window: a vector of `dim` numbers, or many.

    axes: what stands before the vector's axis: "time" for one vector a step, and the
        sides of a map for a card's crop, as in ("time", 7, 7).
    """

    dim: int
    meaning: str
    axes: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        _require(self.dim > 0, f"a feature of {self.dim} numbers")
        _require(
            all(axis == "time" or isinstance(axis, int) for axis in self.axes),
            f"axes are 'time' or numbers, not {self.axes}",
        )
        _require(bool(self.meaning), "a feature needs a meaning")


NEVER = "never published"
"""The size of weights that nobody published; what the author's program makes fits."""


@dataclass(frozen=True)
class Checkpoint:
    """A file of published weights.

    urls: direct addresses of the file, tried in this order; may be empty.
    page: the page that a person opens to find the file.
    file: the name under which the file is kept.
    size: its size in words, for messages ("120 MiB"), or `NEVER`.
    layout: what is in it ("state dict", "state dict under DataParallel's module.").
    licence: the terms of the repository that publishes it.
    sha256: its SHA-256 in hexadecimal, or the first 8 or more digits where no more
        is known (PyTorch puts 8 into file names); None where nobody published one.
    """

    urls: tuple[str, ...]
    page: str
    file: str
    size: str
    layout: str
    licence: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        for url in (*self.urls, self.page):
            _require(bool(re.match(r"https?://.", url)), f"not an HTTP address: {url}")
        _require(
            bool(re.fullmatch(r"\w[\w.-]*", self.file)), f"not a file name: {self.file}"
        )
        _require(
            self.sha256 is None or bool(re.fullmatch("[0-9a-f]{8,64}", self.sha256)),
            f"not a SHA-256 or the first 8 or more digits of one: {self.sha256}",
        )


@dataclass(frozen=True)
class Flow:
    """The optical flow that a network was trained on, or that its author feeds it.

    algorithm: as the workflow calls it: "tvl1", "farneback" or a name of
        `models.cards.raft`.
    bound: pixels of motion to either side that a clip's 0 and 1 stand for.
    """

    algorithm: str
    bound: float

    def __post_init__(self) -> None:
        _require(self.bound > 0, "the bound of flow is positive")


@dataclass(frozen=True)
class Card:
    """One variant of the zoo.

    name: how the project calls it, `<network>_<classes>` with a suffix if needed.
    network: what builds it, as "module:function", imported when a model is created.
    arguments: what the builder is called with.
    aliases: the names that upstream programs use, resolved by `models.resolve`.
    frames: frames of one window.
    stride: distance between neighbouring frames of a window, in frames of the video.
    consecutive: neighbouring frames (of flow) that stand for each of the window's: a
        clip has frames * consecutive, and the network sees one step for each window's
        frame, whose channels are those of its neighbours one by one (u1, v1, u2, ...).
    sampling: how its author takes a window: a key of `SAMPLINGS`.
    fps: frame rate that the video must have, or None: the video's own.
    min_frames: the shortest clip that the network accepts.
    resize, crop: a frame is resized, then cropped to crop x crop from the centre.
    half_pixels: what becomes of a crop's offset that ends in a half: "even" takes the
        even neighbour, "down" the lower one, "up" the upper one.
    mean, std: per channel, for pixels in [0, 1]; the extractor applies them itself.
    colour: order of the channels, a key of `CHANNELS`.
    flow: which flow the network takes; None where it takes pictures.
    features: what the extractor returns, by name; always "features" and "logits".
    classes: name of the class list that the logits follow (`models.class_names`).
    published: accuracy in percent as published, by a label that says of what.
    """

    name: str
    network: str
    arguments: Mapping[str, Any] = field(hash=False)
    aliases: tuple[str, ...]
    frames: int
    stride: int
    fps: float | None
    resize: Resize
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    features: Mapping[str, Feature] = field(hash=False)
    checkpoint: Checkpoint
    source: str
    paper: str
    published: Mapping[str, float] = field(hash=False)
    classes: str = "kinetics400"
    colour: str = "RGB"
    flow: Flow | None = None
    half_pixels: str = "even"
    sampling: str = "dense"
    min_frames: int = 1
    consecutive: int = 1

    def __post_init__(self) -> None:
        def require(fact: bool, message: str) -> None:
            _require(fact, f"card {self.name!r}: {message}")

        require(bool(re.fullmatch(r"[a-z0-9_]+", self.name)), "use a-z, 0-9 and _")
        require(
            bool(re.fullmatch(r"[\w.]+:\w+", self.network)), "network is module:name"
        )
        require(len(set(self.aliases)) == len(self.aliases), "an alias stands twice")
        require(self.frames > 0 and self.stride > 0, "frames and stride are 1 or more")
        require(1 <= self.min_frames <= self.frames, "min_frames is in 1..frames")
        require(self.consecutive > 0, "consecutive is 1 or more")
        require(self.fps is None or self.fps > 0, "fps is positive or None")
        require(0 < self.crop <= self.resize.smallest, "crop fits the resized frame")
        require(self.colour in CHANNELS, f"colour is one of {', '.join(CHANNELS)}")
        require(
            (self.colour == "flow") == (self.flow is not None),
            "what takes flow says which, and nothing else does",
        )
        require(
            len(self.mean) == len(self.std) == CHANNELS[self.colour],
            "mean and std are per channel",
        )
        require(min(self.std) > 0, "std is positive")
        require(
            self.half_pixels in ("even", "down", "up"),
            "half_pixels is even, down or up",
        )
        require(self.sampling in SAMPLINGS, "sampling is dense or uniform")
        for name in ("features", "logits"):
            require(name in self.features, f"features has no {name!r}")
        for label, value in self.published.items():
            require(0 <= value <= 100, f"published {label!r} is a percentage")

    def as_dict(self) -> dict:
        """The card as nested dicts, lists, strings and numbers: plain JSON."""
        return json.loads(json.dumps(asdict(self)))


def _require(fact: bool, message: str) -> None:
    if not fact:
        raise ValueError(message)

"""From an entry of the config to features: what is asked for, and its computation."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np

import models
from scripts.common.engine import devices
from scripts.common.engine.parts import Part
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.engine.windows import Sampling, Unsuited
from scripts.common.flow import making
from scripts.common.tables import Failure, Row

LIBRARIES = ("torch", "torchvision", "torchcodec", "numpy", "h5py")
# The value of `read` for which dumped pictures take the place of clips.
FRAMES = "frames"
# The value of `stack` for which a whole video is one window.
WHOLE = "video"
# Who picks frames from all of a video by another rule than the middles of its parts.
PICKS = {
    "https://github.com/IBM/action-recognition-pytorch": "drawn",
    "https://github.com/facebookresearch/SlowFast": "rounded",
}
# Class lists of which several may be true of one video.
MULTI_LABEL = frozenset({"ava", "charades"})
# Results that may wait for the writer: it is to lag behind a little, not to hoard.
UNWRITTEN = 4


@dataclass(frozen=True)
class Model:
    """A model that is to be run.

    Attributes:
        options: complete (see `complete`).
        checkpoint: file of weights; None for random ones.
        batch_size: windows at a time; None: as many as the device's memory takes.
        compiled: by torch.compile.
        flow_checkpoint: file of weights of a network that makes the flow it takes.
        flow_batch_size: frames between which flow is made at a time.
    """

    options: dict
    checkpoint: str | None
    batch_size: int | None = None
    compiled: bool = False
    flow_checkpoint: str | None = None
    flow_batch_size: int = 8


def card_of(model: str, clips: Mapping | None) -> models.Card:
    """Return a model's card; of a network trained here, with the clips it learnt from.

    clips: of the ticket of its weights.

    Raises:
        Unsuited: the network that learnt is another one.
    """
    card = models.card(model)
    if clips is None:
        return card
    if clips["frames"] < card.min_frames:
        raise Unsuited(
            f"the checkpoint learnt from {clips['frames']} frames, and {model} needs"
            f" {card.min_frames} or more: it is of another model"
        )
    known = {name: clips[name] for name in ("frames", "stride", "sampling", "fps")}
    return replace(card, published={}, **known)


def complete(options: dict, weights: str, clips: Mapping | None = None) -> dict:
    """Return the options with the model's own values where they are null.

    Args:
        options: a model entry of the config.
        weights: sha256 of the checkpoint, or what the random weights are.
        clips: what the network learnt from, if it was trained here (see the ticket).

    Raises:
        Unsuited: as of `card_of`; or there is a step, and a window is all of a video.
    """
    card = card_of(options["model"], clips)
    # Who says how far apart frames are does not want them spread.
    spread = card.sampling == "uniform" and options["stride"] is None
    stack = options["stack"] or (WHOLE if spread else card.frames)
    if stack == WHOLE and options["step"]:
        raise Unsuited(
            f"a window of {card.name} is all of a video; say its frames by `stack`, or"
            " leave `step` out"
        )
    stride = options["stride"] or (1 if spread else card.stride)
    step = options["step"] or (1 if stack == WHOLE else stack * stride)
    own = {"stack": stack, "stride": stride, "step": step, "weights": weights}
    if spread:
        own |= {"picked": card.frames, "pick": PICKS.get(card.source, "middle")}
    if clips and clips["size"] != card.crop:
        own["size"] = clips["size"]
    first = options.get("first", 0)
    if card.flow:
        # Frame 0 has no flow that leads to it.
        own |= {"first": max(1, first), "consecutive": card.consecutive}
    asked = options.get("fps", "model")
    fps = {"model": card.fps, "source": None}.get(asked, asked)
    return options | {"first": first} | own | {"fps": fps}


def sampling_of(options: dict) -> Sampling:
    """Return the windows that complete options ask for."""
    names = ("stride", "step", "tail", "fps", "picked", "pick", "clips", "spread")
    names += ("first", "consecutive")
    given = {name: options[name] for name in names if name in options}
    stack = None if options["stack"] == WHOLE else options["stack"]
    return Sampling(stack=stack, **given)


def provenance(options: dict) -> dict:
    """Return all that made the features, for the attributes of the HDF5 file."""
    card = models.card(options["model"]).as_dict()
    libraries = {name: version(name) for name in LIBRARIES}
    return options | {"card": card, "software": libraries}


def compute(
    tasks: Iterable[tuple[Row, tuple[str, ...]]],
    asked: Mapping[str, Model],
    threads: int,
    stopwatch: Stopwatch,
) -> Iterator[tuple[str, Row, Part | Failure]]:
    """Yield, by model and video, its arrays part by part, or why there are none.

    Args:
        tasks: videos, each with the names of the models to run on it.
        asked: the models by name; all of them take pictures, or all the same flow.
        threads: of this job.
        stopwatch: told where the time goes.

    Raises:
        windows.Unsuited: a model cannot take what it would get.
    """
    with devices.own_gpu():
        with stopwatch.measured("load"):
            # Importing torch takes seconds, and starts CUDA: not before there is work.
            from scripts.common.engine import extraction, networks

            runs = {
                name: (
                    extractor_of(model),
                    extraction.Settings(
                        sampling_of(model.options),
                        outputs_of(model.options),
                        model.options["precision"],
                        model.options["dtype"],
                        model.batch_size,
                        model.compiled,
                        views_of(model.options)["crops"],
                    ),
                )
                for name, model in asked.items()
            }
        device = networks.default_device()
        on_gpu = {model.options["decoder"] for model in asked.values()} == {"gpu"}
        machine = extraction.Machine(device, threads)
        with _reader(asked, device if on_gpu else "cpu") as read:
            yield from extraction.extract(tasks, runs, machine, stopwatch, read)


def _reader(
    asked: Mapping[str, Model], decoder: str
) -> AbstractContextManager[Callable]:
    """Return what gives the frames, or the flow, that the models take of a video.

    Raises:
        Unsuited: a model takes flow, and gets pictures.
    """
    from scripts.common.engine import decoding, dumped

    model = next(iter(asked.values()))
    flow = model.options.get("flow")
    if flow is None:
        for name in (model.options["model"] for model in asked.values()):
            if models.card(name).flow:
                raise Unsuited(f"{name} takes optical flow, and gets pictures")
        if model.options.get("read") == FRAMES:
            return dumped.dumped()
        return nullcontext(partial(decoding.read_pieces, device=decoder))
    from scripts.common.flow import reading

    if flow["dump"]:
        own = {n: m for n, m in asked.items() if not m.options["flow"]["any"]}
        cards = {name: models.card(m.options["model"]) for name, m in own.items()}
        return reading.stored(cards)
    return nullcontext(
        reading.computed(
            making.estimator(flow, model.flow_checkpoint),
            flow["bound"],
            model.flow_batch_size,
            decoder,
            flow.get("short_side"),
        )
    )


def extractor_of(model: Model) -> "models.Extractor":
    """Return the network of a model, which takes crops of the size of its views."""
    from scripts.common.training.augmentation import seen_at

    extractor = models.create(model.options["model"], model.checkpoint)
    card = seen_at(extractor.card, None, model.options.get("size"))
    size = views_of(model.options)["size"]
    extractor.card = replace(card, crop=size or card.crop)
    return extractor


def outputs_of(options: dict) -> tuple[str, ...]:
    """Return what complete options ask a network for; for scores, its logits alone."""
    names = [] if "views" in options else ["features"]
    return tuple(dict.fromkeys([*names, *options["features"]]))


def views_of(options: dict) -> dict:
    """Return the views that complete options ask for; of features there is one."""
    return options.get("views", {"crops": 1, "size": None})


def class_names(ticket: dict) -> tuple[str, ...]:
    """Return the names of a model's classes, in the order of its logits.

    ticket: of its weights; those of a network trained here name their classes.
    """
    card = models.card(ticket["model"])
    own = ticket.get("classes")
    return tuple(own or models.class_names(card.classes, card.features["logits"].dim))


def probabilities(logits: np.ndarray, ticket: dict) -> np.ndarray:
    """Return the probabilities of classes, float64 (…, classes).

    Each by itself where several may be true of one video, else all add up to 1.

    Args:
        logits: (…, classes).
        ticket: of the model's weights.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if "classes" not in ticket and models.card(ticket["model"]).classes in MULTI_LABEL:
        return 1 / (1 + np.exp(-logits))
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def written(
    results: Iterator[tuple], write: Callable[..., object], stopwatch: Stopwatch
) -> Iterator:
    """Yield `write(*result)` of each result, done by one thread beside their making."""
    pending: deque[Future] = deque()

    def timed(*result):
        with stopwatch.measured("write"):
            return write(*result)

    with ThreadPoolExecutor(1) as writer, closing(results):
        for result in results:
            pending.append(writer.submit(timed, *result))
            while pending and (pending[0].done() or len(pending) > UNWRITTEN):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

"""Mistakes that no schema can tell: names that refer to nothing, keys that clash."""

from collections.abc import Iterator

import models
from models.cards import imagenet
from scripts.common.config.datasets import mistakes_in_datasets
from scripts.common.config.needs import listed_frames, parameters_of
from scripts.common.config.schema import unless_known
from scripts.common.flow.kinds import mismatch

# Formats of lists that name folders of frames, or files of clips, and nothing else; and
# those that name clips where no frames are dumped.
OF_FRAMES = frozenset({"tsn", "mmaction2_rawframes", "3d_resnets"})
OF_CLIPS = frozenset({"pyslowfast", "mmaction2_videos", "torchvision"})
OF_EITHER = frozenset({"ibm", "ibm_flow"})


def mistakes(config: dict) -> Iterator[str]:
    """Yield a line for each mistake; put the zoo's names in place of the originals'."""
    for section in ("models", "trainings"):
        for name, entry in config[section].items():
            try:
                entry["model"] = models.resolve(entry["model"])
            except models.UnknownModel as error:
                yield f"{section}.{name}.model: {error}"
    for name, entry in config["models"].items():
        yield from _mistakes_in_model(f"models.{name}", entry, config["flow"])
        yield from _mistakes_in_reading(f"models.{name}", entry, config["frames"])
    for name, entry in config["trainings"].items():
        yield from _mistakes_in_choice(f"trainings.{name}", entry, config)
        yield from _mistakes_in_training(f"trainings.{name}", entry)
    yield from _mistakes_in_streams(config["streams"], config["models"])
    yield from _mistakes_in_encodings(config)
    yield from _mistakes_in_lists(config)
    for name, entry in config["flow"].items():
        own = parameters_of(entry["algorithm"])
        for other in sorted({"tvl1", "farneback", "raft"} & entry.keys() - {own}):
            yield f"flow.{name}.{other}: the algorithm is '{entry['algorithm']}'"
    yield from mistakes_in_datasets(config["datasets"])
    for section in ("evaluations", "probes"):
        for name, entry in config[section].items():
            yield from _mistakes_in_judging(f"{section}.{name}", entry, config)
    for name, entry in config["evaluations"].items():
        yield from _mistakes_in_evaluation(f"evaluations.{name}", entry, config)
    for name, entry in config["probes"].items():
        model = config["models"].get(entry["model"])
        kept = {"features", *(model["features"] if model else [entry["feature"]])}
        yield from unless_known(
            f"probes.{name}.feature", entry["feature"], sorted(kept), "stored of it"
        )


def _mistakes_in_evaluation(place: str, entry: dict, config: dict) -> Iterator[str]:
    """Yield views that cannot be, and datasets from which a network did not learn."""
    views, model = entry["views"], config["models"].get(entry["model"])
    card = _card_of(model) if model else None
    if views["sampling"] == "windows" and views["clips"]:
        yield f"{place}.views.clips: a video has as many as windows"
    if views["size"] and card and views["size"] > card.resize.smallest:
        yield (
            f"{place}.views.size: frames are resized to {card.resize.smallest} pixels"
        )
    training = config["trainings"].get(entry["model"])
    if training and not model:
        learnt = training["datasets"] or config["datasets"]
        for name in entry["datasets"] or config["datasets"]:
            if name not in learnt:
                yield f"{place}.datasets: '{entry['model']}' is not trained on '{name}'"


def _mistakes_in_judging(place: str, entry: dict, config: dict) -> Iterator[str]:
    """Yield names in an evaluation or a probe that refer to nothing."""
    known, kind = list(config["models"]), "an entry of `models`"
    if place.startswith("evaluations"):
        known, kind = [*known, *config["trainings"]], f"{kind} or `trainings`"
    yield from unless_known(f"{place}.model", entry["model"], known, kind)
    yield from _mistakes_in_choice(place, entry, config)


def _mistakes_in_choice(place: str, entry: dict, config: dict) -> Iterator[str]:
    """Yield chosen datasets, or sets of their splits, that are not there."""
    for name in entry["datasets"] or []:
        yield from unless_known(
            f"{place}.datasets", name, list(config["datasets"]), "a dataset"
        )
    for name in entry["datasets"] or config["datasets"]:
        dataset = config["datasets"].get(name)
        if dataset and entry["splits"]:
            yield from unless_known(
                f"{place}.splits",
                entry["splits"],
                list(dataset["splits"]),
                f"a set of splits of '{name}'",
            )


def _mistakes_in_encodings(config: dict) -> Iterator[str]:
    read = {"lists.encoding": config["lists"]["encoding"]}
    for section in ("models", "flow", "trainings"):
        for name, entry in config[section].items():
            read[f"{section}.{name}.encoding"] = entry["encoding"]
    named = [
        *read.items(),
        *(("frames.encodings", name) for name in config["frames"]["encodings"]),
    ]
    for place, encoding in named:
        yield from unless_known(
            place, encoding, list(config["encodings"]), "an encoding"
        )


def _mistakes_in_lists(config: dict) -> Iterator[str]:
    """Yield formats that name what there is no file or folder of."""
    lists, encoding = config["lists"], config["lists"]["encoding"]
    formats, of_clips = set(lists["formats"]), OF_CLIPS
    if not listed_frames(config):
        of_clips = OF_CLIPS | OF_EITHER
        remedy = f"dump those of '{encoding}' under `frames: encodings`"
        if config["frames"]["layout"] != "folders":
            remedy = "keep them in folders: `frames: layout`"
        for form in sorted(OF_FRAMES & formats):
            yield f"lists.formats: '{form}' names frames; {remedy}"
    # A name that is none of them is a mistake of its own.
    if config["encodings"].get(encoding, {}).get("layout") == "tar":
        for form in sorted(of_clips & formats):
            yield (
                f"lists.formats: '{form}' names files of clips, and those of"
                f" '{encoding}' are in tars; take `parquet`, or keep them in folders:"
                f" `encodings: {encoding}: layout`"
            )


def _card_of(entry: dict) -> models.Card | None:
    """Return the card of an entry's model; None where the zoo has no such model."""
    try:
        return models.card(entry["model"])
    except models.UnknownModel:
        return None


def _mistakes_in_model(place: str, entry: dict, flow: dict) -> Iterator[str]:
    card = _card_of(entry)
    if card is None:
        return
    for feature in entry["features"]:
        yield from unless_known(
            f"{place}.features", feature, list(card.features), "a feature of it"
        )
    stack = entry["stack"]
    if isinstance(stack, int) and card.sampling == "dense" and stack < card.min_frames:
        yield f"{place}.stack: {entry['model']} needs {card.min_frames} frames or more"
    spread = card.sampling == "uniform" and stack is entry["stride"] is None
    if entry["step"] and (spread or stack == "video"):
        yield f"{place}.step: a window is all of a video; say its frames by `stack`"
    yield from _mistakes_in_flow(place, entry, card, flow)


def _mistakes_in_flow(
    place: str, entry: dict, card: models.Card, flow: dict
) -> Iterator[str]:
    name = entry["flow"]
    if card.flow is None:
        if name is not None:
            yield f"{place}.flow: {entry['model']} takes pictures, and no flow"
        return
    if name is None:
        yield f"{place}: {entry['model']} takes flow; give `flow`, a name under `flow`"
    elif name not in flow:
        yield from unless_known(f"{place}.flow", name, list(flow), "under `flow`")
    else:
        made = flow[name]
        wrong = mismatch(card, made["algorithm"], made["bound"])
        if wrong and not entry["any_flow"]:
            yield f"{place}.flow: {wrong}; `any_flow: true` takes it all the same"
        if entry["encoding"] != made["encoding"]:
            yield (
                f"{place}.encoding: the flow '{name}' is of the clips"
                f" '{made['encoding']}'; leave the key out"
            )


def _mistakes_in_reading(place: str, entry: dict, frames: dict) -> Iterator[str]:
    if entry["read"] == "clips":
        return
    if entry["flow"] is not None:
        yield f"{place}.read: with `flow` it reads no pictures; leave the key out"
    elif entry["encoding"] not in frames["encodings"]:
        yield (
            f"{place}.read: the frames of '{entry['encoding']}' are not dumped; add it"
            " under `frames: encodings`"
        )


def _mistakes_in_streams(streams: dict, entries: dict) -> Iterator[str]:
    for name, joined in streams.items():
        if name in entries:
            yield f"streams.{name}: a model has this name; give another"
        for model in joined:
            yield from unless_known(
                f"streams.{name}", model, list(entries), "under `models`"
            )
        known = [model for model in joined if model in entries]
        windows = [_windows_of(entries[model]) for model in known]
        for model, other in zip(known[1:], windows[1:], strict=True):
            first = windows[0]
            for key in (key for key in first if key in other):
                if first[key] != other[key]:
                    yield (
                        f"streams.{name}: `{key}` is {first[key]} of '{known[0]}', and"
                        f" {other[key]} of '{model}'; give both the same"
                    )


def _windows_of(entry: dict) -> dict:
    """Return what decides about a model's windows; nothing where there is no model."""
    card = _card_of(entry)
    if card is None:
        return {}
    stack, stride = entry["stack"] or card.frames, entry["stride"] or card.stride
    return {
        "first": max(entry["first"], int(card.flow is not None)),
        "stack": stack,
        "stride": stride,
        "step": entry["step"] or (stack if stack == "video" else stack * stride),
        "tail": entry["tail"],
        "fps": {"model": card.fps, "source": None}.get(entry["fps"], entry["fps"]),
    }


def _mistakes_in_training(place: str, entry: dict) -> Iterator[str]:
    card = _card_of(entry)
    if card is None:
        return
    if card.colour == "flow":
        yield f"{place}.model: {card.name} takes flow, and training has pictures"
    if entry["frames"] and entry["frames"] < card.min_frames:
        yield f"{place}.frames: {card.name} needs {card.min_frames} frames or more"
    if entry["checkpoint"] == "imagenet":
        try:
            imagenet.image_network(card)
        except imagenet.NotInflatable as error:
            yield f"{place}.checkpoint: {error}"
    if entry["batch_size"] % (entry["accumulate"] * entry["devices"]):
        yield (
            f"{place}.batch_size: {entry['batch_size']} cannot be divided among"
            f" {entry['devices']} devices, and `accumulate: {entry['accumulate']}`"
        )
    if entry["scale"][0] > entry["scale"][1]:
        yield f"{place}.scale: the least comes first"

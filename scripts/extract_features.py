"""Extract the features of videos with a model of the zoo.

For a shard of a dataset (what the workflow runs):
    Input:  the manifest of the clips, or of the flow, and the ticket of the model's
            weights.
    Output: <manifest without .tsv>.h5 with a group for each video, the manifest, and
            <manifest without .tsv>.times.tsv, which says where the time went.

For a few videos at a prompt:
    python -m scripts.extract_features --model s3d_k400 --show-pred a.mp4 b.mkv
    python -m scripts.extract_features --model s3d_k400 folder paths.txt
    python -m scripts.extract_features --model i3d_flow_k400 --flow tvl1 a.mp4
writes s3d_k400.h5 (see --output) and prints the most likely classes of each window.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

import models
from scripts.common import cli, files, runner, store
from scripts.common.engine import features
from scripts.common.engine.arguments import (
    add_engine_arguments,
    add_flow_arguments,
    add_model_arguments,
    add_window_arguments,
    batch_size,
    fps,
)
from scripts.common.engine.feature_shards import Shard, extract_shard
from scripts.common.engine.features import Model
from scripts.common.engine.parts import VideoWriter
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.engine.windows import Unsuited
from scripts.common.flow import making
from scripts.common.flow.kinds import mismatch
from scripts.common.ids import SlugTooLong
from scripts.common.sources import typed
from scripts.common.tables import Failure, Row
from scripts.fetch_checkpoint import ticket


def users_mistakes() -> tuple[type[Exception], ...]:
    """Return what a person at a prompt can get wrong; anything else is a bug.

    Asked for when something is wrong: naming the errors of checkpoints imports torch.
    """
    return (
        models.UnknownModel,
        models.CheckpointError,
        models.CheckpointUnavailable,
        FileNotFoundError,
        SlugTooLong,
        store.NotFeatures,
        Unsuited,
    )


def named(paths: list[Path]) -> list[Row]:
    """Return a row for each file, by its name; by its path where names are shared."""
    names = [path.name for path in paths]
    unique = len(set(names)) == len(names)
    return [Row(path.name if unique else str(path), path=str(path)) for path in paths]


def extract_videos(arguments: argparse.Namespace) -> int:
    """Extract the features of a few videos into one file; return the exit status."""
    name = models.resolve(arguments.model)
    output = arguments.output or Path(f"{name}.h5")
    if output.exists():
        store.provenance(output)  # refuses to replace a file that is not ours
    rows = named(list(dict.fromkeys(typed(arguments.videos))))
    weights = ticket(name, arguments.checkpoint, arguments.cache)
    card = models.card(name)
    flow, flow_file = flow_asked(card, arguments)
    wanted = ["features", *arguments.features, *["logits"] * arguments.show_pred]
    options = features.complete(
        {
            "model": name,
            "fps": arguments.fps,
            "stack": arguments.stack,
            "stride": arguments.stride,
            "step": arguments.step,
            "tail": arguments.tail,
            "features": list(dict.fromkeys(wanted)),
            "precision": arguments.precision,
            "dtype": "float32",
            "decoder": arguments.decoder,
            "first": arguments.first,
            **flow,
        },
        weights["weights"],
        weights.get("clips"),
    )
    for feature in options["features"]:
        if feature not in card.features:
            sys.exit(f"error: {name} gives {', '.join(card.features)}, no '{feature}'")
    if weights["file"] is None:
        print("note: random weights; features and classes mean nothing")
    speed = arguments.batch_size, arguments.compile
    model = Model(options, weights["file"], *speed, flow_file)
    failed, stopwatch = 0, Stopwatch()
    tasks = [(row, (name,)) for row in rows]
    computed = features.compute(tasks, {name: model}, arguments.threads, stopwatch)
    with (
        files.atomic(output) as temporary,
        store.h5py.File(temporary, "w") as file,
        closing(computed) as results,
    ):
        file.attrs.update(store.attributes(features.provenance(options)))
        writers: dict[str, VideoWriter] = {}
        for _, row, result in results:
            if isinstance(result, Failure):
                failed += 1
                if row.id in writers:
                    del file[writers[row.id].group.name]
                print(f"{row.id}: {result.reason}: {result}", file=sys.stderr)
                continue
            if row.id not in writers:
                writers[row.id] = VideoWriter(file, row.id, "")
            writers[row.id].add(result)
            if result.is_last:
                video = writers[row.id].group
                windows, width = video["features"].shape
                several = "s" * (windows != 1)
                print(f"{row.id}: {windows} window{several} of {width} numbers")
                if arguments.show_pred:
                    print_classes(video, weights)
    print(f"features are in {output}; {stopwatch}")
    return 1 if failed else 0


def flow_asked(
    card: models.Card, arguments: argparse.Namespace
) -> tuple[dict, str | None]:
    """Return the options that say which flow a model gets, and the file of weights.

    Frames are resized to the model's own size before, as flow is in pixels of them.

    Raises:
        Unsuited: the model takes flow and gets none, or the other way round.
    """
    if card.flow is None or arguments.flow is None:
        if card.flow is None and arguments.flow is None:
            return {}, None
        takes = "pictures, no --flow" if arguments.flow else "flow: give --flow"
        raise Unsuited(f"{card.name} takes {takes}")
    if wrong := mismatch(card, arguments.flow, card.flow.bound):
        print(f"note: {wrong}")
    flow = {
        "algorithm": arguments.flow,
        "bound": card.flow.bound,
        "parameters": {},
        "short_side": card.resize.smallest,
        "dump": False,
    }
    found = {"file": None, "weights": None}
    if arguments.flow in making.CARDS:
        found = ticket(arguments.flow, arguments.flow_checkpoint, arguments.cache)
    return {"flow": making.complete(flow, found["weights"])}, found["file"]


def print_classes(video: Mapping, weights: dict, most: int = 5) -> None:
    """Print the most likely classes of each window with their probabilities.

    video: its arrays, `logits` (windows, classes) and `timestamps` (windows, 2).
    weights: the ticket of the model's.
    """
    names = features.class_names(weights)
    scores = features.probabilities(video["logits"][()], weights)
    for (start, end), window in zip(video["timestamps"], scores, strict=True):
        print(f"  {start:.2f} s to {end:.2f} s")
        for number in np.argsort(-window, kind="stable")[:most]:
            print(f"    {window[number]:.3f}  {names[number]}")


def parser() -> argparse.ArgumentParser:
    """Return the parser for videos at a prompt."""
    result = cli.command(
        "extract_features",
        __doc__,
        "For a shard: --table --manifest --options --ticket"
        " [--retry --threads --batch-size --compile].",
    )
    result.add_argument(
        "videos",
        type=Path,
        nargs="+",
        metavar="VIDEO",
        help="any video file, a folder of videos, or a .txt file with one path a line",
    )
    add_model_arguments(result)
    result.add_argument(
        "--output", type=Path, help="HDF5 file to write (default: MODEL.h5)"
    )
    result.add_argument(
        "--show-pred", action="store_true", help="print the classes of each window"
    )
    result.add_argument(
        "--features",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAME,…",
        help="further tensors to store; `python -m models NAME` shows them",
    )
    add_window_arguments(result, tail="drop")
    result.add_argument(
        "--flow",
        choices=making.ALGORITHMS,
        help="what makes the flow, for a model that takes it",
    )
    result.add_argument(
        "--flow-checkpoint",
        default="published",
        help="weights of RAFT, likewise",
    )
    result.add_argument(
        "--fps",
        type=fps,
        default="model",
        help="frames per second to take: `model` (default), `source` (the video's own),"
        " or a number",
    )
    result.add_argument(
        "--first",
        type=int,
        default=0,
        metavar="N",
        help="frame with which windows begin (default: 0; of flow, 1)",
    )
    result.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="arithmetic of the network (default: float32)",
    )
    result.add_argument(
        "--decoder",
        choices=("cpu", "gpu"),
        default="cpu",
        help="`gpu` decodes with NVDEC, whose colours differ a little (default: cpu)",
    )
    add_engine_arguments(result)
    return result


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard, or on the videos of the command line."""
    argv = sys.argv[1:] if argv is None else argv
    if not any(argument.startswith("--table") for argument in argv):
        arguments = parser().parse_args(argv)
        try:
            sys.exit(extract_videos(arguments))
        except users_mistakes() as error:
            sys.exit(f"error: {error}")
    shard_parser = cli.command("extract_features", __doc__)
    runner.add_job_arguments(shard_parser)
    shard_parser.add_argument("--ticket", type=Path, required=True)
    add_engine_arguments(shard_parser)
    add_flow_arguments(shard_parser)
    shard_parser.add_argument(
        "--together",
        type=json.loads,
        default=[],
        metavar="JSON",
        help="models to run on the same frames where they lack something: `options`,"
        " `ticket`, `manifest`, `batch_size` and `compile` of each",
    )
    arguments = shard_parser.parse_args(argv)
    job = runner.job_from("extract_features", arguments)
    flow = arguments.flow_ticket, arguments.flow_batch_size
    own = Shard(job, arguments.ticket, arguments.batch_size, arguments.compile, *flow)
    others = [
        Shard(
            replace(job, manifest=Path(each["manifest"]), options=each["options"]),
            Path(each["ticket"]),
            batch_size(str(each["batch_size"])),
            each["compile"],
            *flow,
        )
        for each in arguments.together
        if Path(each["ticket"]).exists()
    ]
    try:
        extract_shard(own, others)
    except Unsuited as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

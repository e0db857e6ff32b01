"""Show what a model sees in a video: its most likely classes over time.

    python -m scripts.infer --model s3d_k400 video.mp4
    python -m scripts.infer --model s3d_k400 video.mp4 --output picture.png
    python -m scripts.infer --model tsm_resnet50_k400_8seg --stack 32 --step 8 \\
        video.mp4 --output annotated.mp4

Prints the most likely classes of each window, and those of the whole video. A picture
shows the classes over time under a strip of frames; a video has the class of each
window written into it. Models that spread their frames over a video have one window,
unless `--stack` says how many frames each takes in. `--checkpoint` takes what
`train_model` has written, too.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import models
from scripts.common import cli, files, members
from scripts.common.engine import features
from scripts.common.engine.arguments import add_model_arguments, add_window_arguments
from scripts.common.engine.features import Model
from scripts.common.engine.parts import joined
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.engine.windows import Unsuited
from scripts.common.judging import captions, charts
from scripts.common.tables import Failure, Row
from scripts.fetch_checkpoint import ticket

# What a person can get wrong; anything else is a bug and shows itself.
USERS_MISTAKES = (
    models.UnknownModel,
    models.CheckpointError,
    models.CheckpointUnavailable,
    FileNotFoundError,
    Failure,
    Unsuited,
)
# Suffixes of what can be written.
PICTURES, VIDEOS = {".png", ".jpg", ".pdf", ".svg"}, {".mp4", ".mkv", ".mov"}


@dataclass(frozen=True)
class Seen:
    """What a model sees in a video.

    Attributes:
        times: float64 (windows, 2), begin and end in seconds.
        values: float64 (windows, classes), probabilities.
        names: of the classes.
    """

    times: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]

    def first(self, most: int) -> np.ndarray:
        """Return the numbers of the classes with the highest means, best first."""
        return np.argsort(-self.values.mean(axis=0), kind="stable")[:most]

    def of_window(self, window: int, most: int) -> list[tuple[str, float]]:
        """Return a window's most likely classes with their probabilities."""
        values = self.values[window]
        best = np.argsort(-values, kind="stable")[:most]
        return [(self.names[number], float(values[number])) for number in best]

    def spans(self) -> np.ndarray:
        """Return the times for which windows are shown: none longer than to the next.

        float64 (windows, 2).
        """
        ends = np.minimum(self.times[:-1, 1], self.times[1:, 0])
        return np.column_stack([self.times[:, 0], [*ends, self.times[-1, 1]]])


def look(video: Path, weights: dict, asked: dict, threads: int) -> Seen:
    """Run a model on a video.

    Args:
        video: any file that ffmpeg reads.
        weights: the ticket of the model's.
        asked: `stack`, `stride`, `step` and `tail`, null where the model decides.
        threads: of the decoding, and of the network on a CPU.

    Raises:
        Failure: the video cannot be read.
        Unsuited: the model takes something else than pictures, or not such windows.
    """
    fixed = {"precision": "float32", "dtype": "float32", "decoder": "cpu"}
    options = features.complete(
        {"model": weights["model"], "features": ["logits"], **fixed, **asked},
        weights["weights"],
        weights.get("clips"),
    )
    tasks = [(Row(str(video), path=str(video)), ("model",))]
    model = {"model": Model(options, weights["file"])}
    ((_, _, result),) = joined(features.compute(tasks, model, threads, Stopwatch()))
    if isinstance(result, Failure):
        raise result
    values = features.probabilities(result["logits"], weights)
    return Seen(result["timestamps"], values, features.class_names(weights))


def table(seen: Seen, most: int) -> str:
    """Return the classes of each window, and those of the whole video, as text."""

    def line(label: str, classes: list[tuple[str, float]]) -> str:
        return f"{label}  " + ", ".join(f"{n} {value:.2f}" for n, value in classes)

    lines = [
        line(f"{start:8.2f} s to {end:8.2f} s", seen.of_window(window, most))
        for window, (start, end) in enumerate(seen.times)
    ]
    means = seen.values.mean(axis=0)
    overall = [(seen.names[n], means[n]) for n in seen.first(most)]
    return "\n".join([*lines, line("whole video".rjust(24), overall)])


def run(arguments: argparse.Namespace) -> None:
    """Look at the video; print and write what was seen."""
    name, output = models.resolve(arguments.model), arguments.output
    if members.size(arguments.video) is None:
        raise FileNotFoundError(f"there is no video {arguments.video}")
    weights = ticket(name, arguments.checkpoint, arguments.cache)
    asked = {key: getattr(arguments, key) for key in ("stack", "stride", "step")}
    asked["tail"] = arguments.tail
    note = "random weights: classes mean nothing"
    note = note if weights["file"] is None else ""
    if note:
        print(f"note: {note}")
    seen = look(arguments.video, weights, asked, arguments.threads)
    print(table(seen, arguments.top))
    if output is None:
        return
    if output.suffix.lower() in PICTURES:
        chosen = seen.first(arguments.top)
        title = f"{arguments.video.name}: {name}" + f" ({note})" * bool(note)
        chart = charts.over_time(
            arguments.video,
            seen.times,
            seen.values[:, chosen],
            [seen.names[number] for number in chosen],
            title,
        )
        with files.atomic(output) as temporary:
            chart.savefig(temporary)
    else:
        texts = [
            "\n".join(f"{label} {value:.0%}" for label, value in classes)
            for classes in (seen.of_window(n, 1) for n in range(len(seen.times)))
        ]
        captions.burn(arguments.video, output, seen.spans(), texts, note)
    print(f"{output} shows it")


def output(text: str) -> Path:
    """Return the file to write, if it is of a kind that can be written."""
    known = sorted(PICTURES | VIDEOS)
    if Path(text).suffix.lower() not in known:
        raise argparse.ArgumentTypeError(
            f"'{text}' ends with none of {', '.join(known)}"
        )
    return Path(text)


def main(argv: list[str] | None = None) -> None:
    """Show what a model sees in one video."""
    parser = cli.command("infer", __doc__)
    add = parser.add_argument
    add("video", type=Path, help="any video file")
    add_model_arguments(parser)
    add("--output", type=output, help="picture or video to write")
    add("--top", type=cli.positive, default=5, help="classes to show (default: 5)")
    add_window_arguments(parser, tail="last")
    try:
        run(parser.parse_args(argv))
    except USERS_MISTAKES as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

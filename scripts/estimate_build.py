"""Say about how much room and time a build will take, before it starts.

Input:  the index of each dataset, where it is built; else the number of videos that the
        config expects; and what the config asks for.
Output: a table on the terminal: files and folders, bytes, hours of cores and of GPUs,
        of originals, clips, frames, flow and features, whatever of it is done.

Sizes are those of ordinary videos and may be wrong by a factor of two: still pictures
take less, noise takes more. Hours are on the safe side.
"""

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import models
from scripts.common import cli, workload
from scripts.common.engine.features import WHOLE, complete, sampling_of
from scripts.common.engine.windows import window_starts
from scripts.common.workload import Load

# Bytes of a pixel: of x264 at crf 18, of JPEG at ffmpeg's quality 2, of flow.
CLIP_PIXEL, FRAME_PIXEL = 0.03, 0.17
FLOW_PIXEL = {"jpg": 0.05, "png16": 1.2}
CRF_THAT_HALVES = 5.5
AUDIO_SECOND = 16_000
# A whole video of a site, of which often a segment is wanted: 4 minutes of 360 lines.
DOWNLOAD = 15_000_000
# Frames from one step of a network to the next.
FRAMES_A_STEP = 8
# Manifest, journal, lock, log, benchmark and Snakemake's own note.
FILES_A_JOB, BYTES_A_ROW = 6, 700
ASSUMED = """\
Assumed: clips of {clip:.2f} bytes a pixel and frame (crf 18), pictures of {frame:.2f}
(quality 2), flow of {flow:.2f}; downloads of {download}; 16:9; sizes may be wrong by a
factor of two. Hours are of slow cores and older GPUs, on the safe side."""


@dataclass(frozen=True)
class Part:
    """What one stage makes.

    Attributes:
        name: its folder below the dataset's.
        files: with folders, as quotas count them.
        bytes: of all of them.
        core_hours, gpu_hours: to make them.
    """

    name: str
    files: int
    bytes: float
    core_hours: float = 0.0
    gpu_hours: float = 0.0


def parts(options: Mapping, dataset: Mapping, load: Load) -> Iterator[Part]:
    """Yield what a dataset's build makes.

    Args:
        options: `encodings` (those that something reads), `frames`, `flow` and `models`
            of a checked configuration.
        dataset: `shards`, `keep_originals`, and `source`: `folder`, `archives` or
            `annotations`.
        load: its videos.
    """
    videos, shards = load.videos, dataset["shards"]
    if dataset["source"] == "annotations":
        # Each has a sidecar; when they go, these become one file for the shard.
        kept = dataset["keep_originals"]
        files = 2 * videos if kept else shards
        yield Part("videos", files, DOWNLOAD * videos * kept)
    if dataset["source"] == "archives":
        yield Part("downloads, originals", videos, 2 * load.bytes)
    for name, encoding in options["encodings"].items():
        yield clips(name, encoding, load, shards)
    for name in options["frames"]["encodings"]:
        yield frames(name, options["frames"], options["encodings"][name], load, shards)
    for name, entry in options["flow"].items():
        encoding = options["encodings"][entry["encoding"]]
        yield flow(name, entry, encoding, load, shards)
    for name, entry in options["models"].items():
        yield features(name, entry, load, shards)
    stages = sum(len(options[key]) for key in ("encodings", "flow", "models"))
    stages += len(options["frames"]["encodings"]) + (dataset["source"] == "annotations")
    # A table of the index for each shard; and extraction says where its time went.
    files = shards * (1 + FILES_A_JOB * stages + len(options["models"]))
    yield Part("tables, logs", files, BYTES_A_ROW * videos * (stages + 1))


def clips(name: str, encoding: Mapping, load: Load, shards: int) -> Part:
    """Return what the clips of an encoding take; one that changes nothing has none."""
    path = f"clips/{name}"
    if encoding["fps"] is None and encoding["short_side"] is None:
        return Part(path, 0, 0)
    pixels = workload.pixels(encoding["short_side"]) * workload.frame_rate(encoding)
    a_second = pixels * CLIP_PIXEL * 2 ** ((18 - encoding["crf"]) / CRF_THAT_HALVES)
    a_second += AUDIO_SECOND * encoding["audio"]
    hours = workload.transcode_seconds(load) / 3600
    files = load.videos if encoding["layout"] == "folders" else shards
    return Part(path, files, a_second * load.seconds, hours)


def frames(
    name: str, dump: Mapping, encoding: Mapping, load: Load, shards: int
) -> Part:
    """Return what the pictures of an encoding take."""
    rate = (dump["fps"] or workload.frame_rate(encoding)) / dump["every"]
    count = math.ceil(load.seconds * rate)
    side = dump["short_side"] or encoding["short_side"]
    size = count * workload.pixels(side) * FRAME_PIXEL * (2 / dump["quality"]) ** 0.6
    files = count + load.videos if dump["layout"] == "folders" else shards
    hours = workload.dump_seconds(count, side) / 3600
    return Part(f"frames/{name}", files, size, hours)


def flow(name: str, entry: Mapping, encoding: Mapping, load: Load, shards: int) -> Part:
    """Return what a flow takes: two pictures for each frame but a video's last.

    Flow that is not written takes its time all the same, while it is read.
    """
    count = math.ceil(load.seconds * workload.frame_rate(encoding)) - load.videos
    side = encoding["short_side"]
    size = 2 * count * workload.pixels(side) * FLOW_PIXEL[entry["storage"]]
    one_file = entry["layout"] in ("tar", "hdf5")
    files = shards if one_file else 2 * count + load.videos
    if not entry["dump"]:
        files = size = 0
    method = entry["algorithm"].partition("_")[0]
    hours = workload.flow_seconds(count, side, method) / 3600
    times = {"gpu_hours" if method == "raft" else "core_hours": hours}
    return Part(f"flow/{name}", files, size, **times)


def features(name: str, entry: Mapping, load: Load, shards: int) -> Part:
    """Return what a model's features take: of shards, and once more in one file."""
    asked = complete(entry, weights="")
    sampling = sampling_of(asked)
    rate = asked["fps"] or workload.frame_rate(entry["encoding"])
    count = max(1, round(rate * load.seconds / max(1, load.videos)))
    windows = len(window_starts(count, sampling))
    card = models.card(asked["model"])
    steps = math.ceil(sampling.span(count) / FRAMES_A_STEP)
    numbers = sum(
        card.features[feature].dim
        * math.prod(steps if axis == "time" else axis for axis in axes)
        for feature in asked["features"]
        for axes in [card.features[feature].axes]
    )
    size = windows * (numbers * (2 if asked["dtype"] == "float16" else 4) + 16)
    overlap = 1 if asked["stack"] == WHOLE else asked["stack"] / asked["step"]
    hours = workload.feature_seconds(count * load.videos, overlap) / 3600
    files = shards + 3
    return Part(f"features/{name}", files, 2 * size * load.videos, gpu_hours=hours)


def in_bytes(size: float) -> str:
    """Return a size in words.

    >>> in_bytes(27_000_000_000)
    '27 GB'
    """
    power = 0
    while size >= 999.5 and power < 5:
        size, power = size / 1000, power + 1
    number = f"{size:.1f}" if power and size < 9.95 else f"{size:.0f}"
    return f"{number} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def table(rows: list[Part]) -> Iterator[str]:
    """Yield the lines of a table, its sum at the end."""
    yield f"  {'':28}{'files':>13}{'size':>9}{'core hours':>12}{'GPU hours':>11}"
    numbers = [(r.files, r.bytes, r.core_hours, r.gpu_hours) for r in rows]
    total = Part("in all", *map(sum, zip(*numbers, strict=True)))
    for row in [*rows, total]:
        hours = [f"{h:,.1f}" if h else "" for h in (row.core_hours, row.gpu_hours)]
        yield (
            f"  {row.name:28}{row.files:>13,}{in_bytes(row.bytes):>9}"
            f"{hours[0]:>12}{hours[1]:>11}"
        )


def load_of(index: Path, expected: int | None) -> Load | None:
    """Return the videos of a dataset as far as they are known; None: not at all."""
    if index.exists():
        return workload.together(workload.indexed(index).values())
    return workload.load(expected) if expected else None


def described(name: str, options: Mapping, load: Load | None) -> Iterator[str]:
    """Yield the lines on one dataset."""
    if load is None:
        yield (
            f"{name}: nobody knows how many videos it has; `snakemake originals` brings"
            " its archives, or say it under `expected: videos`"
        )
        return
    dataset = options["datasets"][name]
    guess = ", a guess" * ("seconds" in load.guessed)
    yield (
        f"{name}: {load.videos:,} videos, {load.seconds / 3600:,.1f} hours{guess},"
        f" in {dataset['shards']:,} shards"
    )
    yield from table(list(parts(options, dataset, load)))


def main(argv: list[str] | None = None) -> None:
    """Print the estimate of each dataset."""
    parser = cli.command("estimate_build", __doc__)
    parser.add_argument(
        "--results", type=Path, required=True, help="the folder of all datasets"
    )
    cli.add_options(
        parser,
        "`datasets` (`source`: its kind, `shards`, `keep_originals`, `expected`: number"
        " of videos or null), `encodings`, `frames`, `flow` and `models` as in"
        " config/README.md",
    )
    arguments = parser.parse_args(argv)
    options, results = arguments.options, arguments.results
    for name, dataset in options["datasets"].items():
        index = results / name / "index" / "shards.tsv"
        load = load_of(index, dataset["expected"])
        print("\n".join(described(name, options, load)), end="\n\n")
    place = results if results.is_dir() else Path()
    print(f"Free where they go: {in_bytes(shutil.disk_usage(place).free)}")
    words = {"clip": CLIP_PIXEL, "frame": FRAME_PIXEL, "flow": FLOW_PIXEL["jpg"]}
    print(ASSUMED.format(**words, download=in_bytes(DOWNLOAD)))


if __name__ == "__main__":
    main()

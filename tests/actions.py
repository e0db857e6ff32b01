"""Videos whose action is a motion, and nothing that one frame shows.

A shape moves over a dark ground, and comes back on the other side when it leaves the
picture. Its place at the start is drawn evenly over the picture, so that a frame by
itself looks the same in all classes. Played backwards, `left` is `right` and `up` is
`down`: a network that does not look at the order of frames, whatever it learns, is
right in half of the cases at most, and in a quarter as long as it looks at each frame
by itself.
"""

import csv
import subprocess
from pathlib import Path

import numpy as np

from scripts import build_index
from scripts.common import media, tables
from scripts.common.annotations.base import DEFAULT_SET
from scripts.common.index import Entry
from scripts.common.tables import Row

# Pixels to the right and down, in the direction of each class.
MOTIONS = {"down": (0, 1), "left": (-1, 0), "right": (1, 0), "up": (0, -1)}
SHAPES = ("square", "disc", "ring")
FPS = 25
SPEEDS = (3, 5)  # pixels a frame


def video(rng: np.random.Generator, motion: str, frames: int, size: int) -> np.ndarray:
    """Return a video, uint8 (frames, size, size, 3): all but the motion is random."""
    ground, colour = rng.integers(0, 60, 3), rng.integers(120, 256, 3)
    shape, radius = rng.choice(SHAPES), rng.uniform(size / 8, size / 5)
    start, speed = rng.uniform(0, size, 2), rng.uniform(*SPEEDS)
    places = start + speed * np.outer(np.arange(frames), MOTIONS[motion])
    pixels = np.arange(size)
    # The shorter way around, from the shape's centre to each pixel.
    away = np.abs((pixels - places[..., None] + size / 2) % size - size / 2)
    x, y = away[:, 0, None, :], away[:, 1, :, None]
    if shape == "square":
        inside = np.maximum(x, y) < 0.8 * radius
    else:
        distance = np.hypot(x, y)
        inside = (distance < radius) & (distance > radius / 2 * (shape == "ring"))
    return np.where(inside[..., None], colour, ground).astype(np.uint8)


def make_actions(
    folder: Path,
    train: int = 120,
    val: int = 40,
    motions: tuple[str, ...] = tuple(MOTIONS),
    frames: int = 16,
    size: int = 64,
    seed: int = 0,
) -> None:
    """Make a dataset; the classes take turns, so that each has as many videos.

    Writes:
        videos/0000.mp4, …
        annotations.csv, with the columns path, label and split
        train.txt, val.txt, with one path a line
    """
    rng = np.random.default_rng(seed)
    videos = folder / "videos"
    videos.mkdir(parents=True)
    rows = [
        (f"{n:04d}.mp4", motions[n % len(motions)], "train" if n < train else "val")
        for n in range(train + val)
    ]
    # One program cuts one long video into all of them: 160 in two seconds.
    gop = f"keyint={frames}:min-keyint={frames}:scenecut=0"
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{size}x{size}", "-r", str(FPS), "-i", "-", "-c:v", "libx264"]
    command += ["-crf", "10", "-pix_fmt", "yuv420p", "-x264-params", gop]
    command += ["-f", "segment", "-segment_time", str(frames / FPS)]
    command += ["-reset_timestamps", "1", str(videos / "%04d.mp4")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
        for _, motion, _ in rows:
            program.stdin.write(video(rng, motion, frames, size).tobytes())
    assert program.returncode == 0
    with (folder / "annotations.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    for split in ("train", "val"):
        names = [f"{path}\n" for path, _, part in rows if part == split]
        (folder / f"{split}.txt").write_text("".join(names))


def actions_config(folder: Path) -> dict:
    """Return the dataset as the config describes it; its clips are the videos."""
    return {
        "source": {"folder": str(folder / "videos")},
        "annotations": str(folder / "annotations.csv"),
        "splits": {
            "official": {
                "train": str(folder / "train.txt"),
                "val": str(folder / "val.txt"),
            }
        },
        "shards": 2,
    }


def index_actions(folder: Path, shards: int = 2) -> tuple[Path, Path]:
    """Return the folders of the index and of the clips, made without the workflow.

    They are what `build_index` and `transcode_clips` make of it with the encoding
    `original`, which leaves the videos where they are; the set of splits is "default".
    """
    with (folder / "annotations.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    entries = []
    # The videos are all of one size and length; looking at each takes a while.
    about = media.probe(folder / "videos" / records[0]["path"], decode=True)
    for record in records:
        path = folder / "videos" / record["path"]
        row = Row(
            record["path"],
            path=str(path),
            frames=about.frames,
            fps=about.fps,
            width=about.width,
            height=about.height,
            duration=about.frames / about.fps,
            bytes=path.stat().st_size,
            key=record["path"],
        )
        entries.append(Entry(row, (record["label"],), {DEFAULT_SET: record["split"]}))
    index, clips = folder / "index", folder / "clips" / "original"
    classes = sorted({record["label"] for record in records})
    build_index.write_index(entries, classes, shards, index)
    for table in (index / "shards").glob("*.tsv"):
        tables.write(clips / table.name, tables.read(table))
    return index, clips

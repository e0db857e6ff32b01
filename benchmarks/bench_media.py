"""Throughput of transcode_clips and dump_frames against plain ffmpeg processes.

Ours:      `python -m scripts.transcode_clips` and `python -m scripts.dump_frames` as
           the workflow runs them, from the start of Python to the manifest on disk.
Baselines: the very ffmpeg command lines that these scripts build, in as many plain
           processes at a time as ours has threads, with nothing around them.
           `encode only` makes the clips. `encode and check` does the same work as
           ours: looks at the source, makes the clip, decodes it once to count frames.

Ratios are videos/s of ours over the baseline's, round by round; by CPU time: videos per
second of user and system time, which other programs on the machine disturb less.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.timing import Cost, cores, in_turn, show, timed
from scripts.common import media, tables
from scripts.common.ids import slug
from scripts.common.tables import Row
from scripts.dump_frames import dump_command
from scripts.transcode_clips import encode_command
from tests.projects import ROOT, make_video

# The demo's encoding and quality: the defaults of config/schemas/config.schema.yaml.
ENCODING = {
    "version": 1,
    "fps": 25,
    "short_side": 256,
    "crf": 18,
    "preset": "medium",
    "audio": False,
}
DUMP = {
    "version": 1,
    "quality": 2,
    "layout": "folders",
    "short_side": None,
    "fps": None,
    "every": 1,
}
SIZES = ("320x240", "426x240", "480x360", "640x480")


def make_videos(folder: Path, count: int) -> list[Row]:
    """Generate H.264 videos of 5 to 10 s at 30 fps in several sizes."""
    rows = []
    for number in range(count):
        path = folder / f"{number:03d}.mp4"
        length, size = 5 + number % 6, SIZES[number % len(SIZES)]
        make_video(path, seconds=length, fps=30, size=size, seed=number % 5)
        rows.append(Row(path.name, path=str(path), key=path.name))
    return rows


def given_videos(paths: Iterable[Path]) -> list[Row]:
    """Return rows for videos of the user's own."""
    return [Row(str(n), path=str(path.resolve())) for n, path in enumerate(paths)]


def run_script(
    stage: str, table: Path, manifest: Path, options: dict, jobs: int
) -> Cost:
    """Return what a stage's script took; insist that every video came out."""
    empty(manifest.parent)
    command = [sys.executable, "-m", f"scripts.{stage}", "--table", str(table)]
    command += ["--manifest", str(manifest), "--options", json.dumps(options)]
    command += ["--threads", str(jobs)]
    taken = timed(lambda: run(command))
    failed = [row.message for row in tables.read(manifest) if not row.ok]
    if failed:
        raise RuntimeError(f"{stage} failed on {len(failed)} videos: {failed[0]}")
    return taken


def run_plainly(
    work: Callable[[Row], object], rows: list[Row], folder: Path, jobs: int
) -> Cost:
    """Return what it took to do all videos, several at a time."""
    empty(folder)
    with ThreadPoolExecutor(jobs) as pool:
        return timed(lambda: list(pool.map(work, rows)))


def empty(folder: Path) -> None:
    """Make an empty folder; what a round left behind is removed on nobody's clock."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def run(command: list[str]) -> None:
    """Run a program; its output goes nowhere.

    Linux shares busy cores among sessions: as in scripts/common/processes.py each
    program gets one, or other load would slow down the baselines alone.
    """
    subprocess.run(
        command,
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def look(path: Path, *options: str) -> None:
    """Run ffprobe as scripts/common/media.py does."""
    command = ["ffprobe", "-v", "error", "-print_format", "json"]
    command += ["-show_streams", "-show_format", "-select_streams", "V:0"]
    source, how = media.opened(path)
    for name, value in how.items():
        command += [f"-{name}", value]
    run([*command, *options, "-i", source])


def transcoding(rows: list[Row], folder: Path, jobs: int) -> dict:
    """Return the contenders that make clips of the videos, as calls that are timed."""
    table, plain = folder / "videos.tsv", folder / "plain"
    tables.write(table, rows)

    def encode(row: Row) -> Path:
        target = plain / f"{slug(row.id)}.mp4"
        run(encode_command(row, target, ENCODING))
        return target

    def encode_and_check(row: Row) -> None:
        look(Path(row.path))
        look(encode(row), "-count_frames", "-threads", "1")

    ours = (table, folder / "ours" / "clips.tsv", ENCODING, jobs)
    return {
        "ours": partial(run_script, "transcode_clips", *ours),
        "encode and check": partial(run_plainly, encode_and_check, rows, plain, jobs),
        "encode only": partial(run_plainly, encode, rows, plain, jobs),
    }


def dumping(manifest: Path, folder: Path, jobs: int) -> dict:
    """Return the contenders that dump the clips' frames, as calls that are timed."""
    plain, clips = folder / "plain", tables.read(manifest)

    def dump(row: Row) -> None:
        target = plain / slug(row.id)
        target.mkdir()
        run(dump_command(Path(row.path), target, DUMP))

    ours = (manifest, folder / "ours" / "frames.tsv", DUMP, jobs)
    return {
        "ours": partial(run_script, "dump_frames", *ours),
        "ffmpeg": partial(run_plainly, dump, clips, plain, jobs),
    }


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_media",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--videos", type=int, default=24, help="videos to generate (default: 24)"
    )
    parser.add_argument(
        "--video",
        type=Path,
        action="append",
        metavar="FILE",
        help="take this video instead; may be given several times",
    )
    parser.add_argument(
        "--threads", type=int, default=cores(), help="videos at a time (default: cores)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.video:
            rows = given_videos(arguments.video)
        else:
            rows = make_videos(folder / "videos", arguments.videos)
        print(f"{len(rows)} videos, {arguments.threads} at a time, {cores()} cores")
        clips = folder / "clips"
        clips.mkdir()
        contenders = transcoding(rows, clips, arguments.threads)
        show(
            "transcode_clips",
            in_turn(contenders, arguments.repeats),
            len(rows),
            "videos",
        )
        manifest = clips / "ours" / "clips.tsv"
        contenders = dumping(manifest, folder / "frames", arguments.threads)
        show("dump_frames", in_turn(contenders, arguments.repeats), len(rows), "videos")


if __name__ == "__main__":
    main()

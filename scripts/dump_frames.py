"""Write the frames of a shard's clips as pictures.

Input:  the manifest of `transcode_clips` for the same shard and encoding.
Output: the manifest, and <manifest without .tsv>/<slug>/00001.jpg, 00002.jpg …; or one
        .tar or .h5 beside the manifest (see scripts/common/containers).
"""

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import ffmpeg
from PIL import Image

from scripts.common import files, media
from scripts.common.containers.products import OneFile, products
from scripts.common.ids import slug
from scripts.common.runner import each, parse_job, run_shard
from scripts.common.tables import Failure, Row
from scripts.transcode_clips import scaled


def dump_clip(row: Row, folder: Path, options: dict) -> Row:
    """Write the frames of one clip into a folder of its own and return its row.

    Args:
        row: the clip, with its number of frames.
        folder: the frames go to `<folder>/<slug>/`.
        options: `frames` of the config: `quality`, `short_side`, `fps`, `every`.

    Raises:
        Failure: `corrupt`, when the clip does not give the frames that it should.
    """
    target = folder / slug(row.id)
    with files.atomic(target) as temporary:
        temporary.mkdir()
        row = dumped(row, temporary, options)
        size = sum(picture.stat().st_size for picture in temporary.iterdir())
    return replace(row, path=str(target), bytes=size)


def pack_clip(row: Row, kept: OneFile, options: dict) -> Row:
    """Add the frames of one clip to the shard's file and return its row.

    Arguments and failures as of `dump_clip`. The pictures pass through the machine's
    own folder for temporary files (TMPDIR), not through that of the results.
    """
    with tempfile.TemporaryDirectory() as name:
        row = dumped(row, Path(name), options)
        about = {
            "id": row.id,
            "key": row.key,
            "layout": "frames",
            "format": "jpg",
            "fps": row.fps,
            "frames": row.frames,
        }
        paths = sorted(Path(name).iterdir())
        return kept.add(row, about, ({"": path.read_bytes()} for path in paths))


def dumped(row: Row, folder: Path, options: dict) -> Row:
    """Write a clip's frames as <folder>/00001.jpg … and return their row.

    Raises:
        Failure: `corrupt`, when the clip does not give the frames that it should.
    """
    clip = Path(row.path)
    media.encode(dump_command(clip, folder, options), clip)
    count, expected = sum(1 for _ in folder.iterdir()), frames_of(row, options)
    if count != expected:
        raise Failure("corrupt", f"{count} of {expected} frames came out")
    if not count:
        raise Failure("empty", "the clip is too short for a frame")
    with Image.open(folder / "00001.jpg") as picture:
        width, height = picture.size
    fps = (options["fps"] or row.fps) / options["every"]
    return replace(row, frames=count, fps=fps, width=width, height=height)


def frames_of(row: Row, options: dict) -> int:
    """Return how many frames the options make of a clip."""
    frames = row.frames
    if options["fps"] is not None:
        # ffmpeg's filter rounds the end of the video to a whole frame, half up.
        frames = math.floor(row.frames / row.fps * options["fps"] + 0.5)
    return -(-frames // options["every"])


def dump_command(clip: Path, folder: Path, options: dict) -> list[str]:
    """Return the ffmpeg command that writes a clip's frames into a directory."""
    pattern = str(folder).replace("%", "%%") + "/%05d.jpg"
    source, how = media.opened(clip)
    pictures = ffmpeg.input(media.SOURCE, threads=1, **how).video
    if options["fps"] is not None:
        pictures = pictures.filter("fps", options["fps"])
    if options["every"] > 1:
        pictures = pictures.filter("select", f"not(mod(n,{options['every']}))")
    if options["short_side"] is not None:
        pictures = scaled(pictures, options["short_side"])
    settings = {"format": "image2", "fps_mode": "passthrough"}
    settings |= {"q:v": options["quality"], "threads": 1, "filter_threads": 1}
    output = pictures.output(media.TARGET, **settings)
    return media.compiled(output, source, f"file:{pattern}")


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard."""
    job = parse_job("dump_frames", __doc__, argv)
    kept = products(job, job.options["layout"])

    def work(row: Row) -> Row:
        if isinstance(kept, OneFile):
            return pack_clip(row, kept, job.options)
        return dump_clip(row, job.folder, job.options)

    run_shard(job, each(work, job.threads), kept.stand, kept.finish)


if __name__ == "__main__":
    main()

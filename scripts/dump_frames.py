"""Write every frame of a shard's clips as a picture.

Input:  the manifest of `transcode_clips` for the same shard and encoding.
Output: <manifest without .tsv>/<slug>/00001.jpg, 00002.jpg …, and the manifest.
"""

from dataclasses import replace
from pathlib import Path

import ffmpeg

from scripts.common import files, media, processes
from scripts.common.ids import slug
from scripts.common.runner import run_stage
from scripts.common.tables import Failure, Row


def dump_clip(row: Row, folder: Path, options: dict) -> Row:
    """Write the frames of one clip and return its row.

    Args:
        row: the clip, with its number of frames.
        folder: the frames go to `<folder>/<slug>/`.
        options: `quality`, ffmpeg's scale for JPEG from 2 (best) to 31.

    Raises:
        Failure: `corrupt`, when the clip does not give the frames that it should.
    """
    clip, target = Path(row.path), folder / slug(row.id)
    with files.atomic(target) as temporary:
        temporary.mkdir()
        result = processes.run(dump_command(clip, temporary, options["quality"]))
        if result.returncode:
            raise Failure("corrupt", media.complaint(result.stderr, clip))
        sizes = [picture.stat().st_size for picture in temporary.iterdir()]
        if len(sizes) != row.frames:
            raise Failure("corrupt", f"{len(sizes)} of {row.frames} frames came out")
    return replace(row, path=str(target), bytes=sum(sizes))


def dump_command(clip: Path, folder: Path, quality: int) -> list[str]:
    """Return the ffmpeg command that writes a clip's frames into a directory."""
    pattern = str(folder).replace("%", "%%") + "/%05d.jpg"
    opened = ffmpeg.input(media.SOURCE, threads=1, **media.ONLY_FILES)
    output = opened.video.output(
        media.TARGET,
        **{"format": "image2", "q:v": quality, "fps_mode": "passthrough", "threads": 1},
    )
    return media.compiled(output, media.as_input(clip), f"file:{pattern}")


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard."""
    run_stage("dump_frames", __doc__, dump_clip, argv)


if __name__ == "__main__":
    main()

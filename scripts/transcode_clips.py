"""Cut and re-encode the videos of a shard into clean clips.

Input:  a table of videos with their sources (a shard table of the index).
Output: the manifest, and <manifest without .tsv>/<slug>.mp4 for each video; or one .tar
        beside the manifest (see scripts/common/containers), whose clips have paths as
        if it were their folder.

A clip is H.264 in mp4 with square pixels, upright, exactly from `start` to `end`, at a
constant frame rate, its shorter side scaled to `short_side`, and decodes without an
error. In an encoding that changes nothing (`original`), a whole video is not copied:
the manifest names the source itself.

When the layout changes, clips that are there are moved. With `--clips` downloads are
deleted once all clips of them are made.
"""

import math
from dataclasses import replace
from pathlib import Path

import ffmpeg

from scripts.common import cli, dropping, files, media, tables
from scripts.common.containers.clips import FORMS, Clips, InFolder, InTar
from scripts.common.ids import SlugTooLong, slug
from scripts.common.runner import add_job_arguments, each, job_from, run_shard
from scripts.common.tables import Failure, Row

# Decoding may lose this part of the declared length before it counts as damage.
TOLERATED_LOSS = 0.05


def transcode_clip(row: Row, folder: Path, options: dict) -> Row:
    """Make the clip of one video and return its row.

    Args:
        row: the video; `path` is the source, `start` and `end` the segment in seconds.
            A source may be a folder of images, `fps` of them a second.
        folder: where the clip goes, as `<slug>.mp4`.
        options: an encoding of the config: `fps` (float or None), `short_side` (pixels
            or None), `crf`, `preset`, `audio`.

    Raises:
        Failure: `not_video`, `no_video_stream`, `empty`, `corrupt` or `bad_name`.
    """
    source = Path(row.path)
    images = row.fps is not None and source.is_dir()
    if not images and not source.is_file():
        raise Failure("missing", f"there is no file {source}")
    whole = not images and row.start is None and row.end is None
    if whole and options["fps"] is None and options["short_side"] is None:
        return _described(row, source, media.probe(source, decode=True))
    try:
        target = folder / f"{slug(row.id)}.mp4"
    except SlugTooLong as error:
        raise Failure("bad_name", str(error)) from error
    length = row.frames / row.fps if images else media.probe(source).duration
    if length == 0:
        raise Failure("empty", "the file declares a length of 0 s")
    with files.atomic(target) as temporary:
        media.encode(encode_command(row, temporary, options), source)
        clip = _verified(temporary)
        _check_length(clip, length, row)
    return _described(row, target, clip)


def keep_clip(row: Row, kept: InFolder | InTar, options: dict) -> Row:
    """Make the clip of one video where a shard's clips are kept; return its row.

    Arguments and failures as of `transcode_clip`.
    """
    with kept.room() as folder:
        made = transcode_clip(row, folder, options)
        return made if made.path == row.path else kept.add(made)


def encode_command(row: Row, target: Path, options: dict) -> list[str]:
    """Return the ffmpeg command that makes the clip of a row.

    One thread per program: x264's output depends on the number of threads, and several
    videos at a time keep the cores busy.
    """
    source, how = media.opened(Path(row.path), row.fps)
    if row.start is not None:
        how["ss"] = row.start
    if row.end is not None:
        how["t"] = row.end - (row.start or 0)
    opened = ffmpeg.input(media.SOURCE, threads=1, **how)
    # A first frame later than time zero would otherwise be padded or shifted.
    pictures = opened.video.filter("setpts", "PTS-STARTPTS")
    if options["fps"] is not None:
        pictures = pictures.filter("fps", options["fps"])
    pictures = scaled(pictures, options["short_side"]).filter("setsar", 1)
    streams = [pictures, opened["a?"]] if options["audio"] else [pictures]
    settings = {
        "format": "mp4",
        "vcodec": "libx264",
        "crf": options["crf"],
        "preset": options["preset"],
        "pix_fmt": "yuv420p",
        "fps_mode": "cfr" if options["fps"] is not None else "passthrough",
        "threads": 1,
        "filter_threads": 1,
        "movflags": "+faststart",
        "map_metadata": -1,
    }
    if options["audio"]:
        settings["acodec"] = "aac"
    output = ffmpeg.output(*streams, media.TARGET, **settings)
    return media.compiled(output, source, media.as_input(target))


def scaled(pictures, short_side: int | None):
    """Scale to square pixels with even sizes, the shorter side exactly `short_side`."""
    if short_side is None:
        width, height = "2*round(ih*dar/2)", "2*round(ih/2)"
    else:
        width = f"if(gte(dar,1),2*round({short_side}*dar/2),{short_side})"
        height = f"if(gte(dar,1),{short_side},2*round({short_side}/dar/2))"
    return pictures.filter("scale", width, height, flags="bicubic")


def _verified(clip: Path) -> media.Video:
    """Decode a clip that we made from its first frame to its last."""
    try:
        video = media.probe(clip, decode=True)
    except Failure as failure:
        raise Failure("empty", f"no frame came out ({failure})") from failure
    if not video.frames:
        raise Failure("empty", "no frame came out")
    return video


def _check_length(clip: media.Video, length: float, row: Row) -> None:
    """Compare what was decoded with the seconds that file and annotation declare.

    Raises:
        Failure: `corrupt`, when the file ends clearly before its declared length.
    """
    start = row.start or 0.0
    expected = length - start
    if row.end is not None:
        expected = min(expected, row.end - start)
    seconds = clip.frames / clip.fps
    if math.isnan(expected) or seconds >= expected * (1 - TOLERATED_LOSS) - 1:
        return
    raise Failure(
        "corrupt", f"only {seconds:.2f} s of {expected:.2f} s could be decoded"
    )


def _described(row: Row, path: Path, video: media.Video) -> Row:
    if not video.frames:
        raise Failure("empty", "no frame is inside")
    return replace(
        row,
        path=str(path),
        frames=video.frames,
        fps=video.fps,
        width=video.width,
        height=video.height,
        duration=video.frames / video.fps,
        bytes=path.stat().st_size,
    )


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard."""
    parser = cli.command(dropping.STAGE, __doc__)
    add_job_arguments(parser)
    parser.add_argument(
        "--layout",
        choices=FORMS,
        default="folders",
        help="a file a clip in a folder, or one tar (default: folders)",
    )
    dropping.add_argument(parser)
    arguments = parser.parse_args(argv)
    job = job_from(dropping.STAGE, arguments)
    clips = Clips(job, arguments.layout)

    def work(row: Row) -> Row:
        return clips.moved(row) or keep_clip(row, clips.kept, job.options)

    run_shard(job, each(work, job.threads), clips.stand, clips.kept.finish)
    if arguments.clips:
        downloads, folder = tables.read(job.table), job.table.with_suffix("")
        dropped = dropping.drop(downloads, folder, dropping.Clips(arguments.clips))
        print(f"{dropped} downloads are dropped: all their clips are made")


if __name__ == "__main__":
    main()

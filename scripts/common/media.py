"""What ffprobe says of a video, and how ffmpeg is called on files from anywhere."""

import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common import files, members, processes
from scripts.common.tables import Failure

# A file may be a playlist that points at other files or hosts. Only real containers are
# opened, and only from the disk; ffmpeg calls the list `format_whitelist`.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,"
    "rm,gif,mxf,dv,h264,hevc,ivf,nut,swf,vc1,wtv,m4v,apng"
)

# Stand for the paths in the graphs of ffmpeg-python.
SOURCE, TARGET = "<source>", "<target>"

# ffmpeg says who speaks as `[mov,mp4 @ 0x55d0c8]`.
_SPEAKER = re.compile(r"^\[[^]]* @ 0x[0-9a-f]+\] ")

# Suffixes that make a file of a folder or an archive a video of the dataset.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".f4v", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogg", ".ogv", ".qt", ".rm"}
    | {".ts", ".vob", ".webm", ".wmv"}
)
# Suffixes of the images whose folder stands for a video.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True)
class Video:
    """The first picture stream of a file.

    Attributes:
        width, height: pixels as stored, before rotation.
        fps: average frames per second, NaN where the file does not say.
        duration: seconds, NaN where the file does not say.
        frames: number of frames: counted by decoding if asked for, else as declared
            (None where the file does not say).
    """

    width: int
    height: int
    fps: float
    duration: float
    frames: int | None


def probe(path: Path, decode: bool = False) -> Video:
    """Look at a file's first picture stream; with `decode`, count its frames.

    Raises:
        Failure: `empty` (zero bytes), `not_video`, `no_video_stream`, or `corrupt` when
            decoding reports errors.
    """
    if members.size(path) == 0:
        raise Failure("empty", "the file has 0 bytes")
    command = ["ffprobe", "-v", "error", "-print_format", "json"]
    command += ["-show_streams", "-show_format", "-select_streams", "V:0"]
    address, how = opened(path)
    for option, value in how.items():
        command += [f"-{option}", value]
    if decode:
        command += ["-count_frames", "-threads", "1"]
    result = processes.run([*command, "-i", address])
    if result.returncode:
        raise Failure("not_video", complaint(result.stderr, path))
    answer = json.loads(result.stdout)
    if not answer.get("streams"):
        raise Failure("no_video_stream", "the file has no picture stream")
    if decode and result.stderr.strip():
        raise Failure("corrupt", complaint(result.stderr, path))
    stream, container = answer["streams"][0], answer["format"]
    declared = stream.get("nb_read_frames" if decode else "nb_frames")
    fps = ratio(stream.get("avg_frame_rate", "0/0"))
    if math.isnan(fps):  # not told of a handful of frames: what fits their times
        fps = ratio(stream.get("r_frame_rate", "0/0"))
    return Video(
        int(stream["width"]),
        int(stream["height"]),
        fps,
        float(stream.get("duration", container.get("duration", "nan"))),
        int(declared) if declared else None,
    )


def ratio(text: str) -> float:
    """Parse ffmpeg's `30000/1001`; `0/0` is NaN.

    >>> ratio("25/1")
    25.0
    """
    numerator, _, denominator = text.partition("/")
    bottom = float(denominator or 1)
    return float(numerator) / bottom if bottom else math.nan


def opened(path: Path, fps: float | None = None) -> tuple[str, dict]:
    """Return how ffmpeg opens a video: its address, and the options before it.

    Args:
        path: a video file, also one inside a tar (see scripts/common/members.py), or a
            folder of images, which are taken by name.
        fps: images per second of a folder.
    """
    if not path.is_dir():
        protocols = "subfile,file" if members.find(path) else "file"
        only = {"protocol_whitelist": protocols, "format_whitelist": CONTAINERS}
        return as_input(path), only
    suffixes = (image.suffix for image in sorted(path.iterdir()))
    suffix = next(name for name in suffixes if name.lower() in IMAGE_SUFFIXES)
    # The pattern is glob's: an absolute path is neither an option nor an address.
    pattern = re.sub(r"([][*?{}\\])", r"\\\1", str(path.absolute()))
    images = {"format": "image2", "pattern_type": "glob", "framerate": fps}
    return f"{pattern}/*{suffix}", {"protocol_whitelist": "file", **images}


def as_input(path: Path) -> str:
    """Return a path as ffmpeg takes it: never an option, a pattern or an address.

    Its protocol `subfile` reads a part of a file as if it were one.
    """
    if member := members.find(path):
        return f"subfile,,start,{member.start},end,{member.stop},,:file:{member.tar}"
    return f"file:{path}"


def compiled(output, source: str, target: str) -> list[str]:
    """Return the command of an ffmpeg-python graph that reads SOURCE, writes TARGET.

    The library takes no path that is not UTF-8: paths are put in place afterwards.
    """
    # Without -xerror ffmpeg ends with 0 on damaged input.
    quiet = output.global_args("-v", "error", "-xerror", "-nostdin", "-y")
    places = {SOURCE: source, TARGET: target}
    return [places.get(argument, argument) for argument in quiet.compile()]


def encode(command: Sequence[str], source: Path) -> None:
    """Run an ffmpeg command that makes something of a video.

    Raises:
        Failure: `corrupt`, with what ffmpeg complained of.
        OSError: there is no room for what it makes, which is not the video's fault.
    """
    result = processes.run(command)
    if not result.returncode:
        return
    # A video may be called like an error.
    errors = result.stderr.replace(str(source), "")
    for number in files.NO_ROOM:
        if (words := os.strerror(number)) in errors:
            raise OSError(number, words, command[-1])
    raise Failure("corrupt", complaint(result.stderr, source))


def complaint(errors: str, path: Path) -> str:
    """Return the first thing that ffmpeg complained of, without path and addresses."""
    lines = [_SPEAKER.sub("", line).strip() for line in errors.splitlines()]
    text = next(filter(None, lines), "ffmpeg gave no reason")
    for name in (as_input(path), str(path)):
        text = text.replace(name, "the file")
    return text

"""Captions that are written into the pictures of a video, by ffmpeg and libass."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import ffmpeg
import numpy as np

from scripts.common import files, media

# The captions stand below on the left, the note above; sizes are parts of the height.
HEADER = """\
[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 0

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, \
BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV
Style: class,DejaVu Sans,{size},&H00FFFFFF,&H80000000,&H80000000,-1,3,{edge},0,1,\
{margin},{margin},{margin}
Style: note,DejaVu Sans,{small},&H00FFFFFF,&H803030C0,&H803030C0,0,3,{edge},0,7,\
{margin},{margin},{margin}

[Events]
Format: Start, End, Style, Text
"""


def plain(text: str) -> str:
    r"""Return a text of which libass takes no letter for a command.

    >>> plain("{\\b1}a" + chr(10) + "b")
    '(/b1)a\\Nb'
    """
    letters = text.translate(str.maketrans("{}\\\r", "()/ "))
    return letters.replace("\n", r"\N")


def clock(seconds: float) -> str:
    """Return a time as captions give it, to the hundredth of a second.

    >>> clock(3725.5)
    '1:02:05.50'
    """
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"


def render(
    spans: np.ndarray, texts: Sequence[str], note: str, width: int, height: int
) -> str:
    """Return captions in the format of Advanced SubStation Alpha.

    Args:
        spans: (captions, 2), begin and end in seconds.
        texts: of the captions; lines may break.
        note: what stands above all the time, may be empty.
        width, height: pixels of the video.
    """
    lines = [
        f"Dialogue: {clock(start)},{clock(end)},class,{plain(text)}"
        for (start, end), text in zip(spans, texts, strict=True)
    ]
    if note:
        lines.append(f"Dialogue: 0:00:00.00,9:59:59.99,note,{plain(note)}")
    size = max(9, height // 16)
    sizes = {"size": size, "small": size * 2 // 3, "edge": max(1, size // 6)}
    head = HEADER.format(width=width, height=height, margin=size // 2, **sizes)
    return head + "\n".join(lines) + "\n"


def burn(
    video: Path, target: Path, spans: np.ndarray, texts: Sequence[str], note: str
) -> None:
    """Write a copy of a video, H.264, with captions in its pictures and its sound.

    Args:
        video: the source; its first frame is at zero seconds of the captions.
        target: file to write, of any container that ffmpeg writes H.264 to.
        spans, texts, note: see `render`.

    Raises:
        Failure: ffmpeg cannot read the video to its end.
    """
    about = media.probe(video)
    with tempfile.TemporaryDirectory() as name, files.atomic(target) as temporary:
        written = Path(name) / "captions.ass"
        written.write_text(render(spans, texts, note, about.width, about.height))
        source, how = media.opened(video)
        opened = ffmpeg.input(media.SOURCE, **how)
        pictures = (
            opened.video.filter("setpts", "PTS-STARTPTS")
            .filter("scale", "2*round(iw/2)", "2*round(ih/2)")
            .filter("ass", str(written))
        )
        settings = {"vcodec": "libx264", "crf": 18, "pix_fmt": "yuv420p"}
        sound = {"acodec": "aac", "movflags": "+faststart"}
        made = ffmpeg.output(pictures, opened["a?"], media.TARGET, **settings, **sound)
        command = media.compiled(made, source, media.as_input(temporary))
        media.encode(command, video)

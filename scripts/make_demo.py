"""Make the demo dataset: short videos of three motions, in one archive. Needs no net.

Input:  none; the same versions of ffmpeg and Pillow give the same bytes.
Output: videos.zip       videos as `<class>/<name>.<ext>`,
        annotations.csv  columns path, label,
        train.txt        paths of the training videos, one a line,
        test.txt         paths of the test videos.

The videos differ as those of real datasets do: in size, frame rate, container and
codec; there are a name with a space, one name in two classes, a portrait, a rotation
flag, a sound track, a video shorter than a model's window, and one that is broken, so
that a failure can be seen in the manifests and in the report.
"""

import colorsys
import math
import random
import struct
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL import Image, ImageDraw

from scripts.common import cli, files, processes

CODECS = {
    "h264": ("-c:v", "libx264", "-crf", "27", "-preset", "veryfast"),
    "mpeg4": ("-c:v", "mpeg4", "-q:v", "7"),
    "vp8": ("-c:v", "libvpx", "-crf", "20", "-b:v", "300k", "-cpu-used", "5"),
    "vp9": ("-c:v", "libvpx-vp9", "-crf", "36", "-b:v", "0", "-cpu-used", "6"),
}
# Without these, files hold the time, random numbers or the encoder's build.
REPRODUCIBLE = (
    "-fflags",
    "+bitexact",
    "-flags:v",
    "+bitexact",
    "-flags:a",
    "+bitexact",
)


@dataclass(frozen=True)
class Clip:
    """One video of the demo.

    Attributes:
        path: `<class>/<name>.<ext>`; the class is the motion.
        size: width and height in pixels, as seen.
        fps: frames per second.
        seconds: length.
        codec: a key of CODECS.
        test: whether it belongs to the test split.
        sound: whether it has a sound track.
        rotated: whether it is stored lying, with a flag that says so.
        broken: whether the end is missing, and with it the index that mp4 has there.
    """

    path: str
    size: tuple[int, int]
    fps: Fraction
    seconds: float
    codec: str
    test: bool = False
    sound: bool = False
    rotated: bool = False
    broken: bool = False

    @property
    def label(self) -> str:
        """The class."""
        return self.path.split("/")[0]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return round(self.seconds * self.fps)


NTSC = Fraction(30000, 1001)
CLIPS = (
    Clip("slide/harbour.mp4", (320, 240), Fraction(25), 4, "h264"),
    Clip("slide/garden.avi", (320, 240), Fraction(15), 4, "mpeg4"),
    Clip("slide/night market.mkv", (426, 240), Fraction(24), 4, "h264", test=True),
    Clip("slide/kite.webm", (320, 240), Fraction(30), 3, "vp8"),
    Clip("slide/shore.mp4", (240, 426), Fraction(30), 3, "h264", test=True),
    Clip("slide/glance.mp4", (320, 240), Fraction(25), 0.4, "h264"),
    Clip("spin/wheel.mp4", (480, 270), Fraction(30), 3, "h264", sound=True),
    Clip("spin/harbour.avi", (320, 240), Fraction(12), 4, "mpeg4", test=True),
    Clip("spin/compass.mkv", (320, 240), Fraction(60), 3, "h264"),
    Clip("spin/dial.mp4", (426, 240), NTSC, 4, "h264", test=True),
    Clip("spin/lantern.webm", (320, 180), Fraction(25), 3, "vp9"),
    Clip("spin/broken.mp4", (320, 240), Fraction(25), 3, "h264", broken=True),
    Clip("zoom/tunnel.mp4", (640, 360), Fraction(25), 3, "h264"),
    Clip("zoom/garden.mp4", (320, 240), Fraction(50), 3, "h264"),
    Clip("zoom/bloom.avi", (320, 240), Fraction(24), 4, "mpeg4", test=True),
    Clip("zoom/star.mkv", (426, 240), Fraction(15), 5, "h264", test=True),
    Clip("zoom/tower.mp4", (240, 320), Fraction(25), 3, "h264", rotated=True),
)


def draw_scene(name: str, size: tuple[int, int]) -> Image.Image:
    """Draw shapes in a few colours that go together; the name decides which.

    Args:
        name: seed of the drawing.
        size: width and height in pixels.
    """
    chance = random.Random(name)
    hue = chance.random()
    palette = [
        _colour(hue + offset, saturation, value)
        for offset, saturation, value in (
            (0.00, 0.75, 0.95),
            (0.08, 0.55, 1.00),
            (0.45, 0.60, 0.90),
            (0.52, 0.35, 1.00),
            (0.95, 0.80, 0.65),
        )
    ]
    # Drawn at twice the size, so that edges are smooth.
    width, height = (2 * length for length in size)
    top, bottom = _colour(hue + 0.6, 0.7, 0.22), _colour(hue + 0.5, 0.6, 0.5)
    scene = Image.composite(
        Image.new("RGB", (width, height), bottom),
        Image.new("RGB", (width, height), top),
        Image.linear_gradient("L").resize((width, height)),
    )
    pen = ImageDraw.Draw(scene)
    unit = min(width, height)
    # One shape in each cell of a grid: no scene has an empty side.
    cell = unit / 3
    for row in range(math.ceil(height / cell)):
        for column in range(math.ceil(width / cell)):
            x = (column + chance.uniform(0.2, 0.8)) * cell
            y = (row + chance.uniform(0.2, 0.8)) * cell
            _draw_shape(pen, chance, palette, (x, y), cell * chance.uniform(0.2, 0.5))
    return scene.reduce(2)


def _draw_shape(pen, chance, palette, centre, radius: float) -> None:
    x, y = centre
    outer, inner = chance.sample(palette, 2)
    kind = chance.choice(("ring", "polygon", "star"))
    if kind == "ring":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=outer)
        radius *= 0.55
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=inner)
        return
    corners = chance.randint(3, 6)
    turn = chance.uniform(0, 2 * math.pi)
    points = []
    for corner in range(2 * corners):
        short = kind == "star" and corner % 2
        reach = radius * (0.5 if short else 1.15)
        angle = turn + math.pi * corner / corners
        if kind == "star" or corner % 2 == 0:
            points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    pen.polygon(points, fill=outer)
    dot = radius * 0.25
    pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=inner)


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    parts = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def motion(clip: Clip) -> tuple[tuple[int, int], str]:
    """Return the size of the scene and the ffmpeg filter that moves over it."""
    chance = random.Random(clip.path)
    pace = chance.uniform(0.8, 1.2) * chance.choice((-1, 1))
    width, height = clip.size
    if clip.label == "slide":
        path = round(abs(pace) * width * 0.4 * clip.seconds)
        start = 0 if pace > 0 else path
        speed = pace * width * 0.4
        crop = f"crop={width}:{height}:x={start}+{speed:.2f}*t:y=0"
        return (width + path, height), crop
    if clip.label == "spin":
        side = math.ceil(math.hypot(width, height))
        return (side, side), f"rotate=a={1.5 * pace:.3f}*t:ow={width}:oh={height}"
    # From a larger scene, the picture stays sharp and moves by less than a pixel.
    progress = f"on/{clip.frames}"
    inwards = progress if pace > 0 else f"(1-{progress})"
    factor = f"1+{0.35 * abs(pace) * clip.seconds:.3f}*{inwards}"
    centre = "x=(iw-iw/zoom)/2:y=(ih-ih/zoom)/2"
    zoom = f"zoompan=z={factor}:{centre}:d=1:s={width}x{height}:fps={clip.fps}"
    return (3 * width, 3 * height), zoom


def encode_command(clip: Clip, scene: Path, target: Path) -> list[str]:
    """Return the ffmpeg command that makes a clip of a scene."""
    _, movement = motion(clip)
    rate = str(clip.fps)
    filters = f"loop=-1:1,setpts=N/FRAME_RATE/TB,{movement},setsar=1"
    if clip.rotated:
        filters += ",transpose=cclock"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-filter_threads", "1"]
    command += ["-framerate", rate, "-i", f"file:{scene}"]
    if clip.sound:
        tone = f"sine=frequency=330:duration={clip.seconds}:sample_rate=44100"
        command += ["-f", "lavfi", "-i", tone, "-c:a", "aac", "-b:a", "48k"]
    command += ["-vf", f"{filters},format=yuv420p", "-r", rate]
    command += ["-frames:v", str(clip.frames), *CODECS[clip.codec], "-g", "48"]
    return [*command, "-threads", "1", *REPRODUCIBLE, f"file:{target}"]


def make_clip(clip: Clip, folder: Path) -> bytes:
    """Return the bytes of one video.

    Args:
        clip: what to make.
        folder: an empty directory for the steps in between.

    Raises:
        RuntimeError: ffmpeg failed.
    """
    scene = folder / "scene.png"
    size, _ = motion(clip)
    draw_scene(clip.path, size).save(scene)
    target = folder / f"video{Path(clip.path).suffix}"
    result = processes.run(encode_command(clip, scene, target))
    if result.returncode:
        raise RuntimeError(f"ffmpeg could not make {clip.path}: {result.stderr}")
    data = target.read_bytes()
    if clip.rotated:
        data = turned(data)
    return data[: len(data) * 3 // 4] if clip.broken else data


def turned(data: bytes) -> bytes:
    """Return an mp4 with the flag that players turn it clockwise by 90 degrees.

    The flag is a matrix in the track header; ffmpeg's option for it differs between
    versions.
    """
    start = data.index(b"tkhd") + 44
    one = 1 << 16
    matrix = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    return data[:start] + matrix + data[start + len(matrix) :]


def write_archive(videos: dict[str, bytes], target: Path) -> None:
    """Write a zip whose bytes depend on the videos alone."""
    with files.atomic(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path, data in sorted(videos.items()):
            member = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)


def make_demo(directory: Path, threads: int) -> None:
    """Write the demo's files into a directory."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(threads) as pool:
        folders = [Path(scratch, str(number)) for number in range(len(CLIPS))]
        for folder in folders:
            folder.mkdir()
        contents = list(pool.map(make_clip, CLIPS, folders))
    paths = [clip.path for clip in CLIPS]
    write_archive(dict(zip(paths, contents, strict=True)), directory / "videos.zip")
    table = ["path,label", *(f"{clip.path},{clip.label}" for clip in CLIPS)]
    _write_lines(directory / "annotations.csv", table)
    for name, test in (("train", False), ("test", True)):
        chosen = [clip.path for clip in CLIPS if clip.test is test]
        _write_lines(directory / f"{name}.txt", chosen)


def _write_lines(target: Path, lines: list[str]) -> None:
    files.write_text(target, "".join(f"{line}\n" for line in lines))


def main(argv: list[str] | None = None) -> None:
    """Make the demo dataset."""
    parser = cli.command("make_demo", __doc__)
    parser.add_argument(
        "--directory", type=Path, required=True, help="where the files go"
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="videos at a time (default: 2)"
    )
    arguments = parser.parse_args(argv)
    make_demo(arguments.directory, arguments.threads)
    size = (arguments.directory / "videos.zip").stat().st_size
    print(f"{len(CLIPS)} videos, {size / 1e6:.1f} MB, in {arguments.directory}")


if __name__ == "__main__":
    main()

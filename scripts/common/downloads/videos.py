"""One original of a video, whole, with a sidecar that says what was taken."""

import contextlib
import functools
import json
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import yt_dlp

from scripts.common import files, media
from scripts.common.addresses import video_suffix
from scripts.common.downloads import plain
from scripts.common.downloads.session import Session, Watch, persistently
from scripts.common.downloads.settings import NotReady, Settings
from scripts.common.ids import fingerprint
from scripts.common.tables import Failure

# ffmpeg joins streams that are here; it never fetches them.
_LOCAL = ["-protocol_whitelist", "file"]


@dataclass(frozen=True)
class Original:
    """What the sidecar holds; None where neither the site nor the file says it.

    Attributes:
        file: name of the file, in the sidecar's directory.
        bytes: its size.
        url: where it came from.
        id, title, uploader, upload_date: as the site says; the date as YYYYMMDD.
        width, height: pixels.
        fps: frames per second.
        duration: seconds.
        format: the site's name for what was chosen.
        yt_dlp: the version that chose it.
        key: fingerprint of address and options.
    """

    file: str
    bytes: int
    url: str
    id: str | None
    title: str | None
    uploader: str | None
    upload_date: str | None
    width: int
    height: int
    fps: float | None
    duration: float | None
    format: str | None
    yt_dlp: str
    key: str


def fetch_video(url: str, target: Path, options: dict, settings: Settings) -> Original:
    """Download one video, unless it stands already, and say what it is.

    Args:
        url: a page that yt-dlp knows, or a video file itself.
        target: the file's path without suffix; the suffix is that of what comes. The
            sidecar is `<target>.json`.
        options: `short_side` (pixels or None), `audio`, `version`.
        settings: how to download.

    Raises:
        Failure: with the reason why there is no video.
        NotReady: the cookies are unusable, or the disk has no room.
    """
    if original := standing(url, target, options):
        return original
    with plain.partial_folder(target) as partial:
        try:
            file, info = _receive(url, target, partial, options, settings)
            video = media.probe(file)
        except Failure as failure:
            # Only of what broke off there is something to go on from.
            if failure.reason not in {"network", "rate_limited", "bot_check"}:
                shutil.rmtree(partial)
            raise
        original = Original(
            file=f"{target.name}{file.suffix}",
            bytes=file.stat().st_size,
            url=url,
            **{name: info.get(name) for name in ("id", "title", "uploader")},
            upload_date=info.get("upload_date"),
            width=video.width,
            height=video.height,
            fps=_known(video.fps),
            duration=_known(video.duration),
            format=info.get("format"),
            yt_dlp=yt_dlp.version.__version__,
            key=key(url, options),
        )
        remove(target)
        file.replace(target.with_name(original.file))
        files.write_text(sidecar(target), json.dumps(asdict(original), indent=1) + "\n")
        shutil.rmtree(partial)
    return original


def sidecar(target: Path) -> Path:
    """Return the path of the sidecar of a file, given without its suffix."""
    return target.with_name(f"{target.name}.json")


def key(url: str, options: dict) -> str:
    """Return the fingerprint of all that decides which file is taken."""
    return fingerprint(url=url, options=options)


def standing(url: str, target: Path, options: dict) -> Original | None:
    """Return what a former run took, if it is still there and what is asked for now."""
    original = _read(target)
    if original is None or original.key != key(url, options):
        return None
    path = target.with_name(original.file)
    return original if _size(path) == original.bytes else None


def remove(target: Path) -> None:
    """Delete what was taken before, with its sidecar."""
    if original := _read(target):
        target.with_name(original.file).unlink(missing_ok=True)
    sidecar(target).unlink(missing_ok=True)


def _read(target: Path) -> Original | None:
    try:
        return Original(**json.loads(sidecar(target).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _receive(
    url: str, target: Path, partial: Path, options: dict, settings: Settings
) -> tuple[Path, dict]:
    """Bring the file into the folder of partial files; return it and what is known."""
    if suffix := video_suffix(url):
        # A page's address may end like a file's; then yt-dlp has to look at it.
        with contextlib.suppress(plain.WebPage):
            file = plain.receive(url, target, partial, settings)
            return file.rename(file.with_suffix(suffix)), {"format": "the file itself"}
    return persistently(
        functools.partial(_extract, url, target, partial, options, settings),
        partial,
        settings,
    )


def _extract(
    url: str, target: Path, partial: Path, options: dict, settings: Settings
) -> tuple[Path, dict]:
    _forget_joined(partial)
    with (
        Watch(target.name, partial, settings) as watch,
        Session(
            settings,
            progress_hooks=[watch],
            **_choice(options, settings),
            match_filter=_only_one_video,
            noplaylist=True,
            # A fragment that fails once must not cost another look at the page.
            retries=1,
            skip_unavailable_fragments=False,
            keep_fragments=True,
            hls_prefer_native=True,
            external_downloader_args={"ffmpeg_i": _LOCAL},
            postprocessor_args={"ffmpeg_i": _LOCAL},
            paths={"home": str(partial.absolute())},
            # What is here of one format is no beginning of another.
            outtmpl={"default": "%(format_id)s.%(ext)s"},
        ) as session,
        session.failures(),
    ):
        try:
            info = session.extract_info(url)
        except (yt_dlp.utils.YoutubeDLError, Failure, NotReady):
            raise
        except Exception as error:
            # An extractor that stumbles over one page must not end the whole job.
            raise Failure("unknown", f"yt-dlp: {error!r}") from error
    if "entries" in info:
        info = next(iter(info["entries"]), {})
    taken = info.get("requested_downloads")
    if not taken or not Path(taken[0]["filepath"]).is_file():
        raise Failure("no_video", "yt-dlp found nothing to download at the address")
    return Path(taken[0]["filepath"]), info


def _forget_joined(partial: Path) -> None:
    """Delete what was joined of fragments, which are themselves here to be joined.

    After a kill yt-dlp may take it for less than it is and append fragments twice.
    """
    joined = {path.name.split(".part-Frag")[0] for path in partial.glob("*.part-Frag*")}
    for name in joined | {path.stem for path in partial.glob("*.ytdl")}:
        (partial / f"{name}.part").unlink(missing_ok=True)
        (partial / f"{name}.ytdl").unlink(missing_ok=True)


def _choice(options: dict, settings: Settings) -> dict:
    """Return yt-dlp's parameters that say which of the offered formats to take."""
    choice = {"format": "bv*+ba/b" if options["audio"] else "bv/b"}
    if options["short_side"] is not None:
        # The best that is not larger, else the smallest.
        choice["format_sort"] = [f"res:{options['short_side']}"]
    if settings.player_clients:
        clients = {"player_client": list(settings.player_clients)}
        choice["extractor_args"] = {"youtube": clients}
    return choice


def _only_one_video(info: dict, incomplete: bool = False) -> None:
    """Refuse what would go on for ever, or is several videos.

    Raises:
        Failure: `no_video`.
    """
    if info.get("is_live"):
        raise Failure("no_video", "it is a live stream that has not ended")
    if (info.get("n_entries") or 1) > 1:
        raise Failure("no_video", f"the address leads to {info['n_entries']} videos")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None

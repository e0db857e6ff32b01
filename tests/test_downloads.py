"""Downloads from a server that misbehaves, by the real yt-dlp."""

import dataclasses
import gc
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yt_dlp
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import DownloadError, ExtractorError

from scripts.common import addresses, media
from scripts.common.downloads import (
    NotReady,
    Settings,
    fetch_file,
    fetch_video,
    session,
)
from scripts.common.downloads.errors import classify
from scripts.common.downloads.settings import check_ready
from scripts.common.downloads.videos import sidecar
from scripts.common.tables import REASONS, Failure
from tests.projects import make_video
from tests.web import serve

FAST = Settings(sleep=0, sleep_requests=0, timeout=1, min_free=0, attempts=3)
SMALL = {"version": 1, "short_side": 360, "audio": False}
CONTENT = bytes(range(251)) * 1200


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.01)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A file; a video as mp4, HLS in two sizes, and DASH with sound apart."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "a.bin").write_bytes(CONTENT)
    make_video(folder / "v.mp4", seed=1, seconds=3, fps=25, size="320x240")
    make_video(folder / "large.mp4", seed=1, seconds=3, fps=25, size="640x480")
    for name in ("v", "large"):
        hls = ["-g", "25", "-hls_time", "1", "-hls_list_size", "0"]
        ffmpeg("-i", folder / f"{name}.mp4", *hls, folder / f"{name}.m3u8")
    (folder / "sizes.m3u8").write_text(
        "#EXTM3U\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=320x240\nv.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=640x480\nlarge.m3u8\n"
    )
    sound = ["-f", "lavfi", "-i", "sine=duration=3", "-c:a", "aac"]
    ffmpeg("-i", folder / "v.mp4", *sound, folder / "sound.mp4")
    ffmpeg("-i", folder / "sound.mp4", "-c", "copy", "-f", "dash", folder / "d.mpd")
    (folder / "noise.mp4").write_bytes(hashlib.shake_256(b"noise").digest(50_000))
    return folder


def ffmpeg(*arguments) -> None:
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


@pytest.fixture
def web(site):
    with serve(site) as server:
        yield server


def streams(path: Path) -> list[str]:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type"]
    command += ["-of", "csv=p=0", path]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


@pytest.fixture
def collected():
    """Collect what a test leaves open while the test's own filters are in force."""
    yield
    gc.collect()


def may_break_off(test):
    """Mark a test in which an HLS breaks off: yt-dlp does not close its file then."""
    filters = "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"
    return pytest.mark.usefixtures("collected")(
        pytest.mark.filterwarnings(filters)(test)
    )


def reason_of(call, *arguments, **options) -> str:
    with pytest.raises(Failure) as caught:
        call(*arguments, **options)
    return caught.value.reason


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "path",
    [
        "a.bin",
        "moved/a.bin",
        "error/1/500/a.bin",
        "later/429/0/a.bin",
        "later/503/0/a.bin",
        "stall/1/a.bin",
        "whole/1/a.bin",
    ],
)
def test_a_file_comes_whole_and_leaves_nothing_beside_it(web, tmp_path, path):
    fetch_file([web.url(path)], tmp_path / "new" / "f", FAST)
    assert (tmp_path / "new" / "f").read_bytes() == CONTENT
    assert left_in(tmp_path / "new") == ["f"]


def test_after_a_break_only_the_rest_is_asked_for(web, tmp_path):
    cut = 2 * session.BLOCK
    path = f"cut/2/{cut}/a.bin"
    fetch_file([web.url(path)], tmp_path / "f", FAST)
    assert (tmp_path / "f").read_bytes() == CONTENT
    ranges = [request.range for request in web.asked(path)]
    assert ranges == [None, f"bytes={cut}-", f"bytes={2 * cut}-"]
    assert sum(request.sent for request in web.requests) == len(CONTENT)


def test_attempts_count_only_while_nothing_new_arrives(web, tmp_path):
    once = dataclasses.replace(FAST, attempts=2)
    path = f"cut/4/{session.BLOCK}/a.bin"
    fetch_file([web.url(path)], tmp_path / "f", once)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert reason_of(fetch_file, [web.url("cut/9/0/a.bin")], tmp_path / "g", once)
    assert len(web.asked("cut/9/0/a.bin")) == 2


@pytest.mark.parametrize("kind", ["cut", "blind"])
def test_another_run_goes_on_unless_the_file_has_changed(web, tmp_path, site, kind):
    never = dataclasses.replace(FAST, attempts=1)
    shutil.copy(site / "a.bin", site / "changing.bin")
    url = web.url(f"{kind}/1/{session.BLOCK}/changing.bin")
    assert reason_of(fetch_file, [url], tmp_path / "f", never) == "network"
    assert not (tmp_path / "f").exists()
    (site / "changing.bin").write_bytes(CONTENT[::-1])
    os.utime(site / "changing.bin", (1, 1))
    fetch_file([url], tmp_path / "f", FAST)
    assert (tmp_path / "f").read_bytes() == CONTENT[::-1]
    assert web.requests[1].range == f"bytes={session.BLOCK}-"


def test_a_server_that_sends_less_than_it_declares_fails(web, tmp_path):
    url = web.url("lie/50000/a.bin")
    assert reason_of(fetch_file, [url], tmp_path / "f", FAST) == "network"
    assert not (tmp_path / "f").exists()


def test_a_server_that_wants_long_patience_is_not_asked_again(web, tmp_path):
    path = "later/429/100000/a.bin"
    assert reason_of(fetch_file, [web.url(path)], tmp_path / "f", FAST) == (
        "rate_limited"
    )
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing.bin", "not_found"),
        ("error/9/403/a.bin", "unknown"),
        ("error/9/410/a.bin", "removed"),
        ("error/9/451/a.bin", "geo"),
        ("error/9/429/a.bin", "rate_limited"),
    ],
)
def test_a_last_word_is_not_asked_for_again(web, tmp_path, path, reason):
    assert reason_of(fetch_file, [web.url(path)], tmp_path / "f", FAST) == reason
    assert len(web.requests) == 1
    assert left_in(tmp_path) == []


def test_a_page_in_place_of_the_file_is_told(web, tmp_path):
    with pytest.raises(Failure, match="sends a web page"):
        fetch_file([web.url("page/a.zip")], tmp_path / "f.zip", FAST)
    assert left_in(tmp_path) == []
    fetch_file([web.url("page/a.html")], tmp_path / "f.html", FAST)
    assert (tmp_path / "f.html").is_file()


def test_the_first_address_that_works_gives_the_file(web, tmp_path):
    dead = "http://127.0.0.1:1/a.bin"
    urls = [dead, web.url("nothing.bin"), web.url("a.bin")]
    fetch_file(urls, tmp_path / "f", FAST)
    assert left_in(tmp_path) == ["f"]
    with pytest.raises(Failure, match=r"(?s)127.0.0.1:1/.*network.*not_found"):
        fetch_file(urls[:2], tmp_path / "g", FAST)


def test_a_wrong_file_is_not_kept_and_the_next_mirror_is_asked(web, tmp_path, site):
    (site / "other.bin").write_bytes(CONTENT[:-1] + b"x")
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    fetch_file(
        [web.url("other.bin"), web.url("a.bin")], tmp_path / "f", FAST, sha256=sha256
    )
    assert (tmp_path / "f").read_bytes() == CONTENT
    with pytest.raises(Failure, match=f"should be {sha256}"):
        fetch_file([web.url("other.bin")], tmp_path / "g", FAST, sha256=sha256)
    assert left_in(tmp_path) == ["f"]


def test_a_wrong_size_is_seen_before_the_file_comes(web, tmp_path):
    with pytest.raises(Failure, match=f"{len(CONTENT)} bytes and should have 7"):
        fetch_file([web.url("slow/0.2/a.bin")], tmp_path / "f", FAST, bytes=7)
    assert web.requests[0].sent < len(CONTENT)


def test_a_file_that_is_right_is_not_asked_for(web, tmp_path):
    (tmp_path / "f").write_bytes(CONTENT)
    fetch_file([web.url("a.bin")], tmp_path / "f", FAST, bytes=len(CONTENT))
    assert not web.requests


def test_the_disk_is_not_filled(web, tmp_path):
    greedy = dataclasses.replace(FAST, min_free=1e18)
    with pytest.raises(NotReady, match="min_free"):
        fetch_file([web.url("a.bin")], tmp_path / "f", greedy)
    assert not web.requests


def test_a_limited_rate_is_kept(web, tmp_path):
    moments = []
    limited = dataclasses.replace(FAST, rate_limit=1e6)
    with session.Session(limited, progress_hooks=[moments.append]) as ydl:
        ydl.dl(str(tmp_path / "f"), {"url": web.url("a.bin")})
    assert moments[-1]["elapsed"] >= 0.2


def test_cookies_are_sent_and_their_file_stays_as_it_was(web, tmp_path):
    cookies = tmp_path / "cookies.txt"
    record = ["127.0.0.1", "FALSE", "/", "FALSE", "4102444800", "who", "me"]
    text = "# Netscape HTTP Cookie File\n" + "\t".join(record) + "\n"
    cookies.write_text(text)
    settings = dataclasses.replace(FAST, cookies=str(cookies))
    fetch_file([web.url("a.bin")], tmp_path / "f", settings)
    fetch_video(web.url("v.m3u8"), tmp_path / "v", SMALL, settings)
    assert {r.headers["cookie"] for r in web.requests} == {"who=me"}
    assert cookies.read_text() == text


@pytest.mark.parametrize("content", [None, "", '[{"name": "who"}]', "who=me\n"])
def test_unusable_cookies_are_told_before_the_first_request(tmp_path, content):
    if content is not None:
        (tmp_path / "cookies.txt").write_text(content)
    settings = Settings(cookies=str(tmp_path / "cookies.txt"))
    with pytest.raises(NotReady, match=r"cookies\.txt"):
        check_ready([], settings)


def test_all_goes_through_the_proxy(web, tmp_path):
    settings = dataclasses.replace(FAST, proxy=web.url(""))
    fetch_file(["http://nowhere.invalid/a.bin"], tmp_path / "f", settings)
    fetch_video("http://nowhere.invalid/v.m3u8", tmp_path / "v", SMALL, settings)
    assert all(request.proxied for request in web.requests)


def test_youtube_without_javascript_is_told_beforehand(monkeypatch):
    check_ready(["v_GGSY1Qvo9"], Settings())
    monkeypatch.setattr("sysconfig.get_path", lambda *_: "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    check_ready(["https://example.org/v.mp4"], Settings())
    with pytest.raises(NotReady, match="pip install deno"):
        check_ready(["v_GGSY1Qvo9"], Settings())


def test_a_video_file_is_taken_as_it_is(web, tmp_path, site):
    taken = fetch_video(web.url("v.mp4"), tmp_path / "x.y", SMALL, FAST)
    assert (tmp_path / "x.y.mp4").read_bytes() == (site / "v.mp4").read_bytes()
    assert left_in(tmp_path) == ["x.y.json", "x.y.mp4"]
    assert json.loads(sidecar(tmp_path / "x.y").read_text()) == (
        dataclasses.asdict(taken)
    )
    assert (taken.width, taken.height, taken.fps) == (320, 240, 25)
    assert taken.duration == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    ("short_side", "height"), [(240, 240), (360, 240), (100, 240), (None, 480)]
)
def test_the_best_that_is_not_larger_is_taken(web, tmp_path, short_side, height):
    options = SMALL | {"short_side": short_side}
    taken = fetch_video(web.url("sizes.m3u8"), tmp_path / "v", options, FAST)
    assert taken.height == height
    assert left_in(tmp_path) == ["v.json", "v.mp4"]


def test_sound_comes_only_where_it_is_asked_for(web, tmp_path):
    for audio, kinds in ((False, ["video"]), (True, ["audio", "video"])):
        options = SMALL | {"audio": audio}
        taken = fetch_video(web.url("d.mpd"), tmp_path / "v", options, FAST)
        assert sorted(streams(tmp_path / taken.file)) == kinds
    assert left_in(tmp_path) == ["v.json", taken.file]


@may_break_off
def test_a_missing_fragment_fails_the_video(web, tmp_path, site):
    (site / "v1.ts").rename(site / "gone")
    try:
        reason = reason_of(fetch_video, web.url("v.m3u8"), tmp_path / "v", SMALL, FAST)
        assert reason == "not_found"
        assert left_in(tmp_path) == []
    finally:
        (site / "gone").rename(site / "v1.ts")
    assert fetch_video(web.url("v.m3u8"), tmp_path / "v", SMALL, FAST).bytes


@may_break_off
def test_a_fragment_that_fails_at_first_is_tried_again(web, tmp_path):
    taken = fetch_video(web.url("error/1/503/v.m3u8"), tmp_path / "v", SMALL, FAST)
    assert taken.duration == pytest.approx(3, abs=0.1)


@may_break_off
def test_fragments_that_are_here_are_neither_asked_for_nor_joined_twice(
    web, tmp_path, site
):
    playlist = (site / "v.m3u8").read_text().replace("v2.ts", "/error/2/503/v2.ts")
    (site / "breaks.m3u8").write_text(playlist)
    once = dataclasses.replace(FAST, attempts=1)
    url = web.url("breaks.m3u8")
    assert reason_of(fetch_video, url, tmp_path / "v", SMALL, once) == "network"
    (note,) = (tmp_path / ".partial-v").glob("*.ytdl")
    note.write_text("")  # as a kill in the middle of writing leaves it
    taken = fetch_video(url, tmp_path / "v", SMALL, once)
    assert media.probe(tmp_path / taken.file, decode=True).frames == 75
    assert [len(web.asked(f"v{n}.ts")) for n in (0, 1)] == [1, 1]
    assert left_in(tmp_path) == ["v.json", "v.mp4"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing.mp4", "not_found"),
        ("page/v.mp4", "no_video"),
        ("page/v", "no_video"),
        ("noise.mp4", "not_video"),
        ("error/9/500/v.mp4", "network"),
        ("error/9/500/v.m3u8", "network"),
    ],
)
def test_what_is_no_video_has_a_reason_and_leaves_nothing(web, tmp_path, path, reason):
    url = web.url(path)
    assert reason_of(fetch_video, url, tmp_path / "v", SMALL, FAST) == reason
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("path", ["large.mp4", "large.m3u8"])
@may_break_off
def test_a_video_that_is_too_large_is_not_taken(web, tmp_path, path):
    limited = dataclasses.replace(FAST, max_bytes=10_000)
    reason = reason_of(fetch_video, web.url(path), tmp_path / "v", SMALL, limited)
    assert reason == "too_large"
    assert left_in(tmp_path) == []


def test_a_standing_video_is_asked_for_only_if_other_options_want_it(web, tmp_path):
    url = web.url("v.mp4")
    taken = fetch_video(url, tmp_path / "v", SMALL, FAST)
    assert fetch_video(url, tmp_path / "v", SMALL, FAST) == taken
    assert len(web.requests) == 1
    fetch_video(url, tmp_path / "v", SMALL | {"short_side": 240}, FAST)
    assert len(web.requests) == 2
    (tmp_path / "v.mp4").unlink()
    fetch_video(url, tmp_path / "v", SMALL | {"short_side": 240}, FAST)
    assert len(web.requests) == 3


# What sites say, YouTube above all; none of them can be asked here.
SAID = [
    ("Private video. Sign in if you've been granted access", "private"),
    ("This video has been removed by the uploader", "removed"),
    ("This video has been removed for violating YouTube's Terms of Service", "removed"),
    ("Video unavailable. This video is no longer available because the YouTube account"
     " associated with this video has been terminated.", "removed"),
    ("Video unavailable. This video is not available", "removed"),
    ("Video unavailable", "removed"),
    ("Video unavailable. This video is no longer available due to a copyright claim by"
     " Somebody", "copyright"),
    ("This video contains content from Somebody, who has blocked it in your country on"
     " copyright grounds", "geo"),
    ("Video unavailable. This video contains content from Somebody, who has blocked it"
     " on copyright grounds", "copyright"),
    ("The uploader has not made this video available in your country", "geo"),
    ("Sign in to confirm your age. This video may be inappropriate for some users.",
     "age"),
    ("Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser"
     " or --cookies for the authentication.", "bot_check"),
    ("Sign in to confirm you're not a bot. This helps protect our community.",
     "bot_check"),
    ("Video unavailable. This content isn't available, try again later. The current"
     " session has been rate-limited by YouTube for up to an hour.", "rate_limited"),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback",
     "rate_limited"),
    ("Join this channel to get access to members-only content like this video",
     "members"),
    ("This video is only available to Music Premium members", "members"),
    ("This live event will begin in 3 days.", "no_video"),
    ("Premieres in 5 hours", "no_video"),
    ("Requested format is not available. Use --list-formats", "no_video"),
    ("Incomplete YouTube ID abc. URL https://x/abc looks truncated.", "not_found"),
    ("This video is DRM protected", "unknown"),
]  # fmt: skip


def said_by_a_site(text: str, **options) -> DownloadError:
    """What yt-dlp raises when an extractor says so."""

    class SiteIE(InfoExtractor):
        _VALID_URL = r"site:.*"

        def _real_extract(self, url):
            if options.get("geo"):
                self.raise_geo_restricted()
            raise ExtractorError(text, expected=True)

    with yt_dlp.YoutubeDL({"quiet": True, "logger": session._Log()}) as ydl:
        ydl._ies = {}
        ydl.add_info_extractor(SiteIE())
        with pytest.raises(DownloadError) as caught:
            ydl.extract_info("site:1")
    return caught.value


@pytest.mark.parametrize(("text", "reason"), SAID)
def test_what_sites_say_is_understood_and_kept(text, reason):
    assert classify(said_by_a_site(text)) == (reason, f"[Site] {text}")


def test_a_geo_restriction_is_understood():
    assert classify(said_by_a_site("", geo=True))[0] == "geo"


def test_an_address_in_a_message_says_nothing():
    error = DownloadError(
        "\x1b[0;31mERROR:\x1b[0m  odd:\n https://x/private-video-members-only"
    )
    assert classify(error) == ("unknown", "odd: https://x/private-video-members-only")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("-bcdefghij_", "https://www.youtube.com/watch?v=-bcdefghij_"),
        ("https://youtu.be/-bcdefghij_?t=4", "https://www.youtube.com/watch?v=-bcdefghij_"),
        ("http://m.youtube.com/watch?list=P&v=-bcdefghij_",
         "https://www.youtube.com/watch?v=-bcdefghij_"),
        ("https://www.youtube.com/shorts/-bcdefghij_",
         "https://www.youtube.com/watch?v=-bcdefghij_"),
        ("https://www.youtube.com/playlist?list=P",
         "https://www.youtube.com/playlist?list=P"),
        ("https://EXAMPLE.org/a'b ü.mp4", "https://EXAMPLE.org/a'b ü.mp4"),
        ("https://example.org/" + "x" * 300, "https://example.org/" + "x" * 300),
    ],
)  # fmt: skip
def test_every_address_has_one_url_and_one_name(path, url):
    address = addresses.parse(path)
    assert address.url == url
    assert address.name[0] not in "-."
    assert "/" not in address.name
    assert len(address.name.encode()) <= 200


@pytest.mark.parametrize("path", ["videos/a.mp4", "/a/b.mp4", "file:///a.mp4", "a b"])
def test_a_local_path_is_no_address(path):
    assert addresses.parse(path) is None


def test_reasons_are_those_of_the_tables():
    assert {reason for _, reason in SAID} <= REASONS.keys()

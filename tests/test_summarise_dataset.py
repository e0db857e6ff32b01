import csv
import html
import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts import build_index, check_failures, summarise_dataset, write_splits
from scripts.common import store, tables
from scripts.common.engine.stopwatch import Stopwatch
from scripts.common.ids import shard_name, shard_of, slug
from scripts.common.index import Entry
from scripts.common.report import pictures, selection, summary
from scripts.common.report.page import MOST_SPLITS, class_bars, human_size, neighbours
from scripts.common.tables import Row
from tests.features import write_part

SHARDS = 2
HOSTILE = (
    "<script>alert(1)</script>.mp4",
    "quo\"te's & co.mp4",
    "new\nline.mp4",
    "carriage\treturn.mp4",
    "right\u202eleft.mp4",
    "-dash $x^{2$.mp4",
)


UNDECODABLE = "undecodable\udcff.mp4"


@dataclass(frozen=True)
class Fake:
    """A video, and the stage (rule/name) at which it fails, if it does."""

    id: str
    label: str = ""
    split: str = ""
    fails_at: str = ""
    reason: str = "corrupt"


class Tree:
    """A results tree by the real writers, as far as stages were run."""

    def __init__(self, root: Path, videos: list[Fake]):
        self.root, self.videos = root, videos
        self.results = root / "results" / "demo"
        self.folders = {"clips": [], "frames": [], "lists": [], "features": []}
        entries = [
            Entry(
                self.row(video, "build_index"),
                tuple(video.label.split("|")) if video.label else (),
                {"default": video.split} if video.split else {},
            )
            for video in videos
        ]
        folder = self.results / "index"
        classes = sorted({x for v in videos for x in v.label.split("|")} - {""})
        build_index.write_index(build_index.checked(entries), classes, SHARDS, folder)
        (folder / "counts.tsv").write_text("what\texpected\tfound\nvideos\t\t1\n")

    def row(self, video: Fake, *stages: str) -> Row:
        """Return a video's row after the stages; failures are passed down."""
        row = Row(video.id, path=f"/data/{video.id}", key="k")
        if video.fails_at in stages:
            return row.failed(video.reason, f"<b>{video.reason}</b> of {video.id}")
        return row

    def shards(self) -> dict[str, list[Fake]]:
        shards = {}
        for video in self.videos:
            name = shard_name(shard_of(video.id, SHARDS))
            shards.setdefault(name, []).append(video)
        return shards

    def add_clips(self, encoding="default", seconds=4.0):
        folder = self.results / "clips" / encoding
        for shard, videos in self.shards().items():
            rows = []
            for video in videos:
                row = self.row(video, "build_index", f"transcode_clips/{encoding}")
                path = f"{folder}/{shard}/{slug(video.id)}.mp4"
                rows.append(_filled(row, path, seconds, 1000) if row.ok else row)
            tables.write(folder / f"{shard}.tsv", rows, "transcode_clips of …")
        self.folders["clips"].append(folder)
        return self

    def add_frames(self, encoding="default"):
        folder = self.results / "frames" / encoding
        before = ("build_index", f"transcode_clips/{encoding}")
        for shard, videos in self.shards().items():
            rows = []
            for place, video in enumerate(videos):
                row = self.row(video, *before, f"dump_frames/{encoding}")
                target = folder / shard / slug(video.id)
                if row.ok:
                    row = _filled(row, str(target), 4.0, 5000)
                    target.mkdir(parents=True)
                    for number in range(1, 101):
                        colour = (2 * number, 40 * place % 256, 120)
                        picture = Image.new("RGB", (34, 26), colour)
                        picture.save(target / f"{number:05d}.jpg")
                rows.append(row)
            tables.write(folder / f"{shard}.tsv", rows)
        self.folders["frames"].append(folder)
        return self

    def add_lists(self, name="official"):
        folder = self.results / "splits" / "ibm" / name
        options = {"set": "default", "splits": "annotations", "separator": " "}
        argv = ["--index", str(self.results / "index"), "--lists", str(folder)]
        argv += ["--frames", str(self.folders["frames"][0])]
        write_splits.main([*argv, "--options", json.dumps(options)])
        self.folders["lists"].append(folder)
        return self

    def add_features(self, model="s3d", weights="random, seed 0", arrays=None):
        path = self.results / "features" / f"{model}.h5"
        before = ("build_index", "transcode_clips/default", f"extract_features/{model}")
        rows, parts = [], []
        for place, video in enumerate(self.videos):
            row = self.row(video, *before)
            if row.ok:
                rng = np.random.default_rng(place)
                values = {"features": rng.random((1 + place % 3, 8))}
                values["logits"] = np.zeros((1, 1))
                values["timestamps"] = np.zeros((1 + place % 3, 2))
                part = self.root / f"{place}.h5"
                write_part(part, video.id, "k", values | (arrays or {}))
                parts.append((part, [video.id]))
                row = replace(row, path=str(path), bytes=1)
            rows.append(row)
        provenance = {"model": model, "weights": weights, "fps": 25.0, "tail": "last"}
        provenance |= {"stack": 64, "stride": 1, "step": 32}
        store.merge(path, parts, provenance)
        tables.write(path.with_suffix(".tsv"), sorted(rows, key=lambda row: row.id))
        self.folders["features"].append(path)
        return self

    def add_benchmark(self, rule, name, seconds):
        path = self.root / "benchmarks" / rule / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t100.5\n")
        return self

    def report(self, name="report", about: dict | None = None) -> str:
        """Run the script and return the page."""
        page = self.results / f"{name}.html"
        argv = ["--dataset", "demo", "--index", str(self.results / "index")]
        argv += ["--options", json.dumps({"about": about or {}})]
        for option, paths in self.folders.items():
            argv += [f"--{option}", *map(str, paths)]
        argv += ["--benchmarks", str(self.root / "benchmarks"), "--page", str(page)]
        summarise_dataset.main([*argv, "--failures", str(self.failures_path)])
        return page.read_text(encoding="utf-8")

    @property
    def failures_path(self) -> Path:
        return self.results / "failures.tsv"

    def failures(self) -> list[dict[str, str]]:
        with self.failures_path.open(
            newline="", encoding="utf-8", errors="surrogateescape"
        ) as file:
            return list(csv.DictReader(file, dialect="excel-tab"))


def _filled(row: Row, path: str, seconds: float, size: int) -> Row:
    shape = {"fps": 25.0, "width": 340, "height": 256}
    frames = round(25 * seconds)
    return replace(row, path=path, bytes=size, duration=seconds, frames=frames, **shape)


def tiles(page: str) -> dict[str, str]:
    """Return the tiles' numbers by what they say."""
    found = re.findall(r'tile"><b[^>]*>(.*?)</b><span>(.*?)</span>', page)
    return {re.sub(r"<.*?>|,.*", "", name): number for number, name in found}


def text_of(page: str) -> str:
    """Return a page's text without marks and with single spaces."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


MIXED = [
    *(Fake(f"run/{n}.mp4", "run", "train") for n in range(4)),
    *(Fake(f"walk/{n}.mp4", "walk", "test") for n in range(3)),
    Fake("gone.mp4", "walk", "test", "build_index", "missing"),
    Fake("damaged.mp4", "run", "train", "transcode_clips/default"),
    Fake("frameless.mp4", "run", "train", "dump_frames/default", "killed"),
    Fake("featureless.mp4", "run", "test", "extract_features/s3d", "empty"),
]


@pytest.fixture
def mixed(tmp_path):
    tree = Tree(tmp_path, MIXED)
    return tree.add_clips().add_frames().add_lists().add_features()


def test_tiles_count_what_there_is(mixed):
    page = mixed.report()
    files = mixed.results.glob("features/**/*.h5")
    size = 9 * 1000 + 8 * 5000 + sum(path.stat().st_size for path in files)
    assert tiles(page) == {
        "videos": "11",
        "classes": "2",
        "with every result": "7",
        "failed": "4",
        "of clips": "36.0 s",
        "frames as pictures": "800",
        "on disk": human_size(size),
    }


def test_each_failed_video_has_the_first_stage_at_which_it_failed(mixed):
    mixed.report()
    assert [(f["id"], f["stage"], f["status"]) for f in mixed.failures()] == [
        ("damaged.mp4", "transcode_clips/default", "corrupt"),
        ("featureless.mp4", "extract_features/s3d", "empty"),
        ("frameless.mp4", "dump_frames/default", "killed"),
        ("gone.mp4", "build_index", "missing"),
    ]
    assert check_failures.read_reasons(mixed.failures_path) == {
        "damaged.mp4": "corrupt",
        "featureless.mp4": "empty",
        "frameless.mp4": "killed",
        "gone.mp4": "missing",
    }


def test_a_video_that_fails_in_two_encodings_is_one_row(tmp_path):
    tree = Tree(tmp_path, [Fake("a.mp4"), Fake("b.mp4", fails_at="build_index")])
    tree.add_clips("default").add_clips("original").report()
    assert [f["id"] for f in tree.failures()] == ["b.mp4"]


def test_the_table_says_what_each_stage_made(mixed):
    text = text_of(mixed.report())
    assert "Clips default 9 of 11 36.0 s, 900 frames 340 " in text
    assert "Frames default 8 of 11 800 pictures 40.0 kB" in text
    assert "official, ibm 8 of 11 train 4, test 4 3 without a result" in text
    assert "Features s3d 8 of 11 14 windows; features of 8; logits of 1" in text
    assert "64 frames, stride 1, step 32, at 25 fps, tail: last" in text
    for folder in mixed.folders["clips"] + mixed.folders["features"]:
        assert str(folder) in text


def test_reasons_are_counted_and_explained(mixed):
    text = text_of(mixed.report())
    for reason in ("corrupt", "empty", "killed", "missing"):
        assert f"{reason} 1 {tables.REASONS[reason]}" in text


def test_sources_that_were_not_copied_take_no_space(tmp_path):
    tree = Tree(tmp_path, [Fake("a.mp4")]).add_clips("original")
    manifest = next(tree.folders["clips"][0].glob("*.tsv"))
    rows = [replace(row, path="/data/a.mp4") for row in tables.read(manifest)]
    tables.write(manifest, rows)
    assert tiles(tree.report())["on disk"] == "0 B"


def test_random_weights_are_shouted_about(mixed):
    assert "they mean nothing" in mixed.report()


def test_trained_weights_are_not(tmp_path):
    tree = Tree(tmp_path, MIXED).add_clips().add_features(weights="0123456789abcdef99")
    page = tree.report()
    assert "they mean nothing" not in page
    assert "random weights" not in page
    assert ">0123456789abcdef</code>" in page


def test_ids_labels_and_messages_are_text_and_not_markup(tmp_path):
    videos = [
        Fake(name, label=f"<i>{n}</i> $\\frac 走る", split="<u>")
        for n, name in enumerate(HOSTILE)
    ]
    videos += [
        Fake(f"bad {name}", fails_at="transcode_clips/default")
        for name in (*HOSTILE, UNDECODABLE)
    ]
    tree = Tree(tmp_path, videos).add_clips().add_frames().add_features()
    page = tree.report()
    for mark in ("<script", "<i>0", "<u>", "<b>corrupt", "\u202e", "te's &"):
        assert mark not in page
    text = html.unescape(page)
    assert "<script>alert(1)</script>.mp4" in text
    assert r"new\nline.mp4" in text
    assert r"right\u202eleft.mp4" in text
    assert r"undecodable\udcff.mp4" in text
    assert [f["id"] for f in tree.failures()] == sorted(
        f"bad {v}" for v in (*HOSTILE, UNDECODABLE)
    )


def test_a_carriage_return_in_an_id_stays_in_its_row():
    failed = summary.Failed("build_index", "missing", "no file")
    text = summarise_dataset.render_failures({"a\rb": failed, "c": failed})
    assert text.splitlines()[0] == "id\tstage\tstatus\tmessage"
    assert '"a\rb"\t"build_index"\t"missing"\t"no file"\n' in text
    assert "\nc\tbuild_index\tmissing\tno file\n" in text


@pytest.mark.parametrize(
    "build",
    [
        lambda tree: tree,
        lambda tree: tree.add_clips(),
        lambda tree: tree.add_clips().add_frames(),
        lambda tree: tree.add_clips().add_features(),
        lambda tree: tree.add_clips().add_frames().add_lists().add_features(),
    ],
    ids=["index", "clips", "frames", "features", "all"],
)
@pytest.mark.parametrize(
    "videos",
    [
        [Fake("one.mp4", "run", "train")],
        [Fake("one.mp4")],
        [Fake(f"{n}.mp4", "run", fails_at="build_index") for n in range(3)],
        [Fake(f"{n}.mp4", fails_at="transcode_clips/default") for n in range(3)],
        [Fake(f"{n}.mp4") for n in range(5)],
    ],
    ids=["one", "unlabelled", "all missing", "all corrupt", "five"],
)
def test_whatever_is_absent_there_is_a_page(tmp_path, build, videos):
    page = build(Tree(tmp_path, videos)).report()
    total = str(len(videos))
    assert tiles(page)["video" if len(videos) == 1 else "videos"] == total
    assert page.rstrip().endswith("</html>")


def test_the_same_input_gives_the_same_bytes(mixed):
    assert mixed.report("one") == mixed.report("two")


def test_the_page_needs_nothing_but_itself(mixed):
    page = mixed.report()
    assert not re.search(r"(?:src|href)=\"(?!data:image/|#)", page)
    assert not re.search(r"<script|<link|@import|url\(", page)
    assert "http" not in page.replace("http-equiv", "")


def test_only_so_many_failed_videos_are_listed(tmp_path):
    videos = [Fake(f"{n:03d}.mp4", fails_at="build_index") for n in range(250)]
    tree = Tree(tmp_path, videos)
    text = text_of(tree.report())
    assert "199.mp4" in text
    assert "200.mp4" not in text
    assert "The first 200 of 250; all are in failures.tsv" in text
    assert len(tree.failures()) == 250


def test_throughput_adds_up_the_jobs_of_the_shards_that_there_are(mixed):
    for shard in ("00000", "00001", "00007"):  # the last is of another time
        mixed.add_benchmark("transcode_clips", f"demo.default.{shard}", 2.25)
    mixed.add_benchmark("build_index", "demo", 0.5)
    mixed.add_benchmark("build_index", "other", 99)
    text = text_of(mixed.report())
    assert "transcode_clips/default 2 4.5 s 2 105 MB" in text
    assert "build_index 1 0.5 s 22 105 MB" in text
    assert "extract_features/s3d 1" not in text


def test_where_the_time_of_extraction_went_is_added_up_over_the_shards(mixed):
    (path,) = mixed.folders["features"]
    for shard in ("00000", "00001", "00007"):  # the last is of another time
        watch = Stopwatch()
        watch.videos, watch.windows = 2, 30
        watch.parts = {"load": 1.0, "network": 8.0, "decode": 3.5}
        watch._start -= 10
        watch.record(path.with_suffix("") / f"{shard}.times.tsv", models="c3d + s3d")
    text = text_of(mixed.report())
    assert "c3d + s3d 2 4 60 3 load 10 %, wait for frames 0 %," in text
    assert (
        "network 80 %, other 10 % meanwhile: decode 7.0 s, resize 0.0 s, write" in text
    )


def test_features_that_are_not_finite_are_named(tmp_path):
    tree = Tree(tmp_path, [Fake(f"{n}.mp4") for n in range(4)]).add_clips()
    tree.add_features(arrays={"features": np.full((2, 8), np.nan)})
    assert "4 videos of those looked at have features that are not" in text_of(
        tree.report()
    )


def test_a_contact_sheet_without_dumped_frames_comes_from_the_clips(tmp_path):
    clip = tmp_path / "a.mp4"
    source = "testsrc=duration=2:size=64x48:rate=10"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, str(clip)], check=True
    )
    row = Row("a", path=str(clip), frames=20, fps=10.0, duration=2.0)
    strip = pictures.strip_of_clip(row)
    assert strip.startswith("data:image/jpeg;base64,")
    one = replace(row, frames=1, duration=0.1)
    assert pictures.strip_of_clip(one).startswith("data:image/jpeg;base64,")
    assert pictures.strip_of_clip(replace(row, path=str(tmp_path / "no.mp4"))) is None


def test_stills_open_nothing_but_containers_on_the_disk(tmp_path):
    row = Row("a", path="concat:/etc/passwd", frames=20, fps=10.0)
    command, stills = pictures.stills_command(row, tmp_path)
    assert command.count("-protocol_whitelist") == command.count("-i") == len(stills)
    assert "file:concat:/etc/passwd" in command
    assert "concat:/etc/passwd" not in command


def test_frames_that_are_gone_leave_a_gap_and_no_error(mixed):
    shutil.rmtree(mixed.results / "frames" / "default" / "00000")
    assert "no picture: its files cannot be read" in mixed.report()


def test_videos_are_spread_over_the_classes():
    by_class = {f"c{n:02d}": [f"c{n:02d}/{m}" for m in range(9)] for n in range(30)}
    chosen = selection.spread(by_class, 12)
    assert len({video.partition("/")[0] for video in chosen}) == 12
    by_class = {"a": ["a1", "a2", "a3", "a4"], "b": ["b1"], "c": ["c2", "c1"]}
    assert selection.spread(by_class, 6) == ["a1", "a2", "a3", "b1", "c1", "c2"]


def test_bars_of_classes_add_up_to_the_class():
    totals = Counter(run=10, walk=12, sit=1)
    by_split = Counter({("run", "train"): 6, ("run", "test"): 3, ("walk", "test"): 12})
    splits, bars = class_bars(totals, by_split, most=2)
    assert splits == ["train", "test", "in no list"]
    assert [(bar.label, bar.parts) for bar in bars] == [
        ("walk", (0, 12, 0)),
        ("run", (6, 3, 1)),
    ]


def test_more_splits_than_colours_are_not_lost():
    totals = Counter(run=9)
    by_split = Counter({("run", f"s{n}"): 1 for n in range(9)})
    splits, (bar,) = class_bars(totals, by_split)
    assert len(splits) == MOST_SPLITS + 1
    assert sum(bar.parts) == 9


def test_features_that_know_the_classes_find_their_neighbours():
    vectors = pictures.directions(
        np.array([[1.0, 0], [0.9, 0], [0, 1.0], [0, 0.9], [5, 5]])
    )
    labels = ["a", "a", "b", "b", "alone"]
    assert neighbours(vectors, labels) == (4, 4, 1.0)
    assert neighbours(vectors, [""] * 5) is None


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "values", [[3.0], [1.0] * 5, list(range(500)), [1.0] * 200 + [9000.0]]
)
def test_every_video_is_in_some_bar(values, whole):
    values, counts = np.array(values, float), np.ones(len(values))
    edges, beyond = pictures.bins(values, counts, whole)
    heights, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    assert heights.sum() == len(values)
    assert len(edges) <= 33
    assert beyond == (values > edges[-1]).sum()
    assert pictures.histogram(values, None, "seconds", whole)


def test_chromium_shows_the_page(mixed, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("chromium is not installed")
    mixed.report()
    picture = tmp_path / "page.png"
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu"]
    flags += ["--disable-dev-shm-usage", f"--user-data-dir={tmp_path}/chromium"]
    flags += ["--window-size=1000,1600", f"--screenshot={picture}"]
    page = (mixed.results / "report.html").as_uri()
    subprocess.run(
        [chromium, *flags, page], check=True, capture_output=True, timeout=120
    )
    with Image.open(picture) as shown:
        assert len(shown.convert("RGB").getcolors(2**24)) > 100


def test_the_page_says_what_the_dataset_is_and_what_was_expected(tmp_path):
    tree = Tree(tmp_path, [Fake("a.mp4", "run", "train")])
    table = "what\texpected\tfound\nvideos\t5\t1\nclasses\t\t1\n"
    (tree.results / "index" / "counts.tsv").write_text(table)
    about = {"title": "UCF<101>", "homepage": "https://a.org/", "by_hand": "ask them"}
    page = tree.report(about=about)
    assert "UCF&lt;101&gt;" in page
    assert '<a href="https://a.org/">' in page
    text = text_of(page)
    assert "Annotated Expected Found videos 5 1" in text
    assert "ask them" not in text


def test_a_video_of_two_classes_counts_for_both(tmp_path):
    tree = Tree(tmp_path, [Fake("a.mp4", "run|fall", "train"), Fake("b.mp4", "run")])
    bars = summary.read_index(tree.results / "index" / "videos.tsv", {}).classes()
    assert bars == {"run": 2, "fall": 1}


def test_a_failed_download_is_told_as_such(tmp_path):
    tree = Tree(tmp_path, [Fake("a.mp4", fails_at="download_videos/videos")])
    folder = tree.results / "videos"
    for shard, videos in tree.shards().items():
        rows = [tree.row(video, "download_videos/videos") for video in videos]
        tables.write(folder / f"{shard}.tsv", rows)
    for shard in {"00000", "00001"} - set(tree.shards()):
        tables.write(folder / f"{shard}.tsv", [])
    tree.folders["videos"] = [folder]
    tree.report()
    (failed,) = tree.failures()
    assert failed["stage"] == "download_videos/videos"

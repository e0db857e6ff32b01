import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from scripts.common import containers
from scripts.common.containers.products import products
from scripts.common.flow.quantisation import Quantisation
from scripts.common.runner import Job
from scripts.common.tables import Row
from scripts.compute_flow import as_pictures

FRAMES, FLOW = ("frames", "tar", "hdf5"), ("tsn", "ibm", "tar", "hdf5")
# What ids of videos may look like.
IDS = ("run/a clip.mp4", "日本/b.c.mp4", "=2E.\udcff/-\n'", "x" * 190 + ".mp4")


def job_in(folder: Path) -> Job:
    return Job("stage", Path(), folder / "00000.tsv", {})


def rows(*ids: str) -> list[Row]:
    return [
        Row(video_id, key=f"key of {number}") for number, video_id in enumerate(ids)
    ]


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


def shades(row: Row, count: int) -> list[int]:
    return [hash_of(row.id) + 9 * number for number in range(count)]


def hash_of(text: str) -> int:
    return sum(text.encode("utf-8", "surrogateescape")) % 100


def add_frames(kept, row: Row, count: int = 5) -> Row:
    about = {"id": row.id, "key": row.key, "layout": "frames", "format": "jpg"}
    return kept.add(row, about, ({"": jpeg(shade)} for shade in shades(row, count)))


def some_flow(count: int = 70) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.uniform(-25, 25, (count, 2, 16, 24)).astype(np.float32)


def add_flow(kept, row: Row, layout: str, storage: str, flow: np.ndarray) -> Row:
    bits, form = {"jpg": (8, "jpg"), "png16": (16, "png")}[storage]
    about = {"key": row.key, "layout": layout, "format": form}
    about["flow"] = Quantisation(20, bits).as_dict()
    options = {"bound": 20, "storage": storage, "quality": 95}
    return kept.add(row, about, as_pictures(flow, options))


@pytest.mark.parametrize("layout", FRAMES)
def test_frames_come_back_as_they_were_put_in(tmp_path, layout):
    job = job_in(tmp_path)
    kept = products(job, layout)
    made = [add_frames(kept, row) for row in rows(*IDS)]
    kept.finish(made)
    assert all(kept.stand(row) for row in made)
    with containers.of_row(made[0]) as shard:
        assert sorted(shard.ids()) == sorted(IDS)
        for row in made:
            assert shard.count(row.id) == 5
            pixels = containers.frames(shard, row.id)
            assert (pixels.shape, pixels.dtype) == ((5, 16, 24, 3), np.uint8)
            assert pixels[:, 0, 0, 0].tolist() == shades(row, 5)
            few = containers.frames(shard, row.id, [4, 0])
            assert np.array_equal(few, pixels[[4, 0]])


@pytest.mark.parametrize("storage", ["jpg", "png16"])
def test_every_layout_gives_back_the_same_flow(tmp_path, storage):
    flow, found = some_flow(), {}
    for layout in FLOW:
        kept = products(job_in(tmp_path / layout), layout)
        (row,) = rows("a/b.mp4")
        made = add_flow(kept, row, layout, storage, flow)
        kept.finish([made])
        with containers.of_row(made) as shard:
            found[layout] = containers.flows(shard, row.id)
            assert shard.count(row.id) == len(flow)
            part = containers.flows(shard, row.id, [69, 3])
            assert np.array_equal(part, found[layout][[69, 3]])
    assert found["tsn"].shape == flow.shape
    for layout in FLOW:
        assert np.array_equal(found[layout], found["tsn"]), layout
    if storage == "png16":
        assert np.abs(found["tsn"] - flow.clip(-20, 20)).max() <= 20 / 65534 + 1e-6


def test_folders_bear_the_names_that_their_readers_look_for(tmp_path):
    for layout in ("tsn", "ibm"):
        kept = products(job_in(tmp_path / layout), layout)
        add_flow(kept, Row("v", key="k"), layout, "jpg", some_flow(2))
    names = {path.name for path in (tmp_path / "tsn/00000/v").iterdir()}
    flow = {f"flow_{a}_0000{n}.jpg" for a in "xy" for n in (1, 2)}
    assert names == flow | {"flow.json"}
    names = {path.name for path in (tmp_path / "ibm/00000/v").iterdir()}
    assert names == {f"0000{n}_{a}.jpg" for a in "xy" for n in (1, 2)} | {"flow.json"}


def test_a_tar_is_one_that_webdataset_reads(tmp_path):
    kept = products(job_in(tmp_path), "tar")
    made = [add_flow(kept, r, "tar", "jpg", some_flow(2)) for r in rows(*IDS[:2])]
    kept.finish(made)
    with tarfile.open(tmp_path / "00000.tar") as archive:
        names = archive.getnames()
    # WebDataset: a sample is what shares the name up to the first dot of its last part.
    samples: dict[str, list[str]] = {}
    for name in names:
        key, field = re.fullmatch(r"((?:.*/|)[^.]+)[.]([^/]*)", name).groups()
        samples.setdefault(key, []).append(field)
    fields = ["json", "00001.x.jpg", "00001.y.jpg", "00002.x.jpg", "00002.y.jpg"]
    assert samples == {"run+a=20clip=2Emp4": fields, "日本+b=2Ec=2Emp4": fields}
    listed = subprocess.check_output(["tar", "tf", tmp_path / "00000.tar"], text=True)
    assert len(listed.splitlines()) == len(names)


def test_a_picture_in_hdf5_is_a_jpeg_as_it_is(tmp_path):
    kept = products(job_in(tmp_path), "hdf5")
    kept.finish([add_frames(kept, Row("v", key="k"))])
    with h5py.File(tmp_path / "00000.h5") as file:
        assert file["v/frames"][3].tobytes() == jpeg(shades(Row("v"), 4)[3])


@pytest.mark.parametrize("layout", ["tar", "hdf5"])
def test_a_kill_before_the_end_loses_no_finished_video(tmp_path, layout):
    job = job_in(tmp_path)
    first = products(job, layout)
    one, two, three = rows("one", "two", "three")
    done = add_frames(first, one)
    # A new process finds the part, and does the others.
    second = products(job, layout)
    assert second.stand(done)
    assert not second.stand(two)
    second.finish([done, add_frames(second, two), three.failed("corrupt", "")])
    with containers.of_row(done) as shard:
        assert shard.ids() == ["one", "two"]


@pytest.mark.parametrize("layout", ["tar", "hdf5"])
def test_a_later_job_keeps_replaces_and_drops_videos(tmp_path, layout):
    job = job_in(tmp_path)
    kept = products(job, layout)
    made = [add_frames(kept, row) for row in rows("stays", "changes", "goes")]
    kept.finish(made)
    later = products(job, layout)
    changed = replace(made[1], key="other")
    assert [later.stand(row) for row in (made[0], changed)] == [True, False]
    later.finish([made[0], add_frames(later, changed, count=2)])
    assert not job.folder.exists()
    with containers.of_row(made[0]) as shard:
        assert shard.ids() == ["changes", "stays"]
        assert (shard.count("changes"), shard.count("stays")) == (2, 5)
        assert shard.about("changes")["key"] == "other"


def test_a_change_of_layout_leaves_nothing_of_the_old_one(tmp_path):
    job = job_in(tmp_path)
    for layout in ("tar", "hdf5", "frames", "tar"):
        kept = products(job, layout)
        kept.finish([add_frames(kept, Row("v", key=layout))])
        (only,) = tmp_path.iterdir()
        form = {"tar": "00000.tar", "hdf5": "00000.h5", "frames": "00000"}
        assert only.name == form[layout]


@pytest.mark.parametrize("layout", FRAMES)
def test_a_video_that_breaks_off_leaves_nothing(tmp_path, layout):
    def broken() -> Iterator[dict]:
        yield {"": jpeg(1)}
        raise ValueError("broken")

    job = job_in(tmp_path)
    kept = products(job, layout)
    about = {"key": "k", "layout": "frames", "format": "jpg"}
    with pytest.raises(ValueError, match="broken"):
        kept.add(Row("v", key="k"), about, broken())
    assert not list(job.folder.iterdir())


@pytest.mark.parametrize("layout", FRAMES)
def test_what_is_not_there_is_said_to_be_so(tmp_path, layout):
    kept = products(job_in(tmp_path), layout)
    made = add_frames(kept, Row("v", key="k"))
    kept.finish([made])
    with containers.of_row(made) as shard:
        with pytest.raises(containers.NotStored, match="no video 'w'"):
            containers.frames(shard, "w")
        for number in (5, -1):
            with pytest.raises(IndexError):
                shard.pictures("v", [number])
    with pytest.raises(FileNotFoundError):
        containers.opened(tmp_path / "other.tar")
    with pytest.raises(FileNotFoundError):
        containers.opened(tmp_path / "other")

"""Archives inside archives, as HMDB51 comes: a RAR of one RAR for each class."""

import os
import zipfile
from pathlib import Path

import pytest

from scripts import unpack_archive
from scripts.common import tables
from scripts.common.archives import unpacking
from tests.rar_writer import Entry, rar4, rar5
from tests.unpacking import (
    check_tree,
    content,
    kill_after,
    mtimes,
    noise,
    tar_gz,
    tar_of,
    unpack,
    zip_of,
)

ROOT = Path(__file__).parents[1]


def tar_zst(entries):
    return tar_of(entries, "zst")


KINDS = [(rar4, rar4), (rar5, rar5), (zip_of, tar_zst), (tar_gz, zip_of)]
every_nesting = pytest.mark.parametrize(
    ("outer", "inner"), KINDS, ids=lambda writer: writer.__name__
)
# Names that differ in a number alone: unar takes such RARs for volumes of one.
CLASSES = {
    f"{label}.rar": {
        f"{label}/{label} {n}.avi": f"{label}, {n}".encode() * 999 for n in range(3)
    }
    for label in ("brush1", "brush2", "größe")
}
FILES = {
    f"{name.removesuffix('.rar')}/{path}": data
    for name, held in CLASSES.items()
    for path, data in held.items()
}


def entries_of(contents):
    return [Entry(name, data) for name, data in contents.items()]


def hmdb(outer, inner):
    archives = [Entry(name, inner(entries_of(held))) for name, held in CLASSES.items()]
    return outer([*archives[:2], Entry("readme.txt", b"read me"), *archives[2:]])


@pytest.fixture
def written(monkeypatch):
    """Names that are unpacked, in order, while the real thing unpacks them."""
    names = []

    def spy(content, row, path, real=unpacking.unpack_member):
        names.append(row.id)
        return real(content, row, path)

    monkeypatch.setattr(unpacking, "unpack_member", spy)
    return names


@every_nesting
def test_inner_archives_are_unpacked_in_their_place(outer, inner, tmp_path):
    rows = unpack(hmdb(outer, inner), tmp_path)
    assert content(rows) == FILES | {"readme.txt": b"read me"}
    ids = list(FILES)
    assert list(rows) == [*ids[:6], "readme.txt", *ids[6:]]


@every_nesting
def test_second_run_unpacks_nothing(outer, inner, tmp_path, written):
    data = hmdb(outer, inner)
    (tmp_path / "videos.bin").write_bytes(data)
    manifest = tmp_path / "out" / "videos.bin.tsv"
    first = unpack_archive.unpack([tmp_path / "videos.bin"], manifest, 10**9)
    assert set(written) == {*FILES, *CLASSES, "readme.txt"}
    written.clear()
    again = unpack_archive.unpack([tmp_path / "videos.bin"], manifest, 10**9)
    assert again == first
    assert written == []

    lost = next(row for row in first if row.id.startswith("brush2"))
    Path(lost.path).unlink()
    again = unpack_archive.unpack([tmp_path / "videos.bin"], manifest, 10**9)
    assert again == first
    assert written == ["brush2.rar", lost.id]
    check_tree(again, manifest)


def test_more_room_lets_in_what_was_refused(tmp_path, written):
    inner = zip_of([Entry(f"{n}.avi", noise(1000, n)) for n in range(4)])
    archive = tmp_path / "videos.bin"
    archive.write_bytes(zip_of([Entry("in.zip", inner), Entry("a.avi", b"a")]))
    manifest = tmp_path / "out.tsv"
    limit = len(inner) + 2100
    few = unpack_archive.unpack([archive], manifest, limit)
    assert [row.id for row in few if row.ok] == ["in/0.avi", "in/1.avi", "a.avi"]
    assert "max-bytes" in few[2].message
    written.clear()
    rows = unpack_archive.unpack([archive], manifest, 10**6)
    assert all(row.ok for row in rows)
    assert written == ["in.zip", "in/2.avi", "in/3.avi"]


def test_inner_bombs_are_refused(tmp_path):
    bomb = zip_of([Entry("bomb.avi", bytes(150_000_000))], zipfile.ZIP_DEFLATED)
    rows = unpack(tar_of([Entry("in.zip", bomb), Entry("a.avi", b"a")]), tmp_path)
    assert "150000000 bytes" in rows["in/bomb.avi"].message
    assert content(rows) == {"a.avi": b"a"}


@every_nesting
def test_inner_members_cannot_get_out(outer, inner, tmp_path):
    evil = ["../outside.avi", "../../outside.avi", "/tmp/reelset-outside.avi"]
    held = [Entry(name, b"evil") for name in evil]
    held += [Entry("link", link="/etc"), Entry("a.avi", b"good")]
    rows = unpack(outer([Entry("in.zip", inner(held))]), tmp_path)
    assert content(rows) == {"in/a.avi": b"good"}
    for name in evil:
        assert "leads out" in rows[f"in/{name}"].message
    assert "link" in rows["in/link"].message
    assert not list(tmp_path.rglob("*outside.avi"))
    assert not Path("/tmp/reelset-outside.avi").exists()


@pytest.mark.parametrize("inner", [rar4, rar5, tar_of, tar_gz, tar_zst])
def test_cut_inner_archive_gives_what_can_be_read(inner, tmp_path):
    entries = [Entry(f"{n}.avi", noise(1_000_000, n)) for n in range(4)]
    whole = inner(entries)
    cut = Entry("run/cut.tar.gz", whole[: len(whole) * 5 // 8])
    rows = unpack(zip_of([cut, Entry("a.avi", b"good")]), tmp_path)
    read = content(rows)
    assert read.pop("a.avi") == b"good"
    assert {"run/cut/0.avi", "run/cut/1.avi"} >= set(read) >= {"run/cut/0.avi"}
    assert rows["run/cut.tar.gz"].status == "bad_member"
    assert unpack(zip_of([cut, Entry("a.avi", b"good")]), tmp_path) == rows


def test_inner_archive_that_cannot_be_read_is_a_bad_member(tmp_path):
    held = [Entry("a.avi", noise(5000, 0))]
    entries = [
        Entry("cut.zip", zip_of(held)[:3000]),
        Entry("cut.rar", rar5(held)[:14]),
        Entry("wrong.rar", rar4(held), wrong_crc=True),
        Entry("inside.rar", rar4([Entry("a.avi", b"a", wrong_crc=True)])),
        Entry("empty.zip", zip_of([])),
    ]
    rows = unpack(rar4(entries), tmp_path)
    assert content(rows) == {}
    assert "zip's directory" in rows["cut.zip"].message
    assert "directory cannot be read" in rows["cut.rar"].message
    assert "checksum" in rows["wrong.rar"].message
    assert "checksum" in rows["inside/a.avi"].message
    assert "no file is in the archive" in rows["empty.zip"].message


def test_cut_outer_archive_gives_what_can_be_read(tmp_path):
    archives = [
        Entry(f"{n}.zip", zip_of([Entry("a.avi", noise(10**6, n))])) for n in range(3)
    ]
    whole = tar_gz(archives)
    rows = unpack(whole[: len(whole) // 2], tmp_path)
    assert set(content(rows)) == {"0/a.avi"}
    assert not rows["1.zip"].ok
    assert not rows["(rest of videos.bin)"].ok


def test_only_archives_are_unpacked(tmp_path):
    held = zip_of([Entry("inside.avi", b"0")])
    files = {"a.docx": held, "a.npz": held, "a.avi": held, "a.jar": held, ".zip": held}
    files |= {"page.rar": b"<html>", "empty.zip": b"", "zeros.tar": bytes(1024)}
    rows = unpack(tar_of(entries_of(files)), tmp_path)
    assert content(rows) == files


def test_archives_are_unpacked_three_deep(tmp_path):
    data = zip_of([Entry("a.avi", b"deep")])
    for level in (4, 3, 2, 1):
        data = tar_of([Entry(f"{level}.tar", data), Entry(f"{level}.avi", b"level")])
    held = content(unpack(data, tmp_path))
    assert set(held) == {
        "1.avi",
        "1/2.avi",
        "1/2/3.avi",
        "1/2/3/4.avi",
        "1/2/3/4.tar",
    }


@every_nesting
def test_first_of_two_members_with_one_path_is_kept(outer, inner, tmp_path):
    def one(data, name="a.avi"):
        return inner([Entry(name, data)])

    entries = [
        Entry("in/a.avi", b"outer"),
        Entry("in.rar", one(b"first")),
        Entry("in.zip", one(b"second", "b.avi")),
        Entry("in.tar", one(b"third", "b.avi/c.avi")),
        Entry("file", b"file"),
        Entry("file.zip", one(b"below a file")),
    ]
    data = outer(entries)
    rows = unpack(data, tmp_path)
    assert content(rows) == {
        "in/a.avi": b"outer",
        "in/b.avi": b"second",
        "file": b"file",
    }
    assert "same name" in rows["in/a.avi#2"].message
    assert "directory" in rows["in/b.avi/c.avi"].message
    assert "directory" in rows["file/a.avi"].message
    assert unpack(data, tmp_path) == rows


@pytest.mark.parametrize(("outer", "inner"), [(zip_of, rar5), (tar_gz, zip_of)])
def test_nested_rerun_after_sigkill_equals_an_undisturbed_run(outer, inner, tmp_path):
    classes = [
        Entry(f"{c}.rar", inner([Entry(f"{n}.avi", noise(10**6, n)) for n in range(9)]))
        for c in range(4)
    ]
    archive = tmp_path / "videos.bin"
    archive.write_bytes(outer(classes))
    undisturbed = tmp_path / "whole.tsv"
    expected = unpack_archive.unpack([archive], undisturbed, 10**9)
    for lines in (8, 24):
        manifest = tmp_path / f"after {lines}.tsv"
        kill_after(lines, archive, manifest)
        folder = manifest.with_suffix("")
        stamps = mtimes(folder.with_name(f".unpacking-{folder.name}"))
        rows = unpack_archive.unpack([archive], manifest, 10**9)
        # Not one file has moved: what the killed run finished was not done again.
        after = mtimes(folder)
        stamps = {name: stamps[name] for name in after if name in stamps}
        assert sum(after[name] != stamp for name, stamp in stamps.items()) <= 1
        assert stamps
        assert not list(manifest.parent.rglob(".tmp-*"))
        assert not list(folder.rglob("*.rar"))
        assert [(row.id, row.key) for row in rows] == [
            (row.id, row.key) for row in expected
        ]
        assert tables.read(manifest) == rows


def test_inner_archive_left_by_a_kill_is_deleted(tmp_path):
    data = zip_of([Entry("in.zip", zip_of([Entry("a.avi", b"a")]))])
    rows = unpack(data, tmp_path)
    left = tmp_path / "out" / "videos.bin" / "in.zip"
    stamp = (tmp_path / "videos.bin").stat()
    left.write_bytes(b"left")
    os.utime(tmp_path / "videos.bin", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert content(unpack(data, tmp_path)) == content(rows)

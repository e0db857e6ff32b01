"""Archives of every kind, good, hostile and damaged, unpacked for real."""

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts import unpack_archive
from scripts.common import tables
from scripts.common.archives import ArchiveError, Content, Member, Plan, Source
from scripts.common.archives.writing import unpack_member
from scripts.common.tables import Failure, Row
from tests.rar_writer import Entry, rar4, rar5
from tests.unpacking import (
    check_tree,
    content,
    kill_after,
    mtimes,
    noise,
    refusal,
    tar_gz,
    tar_of,
    unpack,
    zip_of,
)

GOOD = {
    "run/a.avi": b"first" * 1000,
    "jump/a.avi": b"second" * 3000,
    "run/with space.avi": b"space",
    'run/it\'s "quoted".avi': b"quotes",
    "run/new\nline.avi": b"newline",
    "-rf": b"dash",
    "@list": b"at",
    "Größe/видео 視頻.avi": b"letters",
    "empty.avi": b"",
}
EVIL = {
    "../outside.avi": "leads out",
    "run/../../outside.avi": "leads out",
    "/tmp/reelset-outside.avi": "leads out",
    "x" * 250: "250 bytes",
}


WRITERS = [zip_of, tar_of, tar_gz, rar4, rar5]
every_kind = pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__)


@every_kind
def test_good_members_come_out_as_they_went_in(write, tmp_path):
    rows = unpack(write([Entry(name, data) for name, data in GOOD.items()]), tmp_path)
    assert content(rows) == GOOD
    modes = {stat.S_IMODE(Path(row.path).stat().st_mode) for row in rows.values()}
    umask = os.umask(0)
    os.umask(umask)
    assert modes == {0o666 & ~umask}


@every_kind
def test_bad_members_are_rows_and_the_others_are_unpacked(write, tmp_path):
    before = Path("/tmp/reelset-outside.avi").exists()
    good = [Entry(name, data) for name, data in GOOD.items()]
    evil = [Entry(name, b"evil") for name in EVIL]
    link = Entry("link", link="/etc/passwd")
    through = Entry("link/through.avi", b"no link is followed")
    twin = Entry("run/a.avi", b"twin")
    damaged = Entry("damaged.avi", b"its checksum is wrong", wrong_crc=True)
    rows = unpack(write([*good[:3], *evil, link, through, twin, damaged]), tmp_path)
    expected = dict(list(GOOD.items())[:3]) | {through.name: through.data}
    has_checksums = write not in (tar_of, tar_gz)
    if not has_checksums:
        expected[damaged.name] = damaged.data
    assert content(rows) == expected
    for name, message in EVIL.items():
        assert message in rows[name].message
    assert "link" in rows["link"].message
    assert "same name" in rows["run/a.avi#2"].message
    if has_checksums:
        assert not rows["damaged.avi"].ok
    assert Path("/tmp/reelset-outside.avi").exists() == before
    assert not list(tmp_path.rglob("outside.avi"))


@pytest.mark.parametrize("write", [rar4, rar5])
def test_encrypted_members_are_refused(write, tmp_path):
    entries = [Entry("secret.avi", b"secret", encrypted=True), Entry("a.avi", b"open")]
    rows = unpack(write(entries), tmp_path)
    assert rows["secret.avi"].message == "it is encrypted"
    assert content(rows) == {"a.avi": b"open"}


def test_encrypted_zip_members_are_refused(tmp_path):
    data = bytearray(zip_of([Entry("secret.avi", b"secret")]))
    data[data.rindex(b"PK\x01\x02", 0, data.rindex(b"secret.avi")) + 8] |= 1
    assert unpack(data, tmp_path)["secret.avi"].message == "it is encrypted"


def test_devices_and_hard_links_are_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        kinds = {"fifo": tarfile.FIFOTYPE, "disk": tarfile.BLKTYPE}
        for name, kind in {**kinds, "hard": tarfile.LNKTYPE}.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "fifo"
            archive.addfile(info)
    rows = unpack(buffer.getvalue(), tmp_path)
    assert {row.message for row in rows.values()} == {"it is a link or a device"}
    assert set(rows) == {"fifo", "disk", "hard"}


@pytest.mark.parametrize("write", [rar4, rar5])
def test_rar_bomb_is_refused(write, tmp_path):
    bomb = Entry("bomb.avi", b"0" * 1000, declared=2_000_000_000)
    rows = unpack(write([bomb, Entry("a.avi", b"good")]), tmp_path, max_bytes=10**12)
    assert "too many" in rows["bomb.avi"].message
    assert content(rows) == {"a.avi": b"good"}


def test_zip_bomb_is_refused(tmp_path):
    bomb = Entry("bomb.avi", bytes(150_000_000))
    data = zip_of([bomb, Entry("a.avi", b"good")], zipfile.ZIP_DEFLATED)
    rows = unpack(data, tmp_path)
    assert "150000000 bytes" in rows["bomb.avi"].message
    assert content(rows) == {"a.avi": b"good"}


def test_tar_bomb_ends_the_list(tmp_path):
    bomb = Entry("bomb.avi", bytes(150_000_000))
    data = tar_of([Entry("a.avi", b"good"), bomb, Entry("b.avi", b"never seen")], "xz")
    rows = unpack(data, tmp_path)
    assert content(rows) == {"a.avi": b"good"}
    assert "too many" in rows["bomb.avi"].message
    assert "too large" in rows["(rest of videos.bin)"].message


@every_kind
def test_members_beyond_the_total_are_refused(write, tmp_path):
    entries = [Entry(f"{n}.avi", bytes([n]) * 1000) for n in range(5)]
    rows = unpack(write(entries), tmp_path, max_bytes=2500)
    assert set(content(rows)) == {"0.avi", "1.avi"}
    assert "max-bytes" in rows["2.avi"].message


@pytest.mark.parametrize(
    ("declared", "message"),
    [(10, "more than 10 bytes"), (3 << 20, f"{2 << 20} of {3 << 20} bytes")],
)
def test_declared_size_is_not_believed(declared, message, tmp_path):
    row = Row("a.avi", path=str(tmp_path / "a.avi"), bytes=declared)
    member = Member("a.avi", declared, declared, None, "", 0)
    pieces = [bytes(1 << 20)] * 2
    content = Content(member, lambda: iter(pieces))
    with pytest.raises(Failure, match=message):
        unpack_member(content, row, row.path)
    assert not (tmp_path / "a.avi").exists()


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz", "zst", "rar4", "rar5"])
def test_truncated_archive_gives_what_can_be_read(kind, tmp_path):
    entries = [Entry(f"{n}.avi", noise(1_000_000, n)) for n in range(4)]
    writer = {"rar4": rar4, "rar5": rar5}.get(kind, lambda es: tar_of(es, kind))
    whole = writer(entries)
    rows = unpack(whole[: len(whole) * 5 // 8], tmp_path)
    read = content(rows)
    assert {"0.avi", "1.avi"} >= set(read) >= {"0.avi"}
    assert all(read[entry.name] == entry.data for entry in entries[: len(read)])
    assert any(not row.ok for row in rows.values() if row.id.endswith(".avi"))
    assert not rows["(rest of videos.bin)"].ok


def test_damaged_tar_header_is_not_taken_for_the_end(tmp_path):
    entries = [Entry(f"{n}.avi", b"0") for n in range(4)]
    data = tar_of(entries).replace(b"2.avi", b"X.avi")
    rows = unpack(data, tmp_path)
    assert set(content(rows)) == {"0.avi", "1.avi"}
    assert "end mark" in rows["(rest of videos.bin)"].message


def test_checksum_at_the_end_of_gzip_is_compared(tmp_path):
    data = bytearray(tar_gz([Entry("a.avi", b"0")]))
    data[-8] ^= 1
    rows = unpack(data, tmp_path)
    assert "CRC check failed" in rows["(rest of videos.bin)"].message


@pytest.mark.parametrize("write", [rar4, rar5])
def test_damaged_rar_header_is_told(write, tmp_path):
    entries = [Entry(f"{n}.avi", b"0") for n in range(4)]
    rows = unpack(write(entries).replace(b"2.avi", b"X.avi"), tmp_path)
    assert set(content(rows)) == {"0.avi", "1.avi"}
    assert "Header CRC error" in rows["(rest of videos.bin)"].message


def test_kind_is_told_by_content(tmp_path):
    rows = unpack(zip_of([Entry("a.avi", b"zip")]), tmp_path, "videos.rar")
    assert content(rows) == {"a.avi": b"zip"}


HTML = b"<!DOCTYPE html><html><body>Quota exceeded</body></html>\n" * 40


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "No such file"),
        (b"", "the file is empty"),
        (HTML, "it is a web page"),
        (b"\x00\x00\x00\x20ftypisom" * 99, "it begins with"),
        (zip_of([Entry("a.avi", noise(5000, 0))])[:3000], "zip's directory"),
        (tar_gz([Entry("a.avi", noise(5000, 0))])[:8], "is cut at its beginning"),
        (bytes(10240), "no file is in the archive"),
        (zip_of([]), "no file is in the archive"),
        (rar5([Entry("a.avi", b"0")])[:14], "directory cannot be read"),
        (rar4([Entry("a.avi", b"0")])[:12], "directory cannot be read"),
    ],
)
def test_no_archive_is_one_readable_line(data, message, tmp_path):
    assert message in refusal(tmp_path, data)


def test_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0)
    )
    with pytest.raises(ArchiveError, match="make room"):
        unpack(zip_of([Entry("a.avi", b"0")]), tmp_path)


def test_second_run_does_nothing_and_a_lost_file_comes_back(tmp_path, capsys):
    data = rar5([Entry(f"{n}.avi", noise(1000, n)) for n in range(4)])
    rows = unpack(data, tmp_path)
    stamp = (tmp_path / "videos.bin").stat()

    def again():
        manifest = tmp_path / "out" / "videos.bin.tsv"
        os.utime(tmp_path / "videos.bin", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert unpack_archive.unpack(
            [tmp_path / "videos.bin"], manifest, 10**9
        ) == list(rows.values())
        return capsys.readouterr().out

    assert "0 files unpacked in this run, 4 before" in again()
    Path(rows["2.avi"].path).unlink()
    Path(rows["3.avi"].path).write_bytes(b"short")
    assert "2 files unpacked in this run, 2 before" in again()


def test_another_archive_at_the_same_path_is_unpacked_anew(tmp_path):
    first = unpack(tar_of([Entry("a.avi", b"first.")]), tmp_path)["a.avi"]
    second = unpack(tar_of([Entry("a.avi", b"second")]), tmp_path)["a.avi"]
    assert Path(second.path).read_bytes() == b"second"
    assert first.key != second.key


def test_what_a_kill_left_of_another_archive_does_not_come_along(tmp_path):
    left = tmp_path / "out" / ".unpacking-videos.bin" / "other.avi"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of another")
    rows = unpack(tar_of([Entry("a.avi", b"first")]), tmp_path)
    assert content(rows) == {"a.avi": b"first"}


def test_key_follows_content_and_not_the_kind_of_archive(tmp_path):
    entries = [Entry("a.avi", b"content")]
    keys = {
        unpack(write(entries), tmp_path / write.__name__)["a.avi"].key
        for write in WRITERS
    }
    assert len(keys) == 1


@pytest.mark.parametrize("write", [zip_of, tar_gz, rar5])
def test_rerun_after_sigkill_completes_and_leaves_nothing(write, tmp_path):
    contents = {f"{n % 3}/{n}.avi": noise(1_000_000, n) for n in range(60)}
    archive = tmp_path / "videos.bin"
    archive.write_bytes(write([Entry(n, data) for n, data in contents.items()]))
    manifest = tmp_path / "out" / "videos.bin.tsv"
    journal = manifest.with_suffix(".journal")
    kill_after(5, archive, manifest)
    unpacked = manifest.with_name(".unpacking-videos.bin")
    written = journal.read_bytes().count(b"\n") - 1
    stamps = mtimes(unpacked)
    assert written < len(contents)

    rows = unpack_archive.unpack([archive], manifest, 10**9)
    check_tree(rows, manifest)
    assert content({row.id: row for row in rows}) == contents
    after = mtimes(manifest.with_suffix(""))
    same = sum(after[name] == stamp for name, stamp in stamps.items())
    assert same >= written


parts = st.sampled_from(
    ["..", ".", "", "a", "b", "-rf", "a\nb", "C:", "..\\x", "~", ".tmp-1-a", "é"]
)
any_name = st.one_of(
    st.lists(parts, min_size=1, max_size=5).map("/".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(any_name, min_size=1, max_size=6),
    st.sampled_from(WRITERS),
    st.sampled_from([None, *WRITERS]),
)
def test_nothing_is_ever_written_outside(names, write, write_outer):
    entries = [Entry(name, b"content %d" % n) for n, name in enumerate(names)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "in", "ner")
        folder.mkdir(parents=True)
        try:
            data = write(entries)
            if write_outer:
                data = write_outer([Entry("run/inner.rar", data), *entries])
        except ValueError:  # the writer refuses the name
            return
        try:
            rows = unpack(data, folder)
        except ArchiveError:  # only directories inside
            return
        outside = {path.name for path in Path(place).iterdir()}
        assert outside == {"in"}
        assert {path.name for path in folder.iterdir()} == {"videos.bin", "out"}
        written = content(rows).values()
        assert set(written) <= {entry.data for entry in entries}
        assert len(set(written)) == len(written) or write_outer


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([zip_of, tar_of, tar_gz]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    st.floats(0.5, 1),
    st.booleans(),
)
def test_any_damage_is_told_in_rows_or_in_one_line(write, changes, kept, nested):
    entries = [Entry(f"{n}/é{n}.avi", noise(300, n)) for n in range(4)]
    data = bytearray(write(entries))
    for place, value in changes:
        data[int(place * len(data))] = value
    message = "told in rows"
    data = data[: int(kept * len(data))]
    if nested:
        data = tar_of([Entry("inner.tar", data)])
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(data, Path(folder, "in"))
        except ArchiveError as error:
            message = str(error)
    assert len(message.splitlines()) == 1


@given(st.lists(st.one_of(any_name, st.text()), max_size=8))
def test_plan_keeps_inside_and_apart(names):
    members = [Member(name, 1, 1, None, "", 0) for name in names]
    folder = Path("/data/videos.zip")
    rows = Plan(folder, 10).add(members)
    assert len({row.id for row in rows}) == len(rows) == len(members)
    good = [row for row in rows if row.ok]
    for row in good:
        assert os.path.normpath(row.path) == row.path == f"{folder}/{row.id}"
        assert not any(other.path.startswith(f"{row.path}/") for other in good)
    text = tables.render(rows)
    assert list(tables.parse(text)) == rows
    hashlib.sha256(text.encode("utf-8", "surrogateescape"))


def test_member_without_a_name_is_refused(tmp_path):
    rows = unpack(zip_of([Entry(""), Entry("a.avi", b"good")]), tmp_path)
    assert rows["(no name)"].message == "it has no name"
    assert content(rows) == {"a.avi": b"good"}


@every_kind
def test_file_and_folder_of_one_name_do_not_clash(write, tmp_path):
    entries = [Entry("a", b"file"), Entry("a/b.avi", b"in it"), Entry("c.avi", b"c")]
    data = write(entries)
    rows = unpack(data, tmp_path)
    assert content(rows) == {"a/b.avi": b"in it", "c.avi": b"c"}
    assert "directory" in rows["a"].message
    assert unpack(data, tmp_path) == rows


@pytest.mark.parametrize("kind", ["bz2", "xz", "zst"])
def test_compressed_tars_come_out_as_they_went_in(kind, tmp_path):
    entries = [Entry(name, data) for name, data in GOOD.items()]
    assert content(unpack(tar_of(entries, kind), tmp_path)) == GOOD


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz", "zst"])
def test_tar_is_read_once(kind, tmp_path, monkeypatch):
    """Sizes at and around what a tar pads and a reader takes at once."""
    sizes = [0, 1, 511, 512, 1024, 1 << 18, 300_000, (1 << 20) + 512]
    entries = [Entry(f"{size}.avi", noise(size, size)) for size in sizes]
    counted = []

    class Counting(io.FileIO):
        def readinto(self, buffer):
            counted.append(super().readinto(buffer))
            return counted[-1]

    def open_counted(source):
        return io.BufferedReader(Counting(source.paths[0]), 1 << 18)

    monkeypatch.setattr(Source, "open", open_counted)
    data = tar_of(entries, kind)
    rows = unpack(data, tmp_path)
    assert content(rows) == {entry.name: entry.data for entry in entries}
    to_tell_the_kind = 1 << 18
    assert len(data) <= sum(counted) <= len(data) + to_tell_the_kind


def test_help_teaches():
    command = [sys.executable, "-m", "scripts.unpack_archive", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--manifest TSV" in text
    assert "bad_member" in text

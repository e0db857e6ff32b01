"""RAR files that the real program made: compressed, solid, in volumes, hostile."""

import shutil
from pathlib import Path

import pytest

from tests.rar_writer import Entry
from tests.unpacking import content, unpack, unpack_parts, zip_of

FOLDER = Path(__file__).parent / "data" / "rar"
PAIR = {"stest1.txt": 2048, "stest2.txt": 2048}
SUBDIRECTORIES = {
    "sub/dir1/file1.txt": 6,
    "sub/dir2/file2.txt": 6,
    "sub/with space/long fn.txt": 8,
    "sub/üȵĩöḋè/file.txt": 5,
}
VOLUMES = {"vols/bigfile.txt": 205_000, "vols/smallfile.txt": 2050}
# Bytes of each member; each is checked with the archive's own checksum besides.
HELD = {
    "seektest": PAIR,  # RAR4, compressed
    "rar5-crc": PAIR,
    "rar5-blake": PAIR,  # BLAKE2sp in place of CRC-32
    "rar3-solid": PAIR,
    "rar5-solid": PAIR,
    "rar2-unix-owner": {"file.txt": 4},
    "unicode": {"уииоотивл.txt": 2, "\U0001d400\U0001d401\U0001d401\U0001d402.txt": 2},
    "rar3-subdirs": SUBDIRECTORIES,
    "rar5-subdirs": SUBDIRECTORIES,
    "rar5-vols.part1": VOLUMES,
}


def sizes(rows):
    return {name: len(data) for name, data in content(rows).items()}


@pytest.mark.parametrize("name", HELD)
def test_real_rar_is_unpacked_whole(name, tmp_path):
    rows = unpack_parts([FOLDER / f"{name}.rar"], tmp_path / "out" / "videos.tsv")
    assert sizes(rows) == HELD[name]
    assert all(row.ok for row in rows.values())


@pytest.mark.parametrize("name", ["rar3-solid", "rar5-solid"])
def test_one_lost_file_of_a_solid_rar_comes_back(name, tmp_path):
    manifest = tmp_path / "out" / "videos.tsv"
    rows = unpack_parts([FOLDER / f"{name}.rar"], manifest)
    Path(rows["stest2.txt"].path).unlink()
    assert unpack_parts([FOLDER / f"{name}.rar"], manifest) == rows


def test_real_rars_are_unpacked_inside_an_archive(tmp_path):
    # Beside each other, unar would take some for volumes of others.
    names = [name for name in HELD if "part" not in name]
    entries = [Entry(f"{n}.rar", (FOLDER / f"{n}.rar").read_bytes()) for n in names]
    expected = {f"{n}/{path}": size for n in names for path, size in HELD[n].items()}
    assert sizes(unpack(zip_of(entries), tmp_path)) == expected


def test_missing_volume_is_told(tmp_path):
    for number in (1, 2):
        shutil.copy(FOLDER / f"rar5-vols.part{number}.rar", tmp_path)
    manifest = tmp_path / "out" / "videos.tsv"
    rows = unpack_parts([tmp_path / "rar5-vols.part1.rar"], manifest)
    assert content(rows) == {}
    assert "volume" in rows["(rest of rar5-vols.part1.rar)"].message


def test_links_in_real_rars_are_refused(tmp_path):
    evil = (FOLDER / "rar5-evil-symlink-traversal.rar").read_bytes()
    rows = unpack(evil, tmp_path / "evil")
    assert rows["up"].message == "it is a link"
    assert {path.name for path in tmp_path.rglob("pwned.txt")} <= {"pwned.txt"}
    assert not (tmp_path / "evil" / "out" / "pwned.txt").exists()
    rows = unpack((FOLDER / "rar5-hlink.rar").read_bytes(), tmp_path / "hard")
    assert set(content(rows)) == {"stest1.txt"}


def test_real_encrypted_rars_are_refused(tmp_path):
    rows = unpack((FOLDER / "rar5-psw.rar").read_bytes(), tmp_path)
    assert {row.message for row in rows.values()} == {"it is encrypted"}

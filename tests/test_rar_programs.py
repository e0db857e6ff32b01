"""What a program has to unpack of a RAR: hostile, damaged and interrupted."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import unpack_archive
from scripts.common import preflight
from scripts.common.archives import rar
from tests import test_real_rars
from tests.projects import ROOT
from tests.rar_writer import Entry, rar4, rar5
from tests.test_unpack_archive import EVIL, GOOD
from tests.unpacking import content, noise, refusal, unpack

COMPRESSED = (test_real_rars.FOLDER / "seektest.rar").read_bytes()
# Leaves to the program what the test writer can only store.
FORCED = """
from scripts import unpack_archive
from scripts.common.archives import rar
rar.PROGRAMS = ({program!r},)
rar.Rar._is_stored = lambda self, member: False
unpack_archive.main()
"""
either = pytest.mark.parametrize("write", [rar4, rar5], ids=lambda w: w.__name__)


@pytest.fixture(params=rar.PROGRAMS)
def program(request, monkeypatch):
    """One of the programs, which then has to unpack all."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    monkeypatch.setattr(rar, "PROGRAMS", (request.param,))
    monkeypatch.setattr(rar.Rar, "_is_stored", lambda self, member: False)
    return request.param


@either
def test_good_members_come_out_as_they_went_in(program, write, tmp_path):
    # unrar is given the names in a file, a line each.
    good = {name: GOOD[name] for name in GOOD if program == "unar" or "\n" not in name}
    rows = unpack(write([Entry(name, data) for name, data in good.items()]), tmp_path)
    assert content(rows) == good


@either
def test_bad_members_are_rows_and_the_others_are_unpacked(program, write, tmp_path):
    entries = [Entry(name, data) for name, data in list(GOOD.items())[:3]]
    entries += [Entry(name, b"evil") for name in EVIL]
    entries += [Entry("link", link="/etc/passwd"), Entry("a*b?.avi", b"any")]
    entries += [Entry("link/through.avi", b"no link is followed")]
    entries += [Entry("run/a.avi", b"twin")]
    entries += [Entry("damaged.avi", b"its checksum is wrong", wrong_crc=True)]
    entries += [Entry("secret.avi", b"secret", encrypted=True)]
    entries += [Entry("bomb.avi", b"0" * 1000, declared=2_000_000_000)]
    rows = unpack(write(entries), tmp_path, max_bytes=10**12)
    expected = dict(list(GOOD.items())[:3])
    expected["link/through.avi"] = b"no link is followed"
    held = content(rows)
    assert held.items() >= expected.items()
    assert set(held) - set(expected) <= {"a*b?.avi", "a*b_.avi"}
    assert not rows["link"].ok
    assert not rows["run/a.avi#2"].ok
    assert not rows["damaged.avi"].ok
    assert not rows["secret.avi"].ok
    assert not rows["bomb.avi"].ok
    assert not list(tmp_path.rglob("outside.avi"))
    assert not Path("/tmp/reelset-outside.avi").exists()


@either
def test_truncated_archive_gives_what_can_be_read(program, write, tmp_path):
    entries = [Entry(f"{n}.avi", noise(1_000_000, n)) for n in range(4)]
    whole = write(entries)
    read = content(unpack(whole[: len(whole) * 5 // 8], tmp_path))
    assert {"0.avi", "1.avi"} >= set(read) >= {"0.avi"}
    assert all(read[entry.name] == entry.data for entry in entries[: len(read)])


def test_archives_beside_each_other_give_each_its_own(program, tmp_path):
    for number in (1, 2, 3):
        data = rar5([Entry("same.avi", b"of %d" % number)])
        (tmp_path / f"a{number}.rar").write_bytes(data)
    for number in (3, 2, 1):
        archive = tmp_path / f"a{number}.rar"
        manifest = tmp_path / "together" / f"{archive.name}.tsv"
        (row,) = unpack_archive.unpack([archive], manifest, 10**9)
        assert Path(row.path).read_bytes() == b"of %d" % number


@pytest.mark.parametrize("name", test_real_rars.HELD)
def test_real_rar_is_unpacked_whole(program, name, tmp_path):
    test_real_rars.test_real_rar_is_unpacked_whole(name, tmp_path)


def test_lost_file_alone_comes_back(program, tmp_path):
    test_real_rars.test_one_lost_file_of_a_solid_rar_comes_back("rar5-solid", tmp_path)


def test_sigterm_ends_the_job_in_good_order(program, tmp_path):
    archive = tmp_path / "videos.bin"
    archive.write_bytes(rar5([Entry(f"{n}.avi", noise(10**6, n)) for n in range(60)]))
    manifest = tmp_path / "out" / "videos.bin.tsv"
    command = [sys.executable, "-c", FORCED.format(program=program)]
    process = subprocess.Popen(
        [*command, "--archive", archive, "--manifest", manifest],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    while not list(tmp_path.rglob(".tmp-*/members")):
        assert process.poll() is None
        time.sleep(0.002)
    process.terminate()
    assert b"Traceback" not in process.communicate()[1]
    assert process.returncode == 143
    assert not list(tmp_path.rglob(".tmp-*"))
    assert not manifest.exists()


@pytest.mark.parametrize("name", ["videos.rar", "told by its content"])
def test_missing_program_is_one_line_with_what_installs_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install unar" in refusal(tmp_path, COMPRESSED, name)
    (line,) = preflight.missing_programs(["unar"])
    assert "apt-get install unar" in line


def test_what_is_stored_needs_no_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert content(unpack(rar5([Entry("a.avi", b"0")]), tmp_path)) == {"a.avi": b"0"}


@pytest.mark.parametrize("there", [["unar", "unrar"], ["unar"], ["unrar"]])
def test_unar_is_taken_where_it_is_there_and_else_unrar(there, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sh").symlink_to(shutil.which("sh"))
    for name in there:
        stand_in = programs / name
        stand_in.write_text(f"#!/bin/sh\necho {name} > {tmp_path}/taken\n")
        stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    rows = unpack(COMPRESSED, tmp_path / "work")
    assert (tmp_path / "taken").read_text().strip() == there[0]
    assert rows["stest1.txt"].message == "it could not be unpacked"
    assert preflight.missing_programs(["unar"]) == []

"""What the tests of unpacking share: archives made in memory, and checked results."""

import io
import os
import random
import subprocess
import sys
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import pytest

from scripts import unpack_archive
from scripts.common import tables
from scripts.common.archives.base import zstd
from tests.projects import ROOT


def zip_of(entries, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", compression) as archive,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # duplicate names
        archive.writestr("a folder/", b"")
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.compress_type = compression
            mode = 0o120777 if entry.link else 0o100600
            info.external_attr = mode << 16
            archive.writestr(info, entry.stored)
    data = bytearray(buffer.getvalue())
    for entry in entries:
        if entry.wrong_crc:
            place = data.index(entry.stored)
            data[place] ^= 1
    return bytes(data)


def tar_of(entries, compression=""):
    if compression == "zst":
        return zstd.compress(tar_of(entries))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        folder = tarfile.TarInfo("a folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.mode = 0o4711
            if entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            info.size = 0 if entry.link else len(entry.data)
            archive.addfile(info, io.BytesIO(entry.data))
    return buffer.getvalue()


def tar_gz(entries):
    return tar_of(entries, "gz")


def unpack(data, folder, name="videos.bin", max_bytes=10**9):
    """Unpack an archive; return its rows by id, after checks that always hold."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return unpack_parts([folder / name], folder / "out" / f"{name}.tsv", max_bytes)


def unpack_parts(paths, manifest, max_bytes=10**9):
    """Unpack an archive in parts; return its rows by id, after the same checks."""
    rows = unpack_archive.unpack(paths, manifest, max_bytes)
    assert tables.read(manifest) == rows
    check_tree(rows, manifest)
    return {row.id: row for row in rows}


def check_tree(rows, manifest):
    """What is on the disk is what the rows say, and nothing else."""
    root = manifest.with_suffix("")
    assert len({row.id for row in rows}) == len(rows)
    found = {str(Path(f, n)) for f, _, names in os.walk(root) for n in names}
    assert found == {row.path for row in rows if row.ok}
    for row in rows:
        if row.ok:
            assert row.path == f"{root}/{row.id}"
            assert row.bytes == Path(row.path).stat().st_size
            assert len(row.key) == 16
        else:
            assert row.status == "bad_member"
            assert row.message
    beside = {path.name for path in manifest.parent.iterdir()}
    kept = {f"{root.name}{suffix}" for suffix in ("", ".tsv", ".lock", ".journal")}
    assert beside <= kept


def content(rows):
    return {row.id: Path(row.path).read_bytes() for row in rows.values() if row.ok}


def mtimes(root):
    """Return when each file below a folder was written, by its path there."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root): path.stat().st_mtime_ns for path in files}


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def refusal(tmp_path, data, name="videos.rar"):
    """Run the script on what it cannot unpack; return the one line that it says."""
    archive, manifest = tmp_path / name, tmp_path / "out" / f"{name}.tsv"
    if data is not None:
        archive.write_bytes(data)
    with pytest.raises(SystemExit) as stop:
        unpack_archive.main(["--archive", str(archive), "--manifest", str(manifest)])
    line = stop.value.code
    assert line.startswith(f"error: {archive}")
    assert "\n" not in line
    assert not manifest.exists()
    assert not list(tmp_path.rglob(".tmp-*"))
    return line


def kill_after(lines: int, archive: Path, manifest: Path) -> None:
    """Kill a job with SIGKILL when its journal has so many lines."""
    journal = manifest.with_suffix(".journal")
    command = [sys.executable, "-m", "scripts.unpack_archive", "--archive", archive]
    with subprocess.Popen(
        [*command, "--manifest", manifest], stdout=subprocess.DEVNULL, cwd=ROOT
    ) as process:
        while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    assert not manifest.exists()

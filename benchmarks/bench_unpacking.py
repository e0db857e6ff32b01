"""Throughput of unpack_archive against the plain extractor of each kind of archive.

Ours:      `python -m scripts.unpack_archive` as the workflow runs it, from the start of
           Python to the manifest on disk: every member is checked, counted, summed
           and journalled. The RAR's members are stored, so that ours needs no program.
Baselines: `tar xf`, `tar xzf`, `unzip -q`, `unar -quiet` alone on the same archive.

The archives hold random bytes, so that nothing but the copying is measured. Both sides
read the archive from the page cache: it is read once before each run. Neither is made
to wait for the disk to have the files (ours waits for its journal, once a second);
with --sync the clock of both stops after `sync`. All that was written before is on the
disk when a run begins, and nothing is deleted until the end: for minutes ext4 is slow
to make files where others were deleted. The default takes 28 GB below --folder.

Ratios are bytes/s of ours over the baseline's, round by round; by CPU time: bytes per
second of user and system time, which other programs on the machine disturb less.
"""

import argparse
import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from benchmarks.timing import Cost, cores, in_turn, show, timed
from scripts.common import files, tables
from tests.projects import ROOT
from tests.rar_writer import Entry, rar5

EXTRACTORS = {
    "tar": ["tar", "xf"],
    "tar.gz": ["tar", "xzf"],
    "zip": ["unzip", "-q"],
    "rar": ["unar", "-quiet", "-no-directory"],
}


def make_archives(folder: Path, count: int, size: int) -> None:
    """Write the same files of random bytes into an archive of each kind."""
    noise = random.Random(0)
    entries = [
        Entry(f"{n % 100:02d}/clip {n:06d}.avi", noise.randbytes(size))
        for n in range(count)
    ]
    (folder / "rar").write_bytes(rar5(entries))
    with zipfile.ZipFile(folder / "zip", "w") as archive:
        for entry in entries:
            archive.writestr(entry.name, entry.data)
    with tarfile.open(folder / "tar", "w") as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.size = size
            archive.addfile(info, io.BytesIO(entry.data))
    with (folder / "tar.gz").open("wb") as target:
        subprocess.run(["gzip", "-1c", folder / "tar"], stdout=target, check=True)


def run_ours(archive: Path, folder: Path, sync: bool) -> Cost:
    """Return what our unpacking took; insist that every file came out."""
    manifest = Path(tempfile.mkdtemp(dir=folder), "files.tsv")
    command = [sys.executable, "-m", "scripts.unpack_archive"]
    command += ["--archive", str(archive), "--manifest", str(manifest)]
    taken = run_from(ROOT, command, archive, sync)
    if not all(row.ok for row in tables.read(manifest)):
        raise RuntimeError(f"not all of {archive} was unpacked")
    return taken


def run_plainly(archive: Path, folder: Path, sync: bool) -> Cost:
    """Return what the plain extractor took."""
    target = Path(tempfile.mkdtemp(dir=folder))
    return run_from(target, [*EXTRACTORS[archive.name], str(archive)], archive, sync)


def run_from(directory: Path, command: list[str], archive: Path, sync: bool) -> Cost:
    """Run an extractor and return what it took, with equal chances for all."""
    os.sync()
    files.sha256(archive)  # now it is in the page cache

    def work() -> None:
        # As in benchmarks/bench_media.py, each program gets a session of its own.
        subprocess.run(
            command,
            check=True,
            cwd=directory,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if sync:
            os.sync()

    return timed(work)


def main() -> None:
    """Compare all kinds of archives."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_unpacking",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--files", type=int, default=20_000, help="files (default: 20,000)"
    )
    parser.add_argument(
        "--bytes", type=int, default=50_000, help="bytes of each (default: 50,000)"
    )
    parser.add_argument(
        "--kind",
        choices=EXTRACTORS,
        action="append",
        help="kind of archive; may be given several times (default: all)",
    )
    parser.add_argument(
        "--sync", action="store_true", help="stop both clocks when the disk has all"
    )
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--folder", type=Path, help="where to write (default: /tmp)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        make_archives(folder, arguments.files, arguments.bytes)
        print(f"{arguments.files} files of {arguments.bytes} bytes, {cores()} cores")
        for kind in arguments.kind or EXTRACTORS:
            given = (folder / kind, folder, arguments.sync)
            sides = {
                "ours": partial(run_ours, *given),
                EXTRACTORS[kind][0]: partial(run_plainly, *given),
            }
            costs = in_turn(sides, arguments.repeats)
            show(kind, costs, arguments.files * arguments.bytes // 10**6, "MB")


if __name__ == "__main__":
    main()

"""Archives in parts, as Something-Something comes, and what goes wrong with parts."""

import sys
import zipfile
from itertools import pairwise
from subprocess import run

import pytest

from scripts.common.archives import Unreadable
from tests.rar_writer import Entry, rar5
from tests.unpacking import content, noise, tar_gz, tar_of, unpack_parts, zip_of

VIDEOS = {f"20bn/{n}.webm": noise(40_000, n) for n in range(20)}
WHOLE = tar_gz([Entry(name, data) for name, data in VIDEOS.items()])


def split(folder, data=WHOLE, count=5, name="20bn-something-v2-{:02d}"):
    """Cut an archive into files, as `split` does."""
    ends = [len(data) * n // count for n in range(count + 1)]
    paths = [folder / name.format(n) for n in range(count)]
    for path, (start, end) in zip(paths, pairwise(ends), strict=True):
        path.write_bytes(data[start:end])
    return paths


def wrap(path, compression=zipfile.ZIP_STORED):
    """Put a part into a zip of its own, as Qualcomm does."""
    wrapped = path.with_name(f"{path.name}.zip")
    with zipfile.ZipFile(wrapped, "w", compression) as archive:
        archive.write(path, path.name)
    path.unlink()
    return wrapped


def unpacked(paths):
    return unpack_parts(paths, paths[0].parent / "out" / "videos.tsv")


@pytest.mark.parametrize("count", [2, 5, 100])
def test_parts_are_read_as_one(count, tmp_path):
    assert content(unpacked(split(tmp_path, count=count))) == VIDEOS


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_parts_in_zips_of_their_own_are_read_as_one(compression, tmp_path):
    paths = [wrap(path, compression) for path in split(tmp_path)]
    assert content(unpacked(paths)) == VIDEOS
    assert content(unpacked(paths)) == VIDEOS  # all is there


@pytest.mark.parametrize("write", [zip_of, tar_of])
@pytest.mark.parametrize("wrapped", [False, True])
def test_other_archives_come_in_parts_too(write, wrapped, tmp_path):
    data = write([Entry(name, data) for name, data in VIDEOS.items()])
    paths = split(tmp_path, data, name="videos.{:03d}")
    if wrapped:
        paths = [wrap(path, zipfile.ZIP_DEFLATED) for path in paths]
    assert content(unpacked(paths)) == VIDEOS


def test_command_takes_parts_in_order(tmp_path):
    paths = split(tmp_path)
    command = [sys.executable, "-m", "scripts.unpack_archive", "--archive", *paths]
    result = run(
        [*command, "--manifest", tmp_path / "out.tsv"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "20 files unpacked, 0 bad members" in result.stdout
    paths[2].unlink()
    result = run([*command, "--manifest", tmp_path / "out.tsv"], capture_output=True)
    assert f"error: {paths[2]}: No such file" in result.stderr.decode()


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((0, 1, 3, 4), "v2-01[a-z.]* is followed by .*v2-03.*a part is missing"),
        ((0, 2, 1, 3, 4), "v2-00[a-z.]* is followed by .*v2-02.*not in its place"),
        ((2, 3, 4), "begin with 0 or 1"),
        ((0, 0, 1, 2, 3, 4), "is followed by"),
    ],
)
def test_numbers_tell_what_is_wrong_with_parts(order, message, wrapped, tmp_path):
    paths = split(tmp_path)
    if wrapped:
        paths = [wrap(path) for path in paths]
    with pytest.raises(Unreadable, match=message):
        unpacked([paths[n] for n in order])


def test_beginnings_tell_what_is_wrong_with_parts_without_numbers(tmp_path):
    first, second, third = (
        path.rename(tmp_path / name)
        for path, name in zip(split(tmp_path, count=3), "xyz", strict=True)
    )
    with pytest.raises(Unreadable, match="y does not begin the archive"):
        unpacked([second, first, third])
    with pytest.raises(Unreadable, match="is no zip, tar or RAR"):
        unpacked([second, third])
    with pytest.raises(Unreadable, match="x begins an archive of its own"):
        unpacked([first, first])
    for order in ([first, third], [first, third, second]):
        rest = unpacked(order)["(rest of x)"]
        assert "a part is missing or not in its place" in rest.message


def test_missing_last_part_is_told(tmp_path):
    rows = unpacked(split(tmp_path)[:-1])
    assert set(content(rows)) < set(VIDEOS)
    (rest,) = (row for row in rows.values() if "rest of" in row.id)
    assert "a part is missing" in rest.message


def test_volumes_of_a_rar_are_named_by_the_first(tmp_path):
    paths = split(tmp_path, rar5([Entry("a.avi", noise(9999, 0))]))
    with pytest.raises(Unreadable, match="name the first alone"):
        unpacked(paths)


def test_damage_in_the_zip_around_a_part_is_told(tmp_path):
    paths = [wrap(path) for path in split(tmp_path)]
    data = bytearray(paths[2].read_bytes())
    data[len(data) // 2] ^= 1
    paths[2].write_bytes(data)
    rows = unpacked(paths)
    assert any("cannot be read" in row.message for row in rows.values())
    assert all(VIDEOS[name] == data for name, data in content(rows).items())

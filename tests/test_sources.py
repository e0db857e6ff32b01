import os
from pathlib import Path

import pytest

from scripts.common.annotations import AnnotationError
from scripts.common.sources import Source, folder_state, image_folders, walk_folder
from scripts.common.tables import Row


def source(*groups: list[str]) -> Source:
    return Source(
        [Row(name, path=f"{n}/{name}") for name in g] for n, g in enumerate(groups)
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("UCF-101/Archery/v_1.avi", "UCF-101/Archery/v_1.avi"),
        ("Archery/v_1.avi", "UCF-101/Archery/v_1.avi"),
        ("./Archery/v_1.avi", "UCF-101/Archery/v_1.avi"),
        ("Archery/v_1", "UCF-101/Archery/v_1.avi"),
        ("Archery/v_1.mp4", "UCF-101/Archery/v_1.avi"),
        ("v_2", "UCF-101/Archery/v_2.avi"),
        ("v_2.5", "UCF-101/Archery/v_2.5.avi"),
        ("notes", None),
        ("notes.txt", "UCF-101/notes.txt"),
        ("chery/v_1.avi", None),
        ("UCF-101/Archery", None),
    ],
)
def test_a_file_is_found_by_the_end_of_its_path(name, found):
    names = ["Archery/v_1.avi", "Archery/v_2.avi", "Archery/v_2.5.avi", "notes.txt"]
    row = source([f"UCF-101/{name}" for name in names]).find(name)
    assert (row and row.id) == found


def test_two_files_of_one_archive_are_a_question():
    both = source(["train/a.mp4", "val/a.mp4"])
    assert both.find("val/a.mp4").id == "val/a.mp4"
    with pytest.raises(AnnotationError, match=r"'train/a\.mp4' or 'val/a\.mp4'"):
        both.find("a")


def test_the_whole_path_wins_over_the_end_of_a_longer_one():
    assert source(["a.mp4", "old/a.mp4"]).find("a.mp4").id == "a.mp4"


def test_a_later_archive_replaces_the_files_of_an_earlier_one():
    mended = source(["./k/x_000001_000011.mp4"], ["mended/x_000001_000011.mp4"])
    assert mended.find("x_000001_000011").path == "1/mended/x_000001_000011.mp4"


def test_folders_of_images_are_videos():
    files = ["v/1/00001.jpg", "v/1/00002.JPG", "v/1/notes.txt", "v/2/x.png", "v/l.txt"]
    rows = [Row(name, path=f"/s/{name}", bytes=3, key=name) for name in files]
    first, second = image_folders(rows, fps=12)
    assert (first.id, first.path, first.frames, first.fps) == ("v/1", "/s/v/1", 2, 12)
    assert second.bytes == 3
    assert Source([[first, second]]).find("1") == first
    assert len({first.key, second.key, next(image_folders(rows[1:], 12)).key}) == 3


@pytest.mark.parametrize("depth", ["", "run/deep"])
def test_the_state_of_a_folder_tells_of_files_that_come_go_and_move(tmp_path, depth):
    folder = tmp_path / depth
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "new.mp4"
    states = [folder_state(tmp_path)]
    for step in (
        lambda: file.write_bytes(b"x"),
        lambda: file.rename(file.with_name("newer.mp4")),
        lambda: file.with_name("newer.mp4").unlink(),
    ):
        step()
        # Two changes within one tick of the file system's clock would look alike.
        os.utime(folder, ns=(0, len(states) * 10**9))
        states.append(folder_state(tmp_path))
    assert len(set(states)) == 4
    assert folder_state(tmp_path) == states[-1]


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    for name in ("v/a.mp4", "elsewhere/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "v/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "v/up").symlink_to(tmp_path / "v")
    (tmp_path / "v/gone.mp4").symlink_to(Path("nowhere"))
    rows = {row.id: row.status for row in walk_folder(tmp_path / "v")}
    assert rows == {"a.mp4": "ok", "link/c.mp4": "ok", "gone.mp4": "missing"}

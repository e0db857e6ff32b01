import pytest

from scripts.common import files


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.tsv"
    target.write_text("old")

    def write_half():
        with files.atomic(target) as temporary:
            temporary.write_text("half of the n")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_directory_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "frames"
    for names in (["00001.jpg", "00002.jpg"], ["00001.jpg"]):
        with files.atomic(target) as temporary:
            temporary.mkdir()
            for name in names:
                (temporary / name).touch()
    assert [path.name for path in target.iterdir()] == ["00001.jpg"]


def test_an_unchanged_text_is_not_written_again(tmp_path):
    target = tmp_path / "00000.tsv"
    assert files.write_if_changed(target, "a\n")
    before = target.stat().st_mtime_ns
    assert not files.write_if_changed(target, "a\n")
    assert target.stat().st_mtime_ns == before
    assert files.write_if_changed(target, "b\n")


def test_leftovers_of_a_kill_are_removed_and_products_stay(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / ".tmp-17-b.mp4").touch()
    (tmp_path / ".tmp-17-c").mkdir()
    (tmp_path / ".tmp-17-c" / "00001.jpg").touch()
    files.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_leftovers_of_others_stay_whatever_names_have_in_common(tmp_path):
    """Archives are called by their files; their jobs run side by side."""
    others = {".tmp-17-part-[1].rar.unar", ".tmp-17-1.rar.unar", ".tmp-17-[1]"}
    for name in {*others, ".tmp-17-[1].rar.unar", ".tmp-17-[1].rar.tsv"}:
        (tmp_path / name).touch()
    files.remove_leftovers(tmp_path, "[1].rar.")
    assert {path.name for path in tmp_path.iterdir()} == others

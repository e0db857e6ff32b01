from hypothesis import given
from hypothesis import strategies as st

from scripts.common import originals
from scripts.common.originals import File, base_name, expand


def test_a_path_an_address_and_a_range_are_archives():
    found = originals.archives(
        ["/data/UCF101.rar", "https://a.org/k/part_{9..11}.tar.gz?x=1"]
    )
    assert [archive.name for archive in found] == [
        "UCF101.rar",
        *(f"part_{n}.tar.gz" for n in (9, 10, 11)),
    ]
    (local,), (remote,) = found[0].files, found[1].files
    assert local.local == "/data/UCF101.rar"
    assert remote.local is None
    assert remote.places == ("https://a.org/k/part_9.tar.gz?x=1",)


def test_groups_keep_equal_names_apart():
    found = originals.archives({"train": ["t/part_0.tar"], "val": ["v/part_0.tar"]})
    assert [archive.name for archive in found] == ["train/part_0.tar", "val/part_0.tar"]


def test_parts_are_one_archive_named_after_the_first():
    (archive,) = originals.archives([{"parts": ["s/v2-{00..02}", "s/last"]}])
    assert archive.name == "v2-00"
    names = [part.local for part in archive.files]
    assert names == ["s/v2-00", "s/v2-01", "s/v2-02", "s/last"]


def test_copies_of_one_file_keep_its_facts():
    entry = {
        "at": ["https://a.org/x_{0..1}.zip", "https://b.org/y_{0..1}.zip"],
        "bytes": 5,
        "sha256": "0" * 64,
    }
    first, second = originals.files([entry])
    places = ("https://a.org/x_0.zip", "https://b.org/y_0.zip")
    assert first == File("x_0.zip", places, 5, "0" * 64)
    assert second.name == "x_1.zip"


def test_a_list_gives_its_lines_with_their_blanks_escaped():
    def read(file: File) -> list[str]:
        assert file == File("train/k_path.txt", ("https://a.org/k_path.txt",))
        return ["https://a.org/tr/riding a bike.tar.gz ", "", "/here/b%20.tar"]

    entries = {"train": [{"list": "https://a.org/k_path.txt"}]}
    web, near = originals.archives(entries, read)
    assert web.files[0].places == ("https://a.org/tr/riding%20a%20bike.tar.gz",)
    assert web.name == "train/riding a bike.tar.gz"
    assert near.files[0].local == "/here/b%20.tar"
    assert originals.archives(entries) == [], "without a reader lists are passed over"
    assert [file.name for file in originals.lists(entries)] == ["train/k_path.txt"]


def test_archives_of_annotations_are_unpacked_too():
    dataset = {
        "source": {"archives": ["v.rar"]},
        "annotations": {"files": ["splits.zip", "classes.txt", "a.json.tar.gz"]},
    }
    names = [archive.name for archive in originals.of_dataset(dataset)]
    assert names == ["v.rar", "splits.zip", "a.json.tar.gz"]
    files = [file.name for file in originals.of_files(dataset)]
    assert files == ["v.rar", "splits.zip", "a.json.tar.gz", "classes.txt"]


def test_one_archive_may_hold_videos_and_annotations():
    dataset = {
        "source": {"archives": ["m.zip"]},
        "annotations": {"files": ["m.zip"]},
    }
    assert [file.name for file in originals.of_files(dataset)] == ["m.zip"]


@given(st.integers(0, 300), st.integers(0, 40), st.integers(1, 4))
def test_a_range_has_every_number_once(first, more, width):
    texts = expand(f"a{{{first:0{width}d}..{first + more}}}b")
    assert [int(text[1:-1]) for text in texts] == [*range(first, first + more + 1)]
    assert texts == list(dict.fromkeys(texts))


def test_names_of_addresses_are_decoded():
    assert base_name("https://a.org/x/Dumb%20bell.rar?dl=1#f") == "Dumb bell.rar"
    assert base_name("/data/50%25.rar") == "50%25.rar"

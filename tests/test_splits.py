import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.index import Entry
from scripts.common.lists import ListError, members_of
from scripts.common.lists.splits import carve, check_disjoint, rounded
from scripts.common.tables import Row
from tests.strategies import file_names


def dataset(*videos: tuple) -> dict[str, Entry]:
    """Return entries from (id, labels, splits by set)."""
    return {i: Entry(Row(i), labels, splits) for i, labels, splits in videos}


OFFICIAL = dataset(
    *[(f"a{n}", ("a",), {"one": "train", "two": "test"}) for n in range(10)],
    *[(f"b{n}", ("b",), {"one": "test"}) for n in range(10)],
    ("left", ("b",), {"one": "unused", "two": "train"}),
)


def carved(source="train", part=0.2, unused=None, base="annotations") -> dict:
    validation = {"part": part, "seed": 0, "source": source}
    change = {"validation": validation, "unused": unused}
    return {"base": base, "base_set": "one", **change}


def test_the_set_decides_and_unused_videos_are_in_no_list():
    one = members_of("annotations", "one", OFFICIAL)
    assert one == {
        "test": [f"b{n}" for n in range(10)],
        "train": [f"a{n}" for n in range(10)],
    }
    two = members_of("annotations", "two", OFFICIAL)
    assert two == {"test": [f"a{n}" for n in range(10)], "train": ["left"]}


def test_the_only_set_goes_by_any_name():
    entries = dataset(("a", (), {"default": "train"}), ("b", (), {}))
    assert members_of("annotations", "official", entries) == {"train": ["a"]}


def test_without_splits_all_videos_are_in_one_list():
    assert members_of("annotations", "x", dataset(("b", (), {}), ("a", (), {}))) == {
        "all": ["a", "b"]
    }


def test_a_set_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(ListError, match="no set of splits 'three'; they have one, two"):
        members_of("annotations", "three", OFFICIAL)


def test_validation_comes_out_of_the_training_list():
    members = members_of(carved(), "own", OFFICIAL)
    assert len(members["val"]) == 2
    assert sorted(members["val"] + members["train"]) == [f"a{n}" for n in range(10)]
    assert members["test"] == [f"b{n}" for n in range(10)]


def test_the_leaking_validation_list_is_part_of_the_test_list():
    members = members_of(carved("test_leaking"), "own", OFFICIAL)
    assert len(members["val"]) == 2
    assert set(members["val"]) < set(members["test"])
    assert (len(members["train"]), len(members["test"])) == (10, 10)


def test_videos_that_the_official_split_leaves_out_can_be_used():
    definition = {"base": "annotations", "base_set": "one", "validation": None}
    members = members_of({**definition, "unused": "val"}, "own", OFFICIAL)
    assert members["val"] == ["left"]
    members = members_of(carved(unused="val"), "own", OFFICIAL)
    assert len(members["val"]) == 3
    assert "left" in members["val"]


def test_a_changed_set_can_be_the_base_of_another():
    base = {**carved(), "validation": None, "unused": "train"}
    members = members_of({**carved(base=base), "base_set": "more"}, "own", OFFICIAL)
    assert sum(map(len, members.values())) == 21
    # The class of `left` has no other video to train on: it stays there.
    assert "left" in members["train"]


def test_validation_needs_a_training_list_and_makes_no_second_one():
    with pytest.raises(ListError, match=r"a list 'train' and no 'val'; .* has val"):
        members_of(carved(), "own", dataset(("a", (), {"one": "val"})))


@pytest.fixture
def files(tmp_path):
    def write(**lists: str) -> dict[str, str]:
        for name, text in lists.items():
            (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        return {name: str(tmp_path / name) for name in lists}

    return write


def test_files_name_videos_by_id_or_path(files):
    entries = dataset(("a b.mp4", (), {}), ("x\udcff/c", (), {}))
    splits = files(train="\ufeff./a b.mp4\r\n\n", test="x\udcff/c")
    members = members_of(splits, "own", entries)
    assert members == {"train": ["a b.mp4"], "test": ["x\udcff/c"]}


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("a0\nx\n", "", "train, line 2: no video is named 'x'"),
        ("a0\n", "b1\na0\n", "test, line 2: 'a0' is in 'train' already"),
        ("a0\na0\n", "", "train, line 2: 'a0' is in 'train' already"),
    ],
)
def test_lists_that_cannot_be_right_are_refused(files, train, test, message):
    with pytest.raises(ListError, match=message):
        members_of(files(train=train, test=test), "own", OFFICIAL)


def test_a_video_in_two_lists_is_named():
    with pytest.raises(ListError, match="'b' is in the lists 'train' and 'val'"):
        check_disjoint({"train": ["a", "b"], "val": ["b"]})


videos = st.dictionaries(
    file_names,
    st.lists(st.sampled_from("abcd"), max_size=2).map(tuple),
    max_size=60,
)
parts = st.integers(1, 99).map(lambda percent: percent / 100)
seeds = st.integers(-5, 5)


def by_class(labels: dict, chosen) -> dict[tuple, set]:
    groups = {names[:1]: set() for names in labels.values()}
    for video_id in chosen:
        groups[labels[video_id][:1]].add(video_id)
    return groups


@given(videos, parts, seeds)
def test_each_class_gives_its_part(labels, part, seed):
    val = by_class(labels, carve(labels, part, seed))
    for name, members in by_class(labels, labels).items():
        exact = part * len(members)
        assert val[name] <= members
        assert len(val[name]) < len(members)
        assert abs(len(val[name]) - exact) <= 0.5001 or len(val[name]) == (
            len(members) - 1
        )


@given(videos, parts, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_videos_decides_nothing(labels, part, seed, chance):
    names = list(labels)
    chance.shuffle(names)
    shuffled = {name: labels[name] for name in names}
    assert carve(shuffled, part, seed) == carve(labels, part, seed)


@given(videos, parts, seeds, file_names, st.sampled_from([(), ("a",), ("b",), ("z",)]))
def test_another_video_moves_one_of_its_class_at_most(labels, part, seed, new, names):
    labels.pop(new, None)
    before = by_class(labels, carve(labels, part, seed))
    after = by_class({**labels, new: names}, carve({**labels, new: names}, part, seed))
    for name, chosen in before.items():
        moved = (after[name] ^ chosen) - {new}
        assert len(moved) <= (name == names)


def test_the_seed_decides():
    labels = {f"{n}": ("a",) for n in range(100)}
    draws = [carve(labels, 0.1, seed) for seed in range(20)]
    assert len({frozenset(draw) for draw in draws}) == 20
    assert carve(labels, 0.1, 0) == draws[0]
    # Every video has its turn, wherever it is: no id is preferred.
    often = [carve(labels, 0.1, seed) for seed in range(300)]
    turns = [sum(name in draw for draw in often) for name in labels]
    assert min(turns) > 10
    assert max(turns) < 60


def test_other_machines_draw_the_same():
    assert carve({f"{n}": () for n in range(20)}, 0.15, 7) == {"8", "10", "18"}


def test_parts_are_decimal():
    assert [rounded(0.29, 50), rounded(0.35, 10), rounded(0.1, 4)] == [15, 4, 0]

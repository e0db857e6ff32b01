"""The class lists: complete, in the order of the logits, and found from anywhere."""

import re

import pytest

import models
from models.classes import LABELS, PART_OF, SUBSETS, class_lists, class_names

UNPUBLISHED = "mini_moments"

# Lists in the order of their datasets' ids.
BY_ID = ("ava", "charades", "moments")

# Names that the grammars know and no declared card has.
UNDECLARED = ("ibm_moments_resnet_50_f8", "tsn_resnet50_ssv1_4seg")


def cards_by_list() -> dict[str, set[int]]:
    """The class lists that cards name, with the numbers of their logits."""
    found: dict[str, set[int]] = {}
    for name in (*models.names(), *UNDECLARED):
        card = models.card(name)
        found.setdefault(card.classes, set()).add(card.features["logits"].dim)
    return found


def test_every_network_has_a_name_for_each_logit():
    lists = cards_by_list()
    assert set(lists) == {*class_lists(), UNPUBLISHED}
    del lists[UNPUBLISHED]
    assert {name: {len(models.class_names(name))} for name in lists} == lists


@pytest.mark.parametrize("classes", class_lists())
def test_names_are_distinct_and_tidy(classes):
    names = class_names(classes)
    assert len(names) == len(set(names))
    assert [name for name in names if not name or name != " ".join(name.split())] == []


@pytest.mark.parametrize(
    ("classes", "number", "name"),
    [
        ("ava", 11, "stand"),  # its id is 12
        ("ava", 79, "watch (a person)"),
        ("charades", 59, "Sitting in a chair"),  # c059
        ("charades", 156, "Someone is eating something"),
        ("hmdb51", 0, "brush_hair"),
        ("hmdb51", 50, "wave"),
        ("kinetics400", 0, "abseiling"),
        ("kinetics400", 290, "sharpening knives"),
        ("kinetics600", 266, "luge"),
        ("kinetics600", 598, "yoga"),
        ("mini_kinetics400", 0, "air drumming"),
        ("mini_ssv2", 86, "Unfolding something"),
        ("moments", 0, "clapping"),
        ("moments", 338, "typing"),
        ("something_v1", 173, "Wiping something off of something"),
        ("something_v2", 173, "Wiping something off of something"),
        ("ucf101", 46, "JumpRope"),
        ("ucf101", 47, "JumpingJack"),
    ],
)
def test_a_known_class_has_its_number(classes, number, name):
    assert class_names(classes)[number] == name


@pytest.mark.parametrize("classes", [c for c in class_lists() if c not in BY_ID])
def test_lists_that_are_said_to_be_sorted_are(classes):
    assert class_names(classes) == tuple(sorted(class_names(classes)))


@pytest.mark.parametrize("classes", PART_OF)
def test_a_subset_has_all_classes_of_its_file(classes):
    chosen = (SUBSETS / f"{classes}.txt").read_text().splitlines()
    assert set(class_names(classes)) == set(chosen)


def test_lists_are_found_from_another_directory(tmp_path, monkeypatch):
    class_names.cache_clear()
    monkeypatch.chdir(tmp_path)
    assert len(class_names("ucf101")) == 101
    assert len(class_names("mini_ssv2")) == 87


def test_a_list_that_is_not_here_is_an_error_that_names_those_that_are():
    with pytest.raises(KeyError) as error:
        class_names(UNPUBLISHED)
    message = str(error.value)
    assert message.startswith("no class list 'mini_moments'; there are ava, charades")


def test_classes_without_names_may_be_called_by_their_numbers():
    names = class_names(UNPUBLISHED, outputs=200)
    assert (len(names), names[17]) == (200, "class 17")
    assert class_names("ucf101", outputs=101) == class_names("ucf101")


def test_the_readme_says_where_each_list_is_from():
    text = (LABELS / "README.md").read_text(encoding="utf-8")
    counts = dict(re.findall(r"^\| `(\w+)\S*.*?\| (\d+) \|", text, re.MULTILINE))
    expected = {name: str(len(class_names(name))) for name in class_lists()}
    assert counts == {**expected, UNPUBLISHED: "200"}

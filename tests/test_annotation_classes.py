"""Names of classes: spelt in many ways, of which none may be taken for another."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.annotations import (
    Annotated,
    AnnotationError,
    Event,
    check_classes,
    class_key,
    match_classes,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = st.lists(st.text("abcäöß1", min_size=1), min_size=1)


@given(words)
def test_spellings_of_one_class_have_one_key(parts):
    plain, other = " ".join(parts), "_(".join(parts).upper() + ")"
    assert class_key(plain) == class_key(other)
    assert class_key(class_key(plain)) == class_key(plain)


@given(st.sets(texts))
def test_every_known_class_means_itself(known):
    assert match_classes(sorted(known), known) == sorted(known)


def test_names_are_matched_by_letters_and_digits():
    known = ["riding a bike", "Hula hoop", "yoga"]
    assert match_classes(["YOGA", "Riding_A_Bike"], known) == ["yoga", "riding a bike"]
    # One character, and a letter with a mark behind it.
    assert match_classes(["cafe\u0301"], ["caf\xe9"]) == ["caf\xe9"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["yogga", "qqq"], r"no class is named 'yogga' \(is it 'yoga'\?\), 'qqq'$"),
        (["play-tennis"], "'play-tennis' may be 'play tennis', 'playtennis'"),
        ([f"{letter * 9}" for letter in "qwxzkjv"], "'kkkkkkkkk' and 2 more"),
    ],
)
def test_names_that_match_none_or_two_are_told(wanted, message):
    with pytest.raises(AnnotationError, match=message):
        match_classes(wanted, ["yoga", "play tennis", "playtennis"])


def test_classes_without_a_video_and_labels_without_a_class_are_told():
    videos = [
        Annotated("a", "a", labels=("yoga",)),
        Annotated("b", "b", events=(Event(0, 1, "zumba"), Event(text="text"))),
    ]
    check_classes(videos, ["yoga", "zumba"])
    with pytest.raises(AnnotationError, match="no video has the class 'archery'"):
        check_classes(videos, ["yoga", "zumba", "archery"])
    with pytest.raises(AnnotationError, match=r"'zumba' \(is it 'Zumba'\?\)"):
        check_classes(videos, ["yoga", "Zumba"])


def test_ibms_mini_sets_are_classes_of_their_parents():
    from torchvision.models import video

    folder = Path(__file__).parents[1] / "config" / "classes"
    names = (folder / "mini_kinetics400.txt").read_text().splitlines()
    parents = video.S3D_Weights.KINETICS400_V1.meta["categories"]
    assert match_classes(names, parents) == names
    assert len(set(names)) == 200
    names = (folder / "mini_ssv2.txt").read_text().splitlines()
    assert len(set(names)) == 87

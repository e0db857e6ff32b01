from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.ids import (
    LONGEST_SLUG,
    SlugTooLong,
    fingerprint,
    shard_name,
    shard_of,
    slug,
    unslug,
)
from tests.strategies import file_names as ids

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(ids)
def test_a_slug_gives_its_id_back(video_id):
    assert unslug(slug(video_id)) == video_id


@given(ids)
def test_a_slug_is_one_harmless_file_name(video_id):
    name = slug(video_id)
    assert len(name.encode()) <= LONGEST_SLUG
    assert not set(name) & set("/\\ \t\n'\"%*?:;|&$<>~`#@")
    assert name[0] not in "-."


@given(ids, ids)
def test_two_ids_never_share_a_slug(one, other):
    assert (slug(one) == slug(other)) == (one == other)


def test_slugs_of_ordinary_names_stay_readable():
    assert slug("run/v_Run_g01.c01-a.avi") == "run+v_Run_g01.c01-a.avi"
    assert slug("走る/一.mp4") == "走る+一.mp4"


def test_an_id_too_long_for_a_file_name_is_refused():
    with pytest.raises(SlugTooLong, match="204 bytes"):
        slug("a" * 204)


def test_shards_hold_still_across_versions():
    # Other numbers would do every dataset again; they are a promise.
    assert [shard_of(f"video{n}", 1000) for n in range(4)] == [533, 331, 847, 62]


@given(ids, st.integers(1, 99_999))
def test_a_shard_is_below_the_number_of_shards(video_id, shards):
    assert 0 <= shard_of(video_id, shards) < shards
    assert len(shard_name(shard_of(video_id, shards))) == 5


def test_shards_are_of_similar_size():
    sizes = Counter(shard_of(f"class{n % 7}/clip{n}.mp4", 64) for n in range(64_000))
    assert min(sizes.values()) > 850
    assert max(sizes.values()) < 1150


@given(st.dictionaries(st.text(min_size=1), json_values, min_size=1))
def test_a_fingerprint_knows_values_but_no_order(parts):
    assert fingerprint(**parts) == fingerprint(**dict(reversed(parts.items())))


@given(json_values, json_values)
def test_a_fingerprint_tells_values_apart(one, other):
    same = fingerprint(x=one) == fingerprint(x=other)
    assert same == (repr(one) == repr(other))

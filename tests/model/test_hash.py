"""The container of a hash: its account, copies and dumps, and the places that large ones keep for walks and picks."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.hash import Hash
from kv_server.model.steps import finished
from tests.engine.profile import examples

fields = st.integers(0, 700).map(lambda number: b"f%d" % number)
many = [octets for number in range(700) for octets in (b"f%d" % number, b"v")]


def walked(made: Hash, count: int = 50) -> list[bytes]:
    """The fields that a walk over *made* meets."""
    cursor, page = made.page(0, count)
    met = [field for field, _ in page]
    while cursor:
        cursor, page = made.page(cursor, count)
        met += [field for field, _ in page]
    return met


@settings(max_examples=examples(60))
@given(changes=st.lists(st.tuples(st.booleans(), fields, st.sampled_from([b"", b"value"])), max_size=80))
def test_places_follow_every_change(changes: list[tuple[bool, bytes, bytes]]) -> None:
    made = Hash()
    plain: dict[bytes, bytes] = {}
    for number in range(600):
        made.put(b"f%d" % number, b"first")
        plain[b"f%d" % number] = b"first"
    assert walked(made)[::-1] == list(plain)
    for put, field, blob in changes:
        if put:
            made.put(field, blob)
            plain[field] = blob
        elif field in plain:
            made.drop(field)
            del plain[field]
    assert dict(made) == plain
    assert sorted(walked(made)) == sorted(plain)
    assert dict(Hash.load(made.dump())) == dict(made.copy()) == plain
    assert getattr(made, "outgrown", False) or Hash.load(made.dump()).bytes == made.copy().bytes == made.bytes
    assert list(Hash.load(made.dump())) == list(made)


def test_a_copy_changes_apart() -> None:
    made = Hash.load([b"f", b"1"])
    other = made.copy()
    other.put(b"g", b"2")
    other.drop(b"f")
    assert made.dump() == [b"f", b"1"]


def test_picks_without_repeats_are_all_different_and_at_most_all() -> None:
    made = Hash.load(many)
    picked = made.pick(300, Random(1), repeats=False)
    assert len(dict(picked)) == 300
    assert made.pick(900, Random(1), repeats=False) == list(made.items())
    assert len(made.pick(900, Random(1), repeats=True)) == 900


def test_what_a_hash_gives_is_all_of_it_in_the_order_in_which_it_came() -> None:
    for count in (0, 1, 5, 128, 129, 700):
        made = Hash.load(many[: 2 * count])
        plain = dict(zip(many[: 2 * count : 2], many[1 : 2 * count : 2], strict=True))
        assert len(made) == count
        assert list(made) == list(made.keys()) == list(plain)
        assert list(made.values()) == list(plain.values())
        assert list(made.items()) == list(plain.items())
        assert made.mapping() == plain
        assert made.dump() == finished(Hash.loading(many[: 2 * count])).dump() == many[: 2 * count]
        assert all(field in made and made[field] == made.get(field) == b"v" for field in plain)
        assert b"absent" not in made
        assert made.get(b"absent") is None


def test_a_field_twice_and_a_field_that_is_not_there_are_refused() -> None:
    for dumped in ([b"f", b"1", b"f", b"2"], [*many, b"f1", b"2"], [b"f"], [*many, b"f"]):
        with pytest.raises(ValueError):
            Hash.load(dumped)
        with pytest.raises(ValueError):
            finished(Hash.loading(dumped))
    for made in (Hash(), Hash.load(many)):
        before = made.dump()
        with pytest.raises(KeyError):
            made.drop(b"absent")
        with pytest.raises(KeyError):
            made[b"absent"]
        assert made.dump() == before


def test_the_account_of_a_hash_is_what_its_changes_say() -> None:
    made, dice = Hash(), Random(3)
    account = made.bytes
    names = [b"f" * (number % 140) + b"%d" % number for number in range(300)]
    for names_in_use in (names[:20], names[:120], names, names[:10]):
        for _ in range(400):
            field = dice.choice(names_in_use)
            grown = made.put(field, b"v" * dice.choice((0, 1, 20, 128, 129, 300))) if dice.random() < 0.6 else 0
            grown -= made.drop(field) if dice.random() < 0.4 and field in made else 0
            account += grown
            assert made.bytes == account
        for field in list(made)[5:]:
            account -= made.drop(field)
        assert made.bytes == account
        assert getattr(made, "outgrown", False) or made.copy().bytes == account

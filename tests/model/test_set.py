"""Walks over sets and sorted sets: whoever stays is met. And copies are apart."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.set import Set
from kv_server.model.steps import finished
from kv_server.model.zset import SortedSet
from tests.engine.profile import examples

members = st.integers(0, 30).map(lambda number: b"%d" % number)
changes = st.lists(st.lists(members, max_size=6), max_size=30)


@settings(max_examples=examples(200))
@given(begun=st.sets(members), between=changes, count=st.integers(1, 7))
def test_a_walk_meets_everybody_who_stays(begun: set[bytes], between: list[list[bytes]], count: int) -> None:
    """Between two pages members come and go; and in a sorted set scores change, which no walk notices."""
    plain, scored = Set(sorted(begun)), SortedSet(sorted(begun), [1.0] * len(begun))
    stayed, met, met_there = set(begun), set(), set()
    cursor = there = 0
    for turn in range(200):
        cursor, page = plain.page(cursor, count)
        there, pairs = scored.page(there, count)
        assert cursor == there
        met |= set(page)
        met_there |= {member for _, member in pairs}
        if cursor == 0:
            break
        for member in between[turn] if turn < len(between) else ():
            if member in plain:
                plain.remove(member)
                scored.remove(member)
                stayed.discard(member)
            else:
                plain.add(member)
                scored.put(float(turn), member)
        for member in list(plain)[:2]:
            scored.put(-float(turn), member)
    assert cursor == 0
    assert stayed <= met
    assert stayed <= met_there


@given(begun=st.sets(members), gone=st.sets(members))
def test_accounts_copies_and_dumps_are_of_what_is_there(begun: set[bytes], gone: set[bytes]) -> None:
    plain, scored = Set(), SortedSet()
    for number, member in enumerate(sorted(begun)):
        plain.add(member)
        scored.put(number % 3, member)
    copies = plain.copy(), scored.copy()
    pictures = plain.dump(), scored.dump()
    for member in gone & begun:
        plain.remove(member)
        scored.remove(member)
    assert set(plain) == set(scored) == begun - gone
    for one in (plain, scored):
        assert type(one).load(one.dump()).bytes == one.bytes
        assert type(one).load(one.dump()).dump() == one.dump()
    assert (copies[0].dump(), copies[1].dump()) == pictures
    assert copies[1].slice(0, len(begun)) == sorted((number % 3, member) for number, member in enumerate(sorted(begun)))


def test_there_is_one_zero_only() -> None:
    scored = SortedSet([b"a"], [-0.0])
    scored.put(-0.0, b"b")
    assert [str(score) for score, _ in scored.pairs()] == ["0.0", "0.0"]


def test_what_a_set_gives_is_all_of_it_in_the_order_of_its_places() -> None:
    for count in (0, 1, 5, 128, 129, 700):
        names = [b"m%d" % number for number in range(count)]
        made = Set(names)
        assert len(made) == count
        assert list(made) == made.dump() == names
        assert made.picked(range(count)) == names
        assert Set.load(names).dump() == finished(Set.loading(names)).dump() == names
        assert Set.load(names).bytes == finished(Set.loading(names)).bytes == made.bytes
        assert all(name in made for name in names)
        assert b"absent" not in made
        asked = [*names[:3], b"absent"]
        assert made.which(asked, True) == names[:3]
        assert made.which(dict.fromkeys(asked), False) == [b"absent"]


def test_a_member_twice_and_a_member_that_is_not_there_are_refused() -> None:
    names = [b"m%d" % number for number in range(700)]
    for dumped in ([b"m", b"m"], [*names, b"m1"]):
        with pytest.raises(ValueError):
            Set.load(dumped)
        with pytest.raises(ValueError):
            finished(Set.loading(dumped))
    for count in (0, 5, 128, 700):
        made = Set(names[:count])
        with pytest.raises(KeyError):
            made.remove(b"absent")
        with pytest.raises(KeyError):
            made.remove_all([*names[: count // 2], b"absent"], [])
        assert made.dump() == names[:count]


def test_the_last_member_takes_the_place_of_one_that_goes() -> None:
    made = Set([b"first", b"second", b"3", b"the fourth"])
    made.remove(b"first")
    assert made.dump() == [b"the fourth", b"second", b"3"]
    made.remove(b"3")
    assert made.dump() == [b"the fourth", b"second"]


def test_the_account_of_a_set_is_what_its_changes_say() -> None:
    made, dice = Set(), Random(3)
    account = made.bytes
    names = [b"m" * (number % 140) + b"%d" % number for number in range(300)]
    for names_in_use in (names[:20], names[:60], names, names[:10]):
        for _ in range(400):
            member = dice.choice(names_in_use)
            account += -made.remove(member) if member in made else made.add(member)
            assert made.bytes == account
        come = made.which(names, False)
        account += made.add_all(come)
        account -= made.remove_all(made.which(names, True)[5:], [])
        assert made.bytes == account
        assert getattr(made, "outgrown", False) or made.copy().bytes == account

"""Walks over sets and sorted sets: whoever stays is met. And copies are apart."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.set import Set
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
        plain.bytes += plain.add(member)
        scored.bytes += scored.put(number % 3, member)
    copies = plain.copy(), scored.copy()
    pictures = plain.dump(), scored.dump()
    for member in gone & begun:
        plain.bytes -= plain.remove(member)
        scored.bytes -= scored.remove(member)
    assert set(plain) == set(scored.members) == begun - gone
    for one in (plain, scored):
        assert type(one).load(one.dump()).bytes == one.bytes
        assert type(one).load(one.dump()).dump() == one.dump()
    assert (copies[0].dump(), copies[1].dump()) == pictures
    assert list(copies[1].ranking) == sorted((number % 3, member) for number, member in enumerate(sorted(begun)))


def test_there_is_one_zero_only() -> None:
    scored = SortedSet([b"a"], [-0.0])
    scored.put(-0.0, b"b")
    assert [str(score) for score, _ in scored.pairs()] == ["0.0", "0.0"]

"""Many changes at once leave a collection as one after the other would; and what is large is let go of in pieces."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_server.model.entry import HASH, LIST, SET, STREAM, ZSET, Loose
from kv_server.model.hash import Hash
from kv_server.model.ledger import Ledger
from kv_server.model.list import List
from kv_server.model.set import Set, sample
from kv_server.model.store import Store
from kv_server.model.stream import Stream
from kv_server.model.stream_id import make_id
from kv_server.model.zset import SortedSet

names = st.integers(0, 40).map(lambda number: b"%d" % number)
INF = float("inf")


def members_of(plain: Set) -> set[bytes]:
    """The members of *plain*, after a look at whether all of it fits together."""
    assert plain.picked(range(len(plain))) == plain.which(list(plain), True) == list(plain)
    return set(plain)


@given(begun=st.sets(names), come=st.sets(names), gone=st.sets(names))
def test_members_that_come_and_go_together(begun: set[bytes], come: set[bytes], gone: set[bytes]) -> None:
    plain = Set(sorted(begun))
    fresh = sorted(come - begun)
    assert plain.add_all(fresh) == Set(sorted(begun) + fresh).bytes - Set(sorted(begun)).bytes
    assert members_of(plain) == begun | come
    leaving = sorted(gone & (begun | come))
    before = list(plain)
    staying = [member for member in before if member not in gone]
    assert plain.remove_all(leaving, []) == Set(before).bytes - Set(staying).bytes
    assert members_of(plain) == (begun | come) - gone
    assert list(plain) == staying


@given(seed=st.integers(0, 2**32), sizes=st.tuples(*[st.sampled_from([0, 1, 30, 66, 100, 300])] * 3))
def test_scores_that_are_put_and_removed_together(seed: int, sizes: tuple[int, int, int]) -> None:
    dice = Random(seed)
    one_by_one, together = SortedSet(), SortedSet()
    for size in sizes[:2]:
        pairs = [(dice.choice([0.0, -0.0, 1.0, 2.5, INF]), b"%d" % dice.randrange(2 * size)) for _ in range(size)]
        for score, member in pairs:
            one_by_one.put(score, member)
        together.put_all(pairs)
        assert together.pairs() == one_by_one.pairs()
    leaving = dice.sample(list(together), min(sizes[2], len(together)))
    for member in leaving:
        one_by_one.remove(member)
    before = together.bytes
    assert before - together.remove_all(leaving, []) == together.bytes
    ranked = one_by_one.slice(0, len(one_by_one))
    assert together.slice(0, len(together)) == ranked == sorted(ranked)
    assert sorted(together.pairs()) == sorted(one_by_one.pairs()) == ranked
    assert [together.rank(member) for _, member in ranked] == list(range(len(ranked)))


@given(known=st.lists(names, unique=True), put=st.lists(names, unique=True))
def test_a_ledger_takes_many_in_any_order(known: list[bytes], put: list[bytes]) -> None:
    ledger: Ledger[bytes] = Ledger()
    for id in known:
        ledger.put(id, id)
    fresh = [id for id in put if id not in known]
    if fresh:
        ledger.put_all(fresh, fresh)
    everything = sorted({*known, *put})
    assert [id for id, _ in ledger.between(b"", b"\xff", None)] == everything
    assert [id for id, _ in ledger.between(b"", b"\xff", 3, backwards=True)] == everything[::-1][:3]


@pytest.mark.parametrize("kept", [0, 1, 70])
def test_a_stream_keeps_the_newest(kept: int) -> None:
    one_by_one, together = Stream(), Stream()
    for number in range(100):
        for stream in (one_by_one, together):
            stream.bytes += stream.add(make_id(1, number), (b"f", b"%d" % number))
    one_by_one.bytes += one_by_one.trim(100 - kept)
    together.bytes += together.keep(kept)
    assert together == one_by_one
    assert together.bytes == one_by_one.bytes


@pytest.mark.parametrize("count", [0, 1, 64, 65, 400, 999, 1_000])
def test_a_sample_is_of_different_ones_and_of_all_alike(count: int) -> None:
    dice = Random(1)
    drawn = [0] * 1_000
    for _ in range(40):
        chosen = sample(dice, range(1_000), count)
        assert len(set(chosen)) == len(chosen) == count
        for number in chosen:
            drawn[number] += 1
    halves = sum(drawn[:500]), sum(drawn[500:])
    assert abs(halves[0] - halves[1]) <= 0.1 * sum(halves) + 20


def big(kind: int) -> Loose:
    """A collection that is too large to be let go of at once."""
    numbers = [b"%d" % number for number in range(3_000)]
    if kind == HASH:
        made: Any = Hash.load([each for number in numbers for each in (number, number)])
        made.page(0, 1)
    elif kind == STREAM:
        made = Stream()
        for number in range(3_000):
            made.add(make_id(1, number), (b"f", b"v"))
    else:
        made = SortedSet(numbers, [1.0] * 3_000) if kind == ZSET else (List if kind == LIST else Set)(numbers)
    return Loose(kind, made, 1, 0)


@pytest.mark.parametrize("kind", [HASH, LIST, SET, ZSET, STREAM])
def test_what_is_large_is_freed_in_slices(kind: int) -> None:
    store = Store(1, b"")
    entry = big(kind)
    store.discard(entry)
    pieces = list(store.garbage)
    left = sum(map(len, pieces))
    assert left >= 3_000
    while store.free_some():
        left -= 5_000
        assert sum(map(len, pieces)) == left > 0
    assert not any(pieces)


def test_what_a_dropped_table_holds_is_freed_in_slices_too() -> None:
    store = Store(1, b"")
    space = store.namespace(b"n")
    entry = big(SET)
    store.table(space, 0).put(b"k", entry)
    store.drop(b"n")
    while store.free_some():
        pass
    assert not any(entry.value.pieces())

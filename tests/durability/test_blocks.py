"""Scalars on their way between tables and blocks, by both twins: all of them, as they were, or the same refusal."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import packb, unpackb

from kv_server.durability import blocks as native
from kv_server.durability.snapshot import COLLECTIONS
from kv_server.model.entry import SCALAR, SET, Loose
from kv_server.model.set import Set
from kv_server.model.store import Store
from kv_server.model.table import Table
from tests.engine.profile import examples
from tests.surfaces.twins import plain_twin

plain: Any = native if str(native.__file__).endswith(".py") else plain_twin(native)
both = pytest.mark.parametrize("blocks", {"as built": native, "plain": plain}.values(), ids=["as built", "plain"])

Row: TypeAlias = tuple[bytes, int, int]

LENGTHS = st.sampled_from([0, 1, 100, 255, 256, 65_535, 65_536])
keys = st.binary(max_size=12) | st.integers(0, 50).map(b"%d".__mod__) | st.sampled_from([b"k" * 300, b"k" * 65_536])
blobs = st.binary(max_size=40) | LENGTHS.map(bytes)
versions = st.sampled_from([0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
expiries = st.sampled_from([0, 1, 127, 128, 2**16, 2**32, 2**43, -1, -32, -33, -128, -129, -32_769, -(2**31) - 1])
scalars = st.dictionaries(keys, st.tuples(blobs, versions, expiries), max_size=60)
SOME = {b"%d" % number: (b"x" * (number % 7), number + 1, number % 3) for number in range(700)}


def table_of(rows: dict[bytes, Row], home: Store | None = None) -> Table:
    table = (home or Store(1, b"")).namespace(b"n").table()
    for key, (blob, version, expires_ms) in rows.items():
        table.put(key, Loose(SCALAR, blob, version, expires_ms))
    return table


def content(table: Table) -> dict[bytes, Any]:
    return {
        key: (entry.value, entry.version, entry.expires_ms) if entry.kind == SCALAR else entry.value.dump()
        for key, entry in table.items()
    }


def told(packed: bytes, shard: int = 0) -> bytes:
    """What a block says of the columns that are *packed*."""
    return b"\x97" + packb(native.SCALARS) + packb(b"n") + packb(shard) + packed


def block(*columns: Any) -> bytes:
    return told(b"".join(map(packb, columns)))


def columns_in(packed: bytes) -> list[list[Any]]:
    columns: list[list[Any]] = unpackb(b"\x94" + packed)
    return columns


# ---- out of a table, and into another
@both
@settings(max_examples=examples(60))
@given(rows=scalars, most=st.integers(1, 70), shard=st.integers(0, 10_000))
def test_all_come_back_as_they_were(blocks: Any, rows: dict[bytes, Row], most: int, shard: int) -> None:
    table, found = table_of(rows), table_of({})
    members = Set.load([b"x", b"y"])
    table.put(b"a set", Loose(SET, members, 5, 0))
    walk, others = blocks.Walk(table), []
    while not walk.over:
        count, packed, rest = walk.slice(most, set())
        others += rest
        parts = columns_in(packed)
        assert [len(column) for column in parts] == [count] * 4
        assert packed == b"".join(map(packb, parts)), "as msgpack writes them"
        [thing] = blocks.things(told(packed, shard))
        assert thing[:3] == [native.SCALARS, b"n", shard]
        assert list(blocks.rows_in(thing[3:])) == list(zip(*parts, strict=True))
        assert blocks.put(found, thing[3:], 5_000) == count
    assert [(key, entry.value.dump()) for key, entry in others] == [(b"a set", members.dump())]
    assert content(found) == rows
    table.remove(b"a set")
    assert (found.bytes, found.home.bytes, found.home.keys) == (table.bytes, table.home.bytes, table.home.keys)
    assert (found.expiring, found.first_due(), found.pending) == (table.expiring, table.first_due(), table.pending)


changes = st.lists(
    st.one_of(
        st.tuples(st.just("slice"), st.integers(1, 80)),
        st.tuples(st.just("set"), st.sampled_from([*SOME]), st.binary(max_size=9)),
        st.tuples(st.just("expire"), st.sampled_from([*SOME])),
        st.tuples(st.just("drop"), st.sampled_from([*SOME])),
        st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 900)),
    ),
    max_size=40,
)


@both
@settings(max_examples=examples(60))
@given(changes=changes)
def test_a_walk_tells_what_it_has_passed_whatever_becomes_of_the_table(blocks: Any, changes: list[Any]) -> None:
    table, left_out = table_of(SOME), set()
    found: dict[bytes, Any] = {}
    walk = blocks.Walk(table)

    def keep(key: bytes) -> None:
        """As a snapshot does before a change."""
        if key in left_out or walk.passed(key):
            return
        left_out.add(key)
        entry = table.get(key)
        if entry is not None:
            found[key] = entry.value, entry.version, entry.expires_ms

    def set_(key: bytes, blob: bytes) -> None:
        keep(key)
        entry = table.get(key)
        if entry is None:
            table.put(key, Loose(SCALAR, blob, 9_999, 0))
        else:
            table.replace(key, entry, blob, 9_999)

    def take(most: int) -> None:
        before = len(found)
        count, packed, _ = walk.slice(most, left_out)
        found.update((key, tuple(row)) for key, *row in zip(*columns_in(packed), strict=True))
        assert len(found) == before + count, "none twice"

    def expire(key: bytes) -> None:
        if key in table:
            keep(key)
            table.set_expiry(key, table[key], 77)

    def drop(key: bytes) -> None:
        if key in table:
            keep(key)
            table.remove(key)

    def fill(number: int, count: int) -> None:
        for at in range(count):
            set_(b"new %d %d" % (number, at), b"")

    do: dict[str, Callable[..., None]] = {"slice": take, "set": set_, "expire": expire, "drop": drop, "fill": fill}
    for what, *args in changes:
        if what != "slice" or not walk.over:
            do[what](*args)
    while not walk.over:
        take(100)
    assert found == SOME


# ---- what was not written so
def outcome(blocks: Any, octets: bytes) -> tuple[list[Any], Any]:
    """What *octets* say up to where they are refused, and what becomes of a table that takes it in."""
    said: list[Any] = []
    table = table_of({b"there": (b"", 1, 0)})
    try:
        for thing in blocks.things(octets):
            said.append(thing if type(thing) is not list else thing[:3] + list(map(list, columns_of(thing[3:]))))
            if type(thing) is list and thing[:1] == [native.SCALARS]:
                blocks.put(table, thing[3:])
    except Exception as error:
        return said, type(error)
    return said, content(table)


def columns_of(columns: list[Any]) -> Iterable[Any]:
    packed = len(columns) == 1 and hasattr(columns[0], "lists")
    return columns[0].lists() if packed else [column if type(column) is list else [column] for column in columns]


GOOD = block([b"a", b"b" * 300, b"c"], [b"1", b"", b"3" * 400], [1, 70_000, 2**64 - 1], [0, -5, 2**40])
OTHER = packb([COLLECTIONS, b"n", 0, [[3, b"k", [b"f", b"v"], 7, 0]]])


@settings(max_examples=examples(600))
@given(
    parts=st.lists(st.sampled_from([GOOD, OTHER, block([], [], [], [])]), min_size=1, max_size=4),
    spoilt=st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 255)), max_size=3),
    cut=st.none() | st.integers(0, 2_000),
    more=st.binary(max_size=3),
)
def test_both_refuse_alike_what_was_spoilt(
    parts: list[bytes], spoilt: list[tuple[int, int]], cut: int | None, more: bytes
) -> None:
    octets = bytearray(b"".join(parts))
    for place, value in spoilt:
        octets[place % len(octets)] = value
    spoiled = bytes(octets[:cut]) + more
    assert outcome(native, spoiled) == outcome(plain, spoiled)


REFUSED = {
    "a key that was there": [[b"a", b"there"], [b"", b""], [1, 2], [0, 0]],
    "a key twice": [[b"a", b"a"], [b"", b""], [1, 2], [0, 0]],
    "too few keys": [[b"a"], [b"", b""], [1, 2], [0, 0]],
    "too few blobs": [[b"a", b"b"], [b""], [1, 2], [0, 0]],
    "too few versions": [[b"a", b"b"], [b"", b""], [1], [0, 0]],
    "too few expiries": [[b"a", b"b"], [b"", b""], [1, 2], []],
    "a key that is text": [["a"], [b""], [1], [0]],
    "a blob that is none": [[b"a"], [None], [1], [0]],
    "a version that is none": [[b"a"], [b""], [1.5], [0]],
    "a version below 0": [[b"a"], [b""], [-1], [0]],
    "an expiry that is too large": [[b"a"], [b""], [1], [2**63]],
    "an expiry that is no number": [[b"a"], [b""], [1], [True]],
}


@both
@pytest.mark.parametrize("columns", REFUSED.values(), ids=REFUSED)
def test_what_no_table_holds_is_refused(blocks: Any, columns: list[Any]) -> None:
    [thing] = blocks.things(block(*columns))
    with pytest.raises(ValueError):
        blocks.put(table_of({b"there": (b"", 1, 0)}), thing[3:])


def test_lengths_that_lie_are_read_no_further_than_the_end() -> None:
    for head in (0x90, 0x9F, 0xDC, 0xDD, 0xDE, 0xDF, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xD8, 0xDB, 0xCF, 0xD3):
        for fill in (0x00, 0xC4, 0xDD, 0xDF, 0xFF):
            for size in range(12):
                tail = bytes([head]) + bytes([fill]) * size
                for octets in (tail, block([b"a"])[:-1] + tail, block([b"a"], [b"b"]) + tail):
                    assert outcome(native, octets) == outcome(plain, octets)


@both
def test_nothing_is_lost_of_the_memory(blocks: Any) -> None:
    table = table_of(SOME)
    once = blocks.Walk(table).slice(1_000, set())[1]

    def turn() -> None:
        for most in (0, 100, 1_000):
            walk = blocks.Walk(table)
            if most:
                walk.slice(most, {b"1"})
        [thing] = blocks.things(told(once))
        blocks.put(table_of({}), thing[3:])
        with pytest.raises(ValueError):
            blocks.put(table, thing[3:])
        gc.collect()

    turn()
    tracemalloc.start()
    try:
        turn()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            turn()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000

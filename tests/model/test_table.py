"""A table's accounts, and its heap of deadlines, equal a recount whatever is done to it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import CACHED_BYTES, DEADLINE_BYTES, ENTRY_BYTES, HASH, LIST, SCALAR, SET, Loose
from kv_server.model.hash import Hash
from kv_server.model.list import List
from kv_server.model.set import Set
from kv_server.model.store import Store
from kv_server.model.table import Table
from kv_server.model.terms import Rules, Terms
from tests.engine.profile import examples


def make_table() -> Table:
    return Store(1, b"").namespace(b"n").table()


keys = st.sampled_from([b"", b"a", b"b", b"longer key"])
moves = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, st.binary(max_size=30), st.sampled_from([0, 5, 9])),
        st.tuples(st.just("remove"), keys),
        st.tuples(st.just("expiry"), keys, st.sampled_from([0, 5, 7, 9])),
    ),
    max_size=200,
)


@settings(max_examples=examples(100))
@given(moves=moves)
def test_accounts_equal_a_recount(moves: list[tuple]) -> None:  # type: ignore[type-arg]
    table = make_table()
    for kind, key, *rest in moves:
        if kind == "put" and key not in table:
            table.put(key, Loose(SCALAR, rest[0], 1, rest[1]))
        elif kind == "remove" and key in table:
            entry = table[key]
            assert table.remove(key) is entry
        elif kind == "expiry" and key in table:
            table.set_expiry(key, table[key], rest[0])
            assert table[key].expires_ms == rest[0]
        live = [entry.expires_ms for _, entry in table.items() if entry.expires_ms]
        accounted = table.bytes - table.pending * DEADLINE_BYTES
        assert accounted == sum(len(key) + len(entry.value) + ENTRY_BYTES for key, entry in table.items())
        assert table.expiring == len(live)
        assert not live or 0 < table.first_due() <= min(live)
        assert table.pending <= 2 * table.expiring + 65


def test_tables_are_told_apart_although_they_are_mappings() -> None:
    one, two = make_table(), make_table()
    assert len({one, two}) == 2


def test_removed_keys_leave_no_deadlines() -> None:
    table = make_table()
    table.put(b"stays", Loose(SCALAR, b"", 1, 9_999))
    for turn in range(1, 5_000):
        table.put(b"k", Loose(SCALAR, b"", 1, turn))
        table.remove(b"k")
        assert table.pending < 100
    table.sweep_all()
    assert (table.pending, table.first_due(), table.due_key(9_999)) == (1, 9_999, b"stays")


def test_stale_deadlines_are_swept_when_they_outnumber_the_live_ones() -> None:
    table = make_table()
    entry = table.put(b"k", Loose(SCALAR, b"", 1, 1))
    longest = 0
    for expires_ms in range(2, 5_000):
        table.set_expiry(b"k", entry, expires_ms)
        longest = max(longest, table.pending)
    assert longest < 100
    assert table.due_key(4_998) is None and table.due_key(4_999) == b"k"


@pytest.mark.parametrize("seed", range(3))
def test_keys_are_found_while_the_table_grows_and_shrinks(seed: int) -> None:
    dice, table, known = Random(seed), make_table(), dict[bytes, bytes]()
    for most in (20, 3_000, 300, 12_000, 5):
        while len(known) != most:
            key = b"%d" % dice.randrange(1 << 40)
            if len(known) < most:
                known[key] = key[:3]
                table.put(key, Loose(SCALAR, key[:3], 1, 0))
            if len(known) > most or dice.random() < 0.2:
                gone = dice.choice(list(known)) if len(known) < 300 else next(iter(known))
                del known[gone]
                table.remove(gone)
            assert key[1:] not in table or key[1:] in known
        assert len(table) == len(known)
        assert {key: entry.value for key, entry in table.items()} == known
        assert all(table[key].value == value for key, value in known.items())


def test_keys_that_share_a_deadline_fall_due_by_name() -> None:
    table = make_table()
    keys = [b"%d" % number for number in Random(1).sample(range(1 << 30), 20_000)]
    for at, key in enumerate(keys):
        table.put(key, Loose(SCALAR, b"", 1, 5 if at % 4 else 4))
    assert table.due_key(3) is None
    found = []
    while (key := table.due_key(5)) is not None:
        found.append(key)
        table.remove(key)
    assert found == sorted(keys[::4]) + sorted(key for at, key in enumerate(keys) if at % 4)
    assert len(table) == table.pending == 0


def test_a_deadline_at_the_end_of_time_comes_after_all_others() -> None:
    table = make_table()
    last = 253_402_300_799_999
    table.put(b"last", Loose(SCALAR, b"", 1, last))
    table.put(b"next", Loose(SCALAR, b"", 1, 10**13))
    assert table.first_due() == 10**13 and table.due_key(10**13) == b"next"
    table.remove(b"next")
    assert table.due_key(10**13) is None and table[b"last"].expires_ms == last


SMALL = [b"%d" % number for number in range(10)]
MANY = [b"%d" % number for number in range(4_000)]


@pytest.mark.parametrize("told", [SMALL, MANY], ids=["small", "large"])
@pytest.mark.parametrize("kind", [HASH, LIST, SET])
def test_a_collection_goes_where_its_entry_goes(kind: int, told: list[bytes]) -> None:
    store = Store(1, b"")
    store.govern(Rules(((b"cache", Terms("allkeys-lru")),)))
    homes = [store.namespace(name).table() for name in (b"one", b"two", b"cache", b"three")]
    entry: Any = Loose(kind, CONTAINERS[kind].load(told), 7, 9)
    for table in homes:
        lies = table.put(b"key", entry)
        assert (lies.kind, lies.version, lies.expires_ms) == (kind, 7, 9)
        assert lies.value.dump() == told and len(lies.value) > 0
        cached = CACHED_BYTES if table is homes[2] else 0
        assert table.bytes == len(b"key") + ENTRY_BYTES + DEADLINE_BYTES + cached + lies.bytes
        twin = lies.copy()
        assert (twin.version, twin.expires_ms, twin.value.dump(), twin.bytes) == (7, 9, told, lies.bytes)
        change(twin.value)
        assert lies.value.dump() == told != twin.value.dump()
        entry = table.remove(b"key")
        assert entry is lies and table.bytes == table.pending * DEADLINE_BYTES
        assert entry.value.dump() == told


def change(value: Any) -> None:
    match value:
        case Hash():
            value.put(b"one", b"more")
        case List():
            value.push(True, (b"one more",))
        case Set():
            value.add(b"one more")

"""Namespaces, shards, scans and the schedule of a store, without an engine around it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.limits import SLOTS
from kv_protocol.names import slot
from kv_server.model.entry import SCALAR, Loose
from kv_server.model.space import Namespace
from kv_server.model.store import Store
from tests.engine.profile import examples


def filled(store: Store, keys: set[bytes], expires_ms: int = 0) -> Namespace:
    space = store.namespace(b"n")
    for key in keys:
        add(store, space, key, expires_ms)
    return space


def add(store: Store, space: Namespace, key: bytes, expires_ms: int = 0) -> None:
    table = store.table(space, slot(key) >> store.shift)
    table.put(key, Loose(SCALAR, b"\xc0", 1, expires_ms))
    store.schedule(space, table)


def walk(store: Store, space: Namespace, wanted: int) -> list[list[bytes]]:
    cursor, pages = 0, []
    while cursor or not pages:
        cursor, page = store.scan(space, cursor, wanted)
        pages.append(page)
        assert len(pages) < 10_000
    return pages


@pytest.mark.parametrize("shards", [0, -1, 3, 100, SLOTS * 2])
def test_shards_are_a_power_of_two(shards: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Store(shards, b"")


@pytest.mark.parametrize("shards", [1, 2, 256, SLOTS])
def test_every_slot_belongs_to_a_shard_of_equal_share(shards: int) -> None:
    store = Store(shards, b"")
    counts = [0] * shards
    for number in range(SLOTS):
        counts[number >> store.shift] += 1
    assert set(counts) == {SLOTS // shards}


@settings(max_examples=examples(60))
@given(
    keys=st.sets(st.binary(max_size=4), max_size=60),
    shards=st.sampled_from([1, 4, 256]),
    wanted=st.sampled_from([1, 2, 7, 1_000]),
)
def test_a_walk_meets_each_key_once_and_fills_its_pages(keys: set[bytes], shards: int, wanted: int) -> None:
    store = Store(shards, b"seed")
    pages = walk(store, filled(store, keys), wanted)
    met = [key for page in pages for key in page]
    assert sorted(met) == sorted(keys)
    assert all(len(page) == wanted for page in pages[:-1])
    assert len(pages[-1]) <= wanted


class Coarse(Store):
    """Hashes that collide all the time."""

    def point(self, key: bytes) -> int:
        return len(key)


@settings(max_examples=examples(60))
@given(keys=st.sets(st.binary(max_size=3), max_size=40), wanted=st.sampled_from([1, 2, 5]))
def test_keys_of_one_hash_come_on_one_page(keys: set[bytes], wanted: int) -> None:
    store = Coarse(2, b"")
    pages = walk(store, filled(store, keys), wanted)
    assert sorted(key for page in pages for key in page) == sorted(keys)


def test_two_seeds_walk_in_two_orders() -> None:
    keys = {b"%d" % number for number in range(50)}
    orders = [walk(store, filled(store, keys), 100) for store in (Store(1, b"one"), Store(1, b"two"), Store(1, b"one"))]
    assert orders[0] == orders[2] != orders[1]


@settings(max_examples=examples(60))
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["put", "expiry", "remove", "due", "flush"]), st.integers(0, 9), st.integers(1, 30)),
        max_size=80,
    )
)
def test_what_is_due_is_found_exactly(moves: list[tuple[str, int, int]]) -> None:
    store = Store(2, b"")
    space = store.namespace(b"n")
    model: dict[bytes, int] = {}
    now = 0
    for kind, number, when in moves:
        key = b"%d" % number
        table = store.table(space, slot(key) >> store.shift)
        if kind == "put" and key not in table:
            model[key] = now + when
            add(store, space, key, now + when)
        elif kind == "expiry" and key in table:
            model[key] = now + when
            table.set_expiry(key, table[key], now + when)
            store.schedule(space, table)
        elif kind == "remove" and key in table:
            del model[key]
            table.remove(key)
        elif kind == "flush":
            store.flush(space)
            model.clear()
        elif kind == "due":
            now += when
            while (found := store.due_key(now)) is not None:
                assert found == (space, found[1])
                assert store.due_key(now) == found, "it stays due until it is gone"
                assert model.pop(found[1]) <= now
                store.table(space, slot(found[1]) >> store.shift).remove(found[1])
            assert not model or min(model.values()) > now
        first = store.due.first_ms
        assert not model or (first is not None and first <= min(model.values()))


def test_dropping_takes_the_name_away_at_once_and_frees_later() -> None:
    store = Store(4, b"")
    space = filled(store, {b"%d" % number for number in range(12_000)}, expires_ms=5)
    store.drop(b"n")
    assert b"n" not in store.namespaces
    assert store.due_key(1_000) is None
    assert len(space) == 0
    assert [store.free_some() for _ in range(3)] == [True, True, False]
    assert store.garbage == []
    assert not store.free_some()


def test_tables_come_with_their_first_key() -> None:
    store = Store(256, b"")
    space = filled(store, {b"a", b"{a}b", b"{a}c"})
    assert [len(table) for table in space.live_tables()] == [3]
    assert len(space) == 3
    assert not store.empty

"""A table's accounts, and its heap of deadlines, equal a recount whatever is done to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.entry import DEADLINE_BYTES, ENTRY_BYTES, SCALAR, Loose
from kv_server.model.store import Store
from kv_server.model.table import Table
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
        assert not live or 0 < table.first_due_ms <= min(live)
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
    assert (table.pending, table.first_due_ms, table.due_key(9_999)) == (1, 9_999, b"stays")


def test_stale_deadlines_are_swept_when_they_outnumber_the_live_ones() -> None:
    table = make_table()
    entry = table.put(b"k", Loose(SCALAR, b"", 1, 1))
    longest = 0
    for expires_ms in range(2, 5_000):
        table.set_expiry(b"k", entry, expires_ms)
        longest = max(longest, table.pending)
    assert longest < 100
    assert table.due_key(4_998) is None and table.due_key(4_999) == b"k"

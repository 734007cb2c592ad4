"""The promise of SCAN: who is there from the beginning to the end is met exactly once, whatever else comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.profile import examples
from tests.engine.rig import Client, Rig

names = st.integers(0, 40).map(lambda number: b"k%d" % number) | st.integers(0, 40).map(
    lambda number: b"{t}%d" % number
)
changes = st.lists(
    st.tuples(st.sampled_from(["set", "delete", "expire", "rename", "pass", "flush"]), names), max_size=6
)


def change(client: Client, kind: str, key: bytes) -> None:
    match kind:
        case "set":
            client.call("SET", key, "late")
        case "delete":
            client.call("DEL", key)
        case "expire":
            client.call("EXPIRE", key, 1)
        case "rename" if client.call("EXISTS", key):
            client.call("RENAME", key, key + b"!")
        case "flush":
            client.call("FLUSHDB")
        case _:
            client.rig.advance(1)


def keys_of(client: Client) -> set[bytes]:
    client.call("DBSIZE")  # drops what is past its deadline
    return {key for space in client.rig.store.namespaces.values() for table in space.live_tables() for key in table}


@pytest.mark.parametrize("shards", [1, 8, 64])
@settings(max_examples=examples(40))
@given(start=st.sets(names), between=st.lists(changes, max_size=30), count=st.integers(1, 12))
def test_a_scan_meets_every_key_that_stays_exactly_once(
    shards: int, start: set[bytes], between: list[list[tuple[str, bytes]]], count: int
) -> None:
    client = Rig(shards=shards).connect()
    for key in start:
        client.call("SET", key, 1)
    stayed, ever = set(start), set(start)
    met: list[bytes] = []
    cursor, pages = 0, 0
    while cursor or not pages:
        cursor, page = client.call("SCAN", cursor, count=count)
        keys = [key.encode() for key in page]
        assert set(keys) <= keys_of(client), "only keys that exist are returned"
        met += keys
        for kind, key in between[pages] if pages < len(between) else ():
            before = keys_of(client)
            change(client, kind, key)
            after = keys_of(client)
            ever |= after
            stayed &= before & after
        pages += 1
        assert pages < 200
    assert set(met) <= ever
    assert [key for key in stayed if met.count(key) != 1] == []


def test_a_scan_meets_what_came_since_the_last_one() -> None:
    client = Rig().connect()
    for number in range(50):
        client.call("SET", f"k{number}", 1)
        if number % 3 == 0:
            client.call("DEL", f"k{number // 2}")
        assert {key.encode() for key in client.call("SCAN", 0)[1]} == keys_of(client)


def test_a_scan_of_a_namespace_that_grows_at_every_page_ends() -> None:
    client = Rig().connect()
    client.call("SET", "first", 1)
    cursor, pages = 0, 0
    while cursor or not pages:
        cursor, _ = client.call("SCAN", cursor, count=1)
        pages += 1
        for number in range(3):
            client.call("SET", f"new{pages}.{number}", 1)
        if pages == 400:
            break
    assert pages < 400, "a page must move the cursor over a share of the hashes, however many keys come"


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (10, 10), (1_000, 100)])
def test_a_page_holds_as_many_keys_as_were_asked_for(count: int, expected: int) -> None:
    client = Rig().connect()
    for number in range(100):
        client.call("SET", str(number), 1)
    assert len(client.call("SCAN", 0, count=count)[1]) == expected


def test_cursors_beyond_the_last_shard_are_the_end() -> None:
    client = Rig().connect()
    client.call("SET", "a", 1)
    assert client.call("SCAN", 2**64 - 1) == (0, [])

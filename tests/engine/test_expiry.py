"""Keys past their deadline: seen by nobody, dropped in slices, told once, and nothing of them left behind."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.limits import MAX_TTL_MS
from kv_protocol.messages import NAMESPACE
from kv_server.engine import engine as engine_module
from tests.engine.rig import Client, Rig, picture, recount, replayed

MANY = 5_000
SLICE = engine_module._EXPIRED_PER_SLICE


@pytest.fixture
def crowd() -> tuple[Rig, Client]:
    """5,000 keys that expire at one moment, which has come without anybody having noticed; and ten that stay."""
    rig = Rig()
    client = rig.connect()
    for number in range(MANY):
        client.call("SET", f"k{number}", number, ttl=100)
    for number in range(10):
        client.call("SET", f"s{number}", number)
    rig.pass_unnoticed(99)
    assert client.call("EXISTS", "k0", "k4999") == 2
    rig.pass_unnoticed(1)
    return rig, client


def test_nobody_sees_a_key_at_its_deadline(crowd: tuple[Rig, Client]) -> None:
    rig, client = crowd
    assert client.call("EXISTS", *(f"k{number}" for number in range(MANY))) == 0
    assert client.call("GET", "k1") is None
    assert client.call("MGET", "k1", "s1")[0] is None
    assert client.call("GETENTRY", "k1") is None
    assert client.call("TYPE", "k1") is None
    assert client.call("STRLEN", "k1") == 0
    assert client.call("GETRANGE", "k1", 0, -1) == ""
    assert client.call("EXPIRE", "k1", 50) is False
    assert client.call("PERSIST", "k1") is False
    assert client.call("GETEX", "k1", ttl=50) is None
    assert client.call("GETDEL", "k1") is None
    assert client.call("DEL", "k1", "k2") == 0
    assert client.call("COPY", "k1", "copy") is False
    assert client.call("MOVE", "k1", "elsewhere") is False
    assert len(rig.commits) == MANY + 10, "a look is no change"


def test_a_key_at_its_deadline_is_in_nobodys_way(crowd: tuple[Rig, Client]) -> None:
    rig, client = crowd
    rig.connect(namespace=b"other").call("SET", "k5", "there")
    assert client.call("SET", "k1", "new", if_absent=True)
    assert client.call("MSETNX", ("k2", "new"), ("k3", "new")) is True
    assert client.call("COPY", "s1", "k4") is True
    assert client.send("MOVE", ["k5", "0"], None, {NAMESPACE: b"other"}) is True
    assert client.call("RENAMENX", "s2", "k6") is True
    assert client.call("INCR", "k7") == 1
    assert client.call("APPEND", "k8", "x") == 1
    assert client.call("SET", "k9", 1, keep_ttl=True)
    new = [f"k{number}" for number in range(1, 10)]
    assert [client.call("TTL", key) for key in new] == [None] * 9
    rig.settle()
    assert client.call("EXISTS", *new) == 9
    assert client.call("DBSIZE") == 10 - 1 + 9
    recount(rig.store)


@pytest.mark.parametrize("word", ["DBSIZE", "SCAN", "RANDOMKEY", "NAMESPACE STATS", "FLUSHDB"])
def test_whoever_asks_about_all_keys_sees_the_living_only(crowd: tuple[Rig, Client], word: str) -> None:
    rig, client = crowd
    if word == "SCAN":
        assert sorted(client.call("SCAN", 0, count=MANY)[1]) == [f"s{number}" for number in range(10)]
    elif word == "RANDOMKEY":
        assert {client.call("RANDOMKEY")[:1] for _ in range(20)} == {b"s"}
    elif word == "NAMESPACE STATS":
        assert client.call("NAMESPACE STATS", "0")[1:3] == (10, 0)
    else:
        assert client.call(word) == 10
    recount(rig.store)


def test_mass_expiry_runs_in_slices(crowd: tuple[Rig, Client]) -> None:
    rig, client = crowd
    assert rig.engine.next_due_ms() <= rig.engine.elapsed_ms  # type: ignore[operator]
    for done in range(1, MANY // SLICE + 1):
        before = len(rig.commits)
        more = rig.engine.advance(rig.engine.now_ms, rig.engine.elapsed_ms)
        dropped = sum(len(commit.effects) for commit in rig.commits[before:])
        assert dropped == SLICE
        assert more == (done < MANY // SLICE)
        assert client.call("EXISTS", "k1", "k4999") == 0
    assert client.call("DBSIZE") == 10
    assert rig.engine.next_due_ms() is None
    assert rig.engine.expired == MANY
    assert picture(replayed(rig.commits, rig.engine)[0].store) == picture(rig.store)


def test_mass_expiry_over_namespaces_keeps_their_commits_apart() -> None:
    rig = Rig()
    client = rig.connect()
    for number in range(60):
        client.send("SET", [str(number), 1], {"ttl": 5}, {NAMESPACE: b"n%d" % (number % 3)})
    start = len(rig.commits)
    assert not rig.advance(5)
    dropped: dict[bytes, int] = {}
    for commit in rig.commits[start:]:
        assert all(row[0] == 0x12 and row[2] == 1 for row in commit.effects)
        dropped[commit.namespace] = dropped.get(commit.namespace, 0) + len(commit.effects)
    assert dropped == {b"n0": 20, b"n1": 20, b"n2": 20}


@pytest.mark.parametrize("early", [0, 1])
def test_a_deadline_is_exact(early: int) -> None:
    rig = Rig()
    client = rig.connect()
    client.call("SET", "k", 1, ttl=1_000)
    assert client.call("EXPIRETIME", "k") == rig.now_ms + 1_000
    rig.advance(1_000 - early)
    assert client.call("EXISTS", "k") == early
    assert rig.rows()[-1][0] == (0x11 if early else 0x12)


def test_the_engine_says_when_it_has_something_to_do() -> None:
    rig = Rig()
    client = rig.connect()
    assert rig.engine.next_due_ms() is None
    client.call("SET", "k", 1, ttl=500)
    assert rig.engine.next_due_ms() == rig.elapsed_ms + 500
    client.call("SET", "j", 1, ttl=300)
    assert rig.engine.next_due_ms() == rig.elapsed_ms + 300
    client.call("LOCK", "l", ttl=200)
    assert rig.engine.next_due_ms() == rig.elapsed_ms + 200
    client.call("LOCK", "l", wait=100)
    assert rig.engine.next_due_ms() == rig.elapsed_ms + 100
    while (due := rig.engine.next_due_ms()) is not None:
        assert due >= rig.elapsed_ms
        rig.advance(due - rig.elapsed_ms)
    assert client.call("DBSIZE") == 0
    assert rig.elapsed_ms - 1_000_000 == 500


def test_the_wall_clock_may_run_at_another_pace_than_the_elapsed_one() -> None:
    rig = Rig()
    client = rig.connect()
    client.call("SET", "k", 1, ttl=100)
    client.call("LOCK", "l", ttl=100)
    rig.engine.advance(rig.now_ms + 100, rig.elapsed_ms + 99)
    assert client.call("EXISTS", "k") == 0
    assert len(client.call("LOCKS")) == 1
    rig.engine.advance(rig.now_ms + 100, rig.elapsed_ms + 100)
    assert client.call("LOCKS") == []


def test_a_deadline_that_was_moved_is_not_met() -> None:
    rig = Rig()
    client = rig.connect()
    for key in "abcdef":
        client.call("SET", key, 1, ttl=100)
    client.call("EXPIRE", "a", 200)
    client.call("PERSIST", "b")
    client.call("SET", "c", 2)
    client.call("DEL", "d")
    client.call("SET", "d", 2, ttl=300)
    client.call("RENAME", "e", "g")
    client.call("MOVE", "f", "other")
    rig.settle(100)
    assert client.call("SCAN", 0)[1] == client.call("SCAN", 0)[1]
    assert sorted(client.call("SCAN", 0)[1]) == ["a", "b", "c", "d"]
    assert client.call("NAMESPACE STATS", "other")[1] == 0
    rig.settle(1_000)
    assert sorted(client.call("SCAN", 0)[1]) == ["b", "c"]
    recount(rig.store)


def test_the_heap_of_deadlines_does_not_outgrow_the_keys() -> None:
    rig = Rig(shards=1)
    client = rig.connect()
    for turn in range(3_000):
        client.call("SET", f"k{turn % 5}", 1, ttl=10_000 + turn)
        [table] = rig.store.namespaces[b"0"].live_tables()
        assert table.pending <= 2 * table.expiring + 65
        assert len(rig.store.due.heap) <= 66
    recount(rig.store)
    for turn in range(1_000):
        client.call("SET", "falling", 1, ttl=100_000 - turn)
        client.call("FLUSHDB")
    assert len(rig.store.due.heap) <= 130


@pytest.mark.parametrize("ttl", [MAX_TTL_MS, 1])
def test_the_longest_and_the_shortest_life(ttl: int) -> None:
    rig = Rig()
    client = rig.connect()
    client.call("SET", "k", 1, ttl=ttl)
    assert client.call("TTL", "k") == ttl
    rig.advance(ttl - 1)
    assert client.call("TTL", "k") == 1
    rig.advance(1)
    assert client.call("EXISTS", "k") == 0


def test_a_dropped_namespace_is_freed_in_slices_and_expires_no_more() -> None:
    rig = Rig(shards=2)
    client = rig.connect(namespace=b"n")
    for number in range(12_000):
        client.call("SET", f"k{number}", 1, ttl=100)
    assert client.call("NAMESPACE DROP", "n") is True
    assert client.call("DBSIZE") == 0
    client.call("SET", "k1", "new")
    commits = len(rig.commits)
    rig.now_ms += 200
    slices: list[Any] = [rig.advance(0)]
    while slices[-1]:
        slices.append(rig.advance(0))
    assert len(slices) == 3
    assert rig.store.garbage == []
    assert len(rig.commits) == commits
    assert client.call("DBSIZE") == 1
    recount(rig.store)

"""Keys that go with a lease: gone in the step that ends it, unless they were changed since; replay, snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgpack import Unpacker

from kv_protocol.errors import LockLost
from kv_server.durability.lines import lines_of, thing_of
from kv_server.durability.recovery import Recovery
from kv_server.durability.snapshot import Snapshot
from kv_server.durability.survey import Survey
from kv_server.engine.rows import DELETED, EXPIRED, KEY_DROP, LOCK_DROP
from tests.engine.rig import Client, Present, Rig, picture, recount, replayed
from tests.engine.test_blocks import FAILS, block
from tests.engine.test_locks import granted, waiting


def take(client: Client, name: str = "lease", **options: Any) -> tuple[str, int]:
    return name, client.call("LOCK", name, shared=True, wait=0, **options)[0]


def test_all_keys_of_a_lease_go_in_the_step_that_ends_it() -> None:
    rig = Rig(strict=True)
    client, watcher = rig.connect(), rig.connect()
    lease = take(client, ttl=100)
    for key in ("a", "b", "c"):
        client.call("SET", key, 1, lease=lease)
    watcher.call("WATCH", prefix="", credit=99)
    before = len(rig.commits)
    rig.advance(100)
    [commit] = rig.commits[before:]
    assert [row[0] for row in commit.effects] == [KEY_DROP] * 3 + [LOCK_DROP]
    assert {row[2] for row in commit.effects[:3]} == {EXPIRED}
    assert [(event.kind, event.key) for event in watcher.outbox.events()[1:]] == [("expired", key) for key in "abc"]
    assert client.call("DBSIZE") == 0
    assert client.outbox.take("push")[0][2][3] == "expired"


@pytest.mark.parametrize("way", ["UNLOCK", "BREAK", "BREAK one"])
def test_a_lease_that_is_given_back_or_revoked_takes_its_keys_with_it(way: str) -> None:
    rig = Rig(strict=True)
    client, other = rig.connect(), rig.connect()
    lease, another = take(client), take(other)
    client.call("SET", "a", 1, lease=lease)
    client.call("SET", "b", 1, lease=another)
    if way == "UNLOCK":
        client.call("UNLOCK", *lease)
    elif way == "BREAK one":
        assert other.call("BREAK", lease[0], token=lease[1]) is True
        assert other.call("BREAK", lease[0], token=lease[1]) is False
    else:
        assert other.call("BREAK", lease[0]) is True
    assert rig.rows()[-2][2] == DELETED
    assert client.call("EXISTS", "a") == 0
    assert client.call("EXISTS", "b") == (way != "BREAK")
    assert len(client.outbox.take("push")) == (way != "UNLOCK")


def test_a_renewal_keeps_all_keys_at_once() -> None:
    rig = Rig()
    client = rig.connect()
    lease = take(client, ttl=100)
    for number in range(50):
        client.call("SET", f"k{number}", number, lease=lease)
    for _ in range(5):
        rig.advance(60)
        assert client.call("EXTEND", 100, lease) == [100]
    assert client.call("DBSIZE") == 50
    rig.settle(100)
    assert client.call("DBSIZE") == 0


CHANGES = {
    "set again": [("SET", "k", 2)],
    "counted": [("INCR", "k")],
    "deleted and made anew": [("DEL", "k"), ("SET", "k", 1)],
    "renamed over": [("SET", "j", 2), ("RENAME", "j", "k")],
    "replaced by a list": [("DEL", "k"), ("RPUSH", "k", 1)],
}


@pytest.mark.parametrize("steps", CHANGES.values(), ids=CHANGES)
def test_a_key_that_was_changed_since_is_no_longer_bound(steps: list[tuple[Any, ...]]) -> None:
    rig = Rig()
    client = rig.connect()
    lease = take(client)
    client.call("SET", "k", 1, lease=lease)
    for word, *args in steps:
        client.call(word, *args)
    assert client.call("LEASES") == []
    client.call("UNLOCK", *lease)
    assert client.call("EXISTS", "k") == 1


def test_what_only_concerns_its_expiry_leaves_a_key_bound() -> None:
    rig = Rig()
    client = rig.connect()
    lease = take(client)
    client.call("SET", "k", 1, lease=lease, ttl=50)
    client.call("PERSIST", "k")
    assert client.call("LEASES") == [("lease", lease[1], client.session.owner, 15_000, ["k"])]
    client.call("SET", "j", 1, lease=lease, ttl=50)
    rig.settle(50)
    assert client.call("LEASES")[0][4] == ["k"]
    client.call("UNLOCK", *lease)
    assert client.call("DBSIZE") == 0


def test_a_key_goes_with_the_lease_it_was_bound_to_last() -> None:
    rig = Rig()
    client = rig.connect()
    first, second = take(client), take(client, "another")
    client.call("SET", "k", 1, lease=first)
    assert client.call("GETSET", "k", 2, lease=second) == Present(1)
    client.call("UNLOCK", *first)
    assert client.call("GET", "k") == Present(2)
    client.call("UNLOCK", *second)
    assert client.call("GET", "k") is None


def test_nothing_is_set_under_a_lease_that_is_over() -> None:
    rig = Rig()
    client = rig.connect()
    lease = take(client, ttl=100)
    for wrong in (("lease", 7), ("none", lease[1])):
        with pytest.raises(LockLost):
            client.call("SET", "k", 1, lease=wrong)
    rig.pass_unnoticed(100)
    with pytest.raises(LockLost):
        client.call("SET", "k", 1, lease=lease)
    assert client.call("EXISTS", "k") == 0


def test_whoever_waits_for_the_lock_finds_the_keys_of_the_one_before_gone() -> None:
    rig = Rig()
    leader, next_one = rig.connect(), rig.connect()
    token = leader.call("LOCK", "l", ttl=100)[0]
    leader.call("SET", "address", "here", lease=("l", token))
    waiting(next_one)
    rig.advance(100)
    assert len(granted(next_one)) == 1
    assert next_one.call("GET", "address") is None


def test_keys_that_come_and_go_leave_nothing_behind() -> None:
    rig = Rig()
    client = rig.connect()
    lease = take(client)
    for number in range(2_000):
        client.call("SET", f"k{number}", 1, lease=lease)
        if number >= 10:
            client.call("DEL", f"k{number - 10}")
    hold = rig.store.namespaces[b"0"].locks[b"lease"][lease[1]]
    assert len(hold.keys) < 200
    client.call("UNLOCK", *lease)
    assert client.call("DBSIZE") == 0


def test_a_block_that_fails_binds_nothing_and_frees_nothing() -> None:
    rig = Rig(strict=True)
    client = rig.connect()
    lease = take(client)
    client.call("SET", "k", 1, lease=lease)
    before = picture(rig.store)
    for step in (("SET", "j", 1, {"lease": list(lease)}), ("UNLOCK", *lease)):
        with pytest.raises(Exception, match="key"):
            block(client, step, FAILS)
        assert picture(rig.store) == before
        recount(rig.store)
    client.call("UNLOCK", *lease)
    assert client.call("DBSIZE") == 0


def furnished() -> Rig:
    rig = Rig()
    client = rig.connect()
    lease, lock = take(client), take(client, "another", ttl=500)
    for number in range(100):
        client.call("SET", f"k{number}", number, lease=lease if number % 3 else lock)
    client.call("DEL", "k7", "k8")
    return rig


def test_replay_and_snapshots_know_which_keys_are_bound() -> None:
    rig = furnished()
    tx, rows = replayed(rig.commits, rig.engine)
    assert picture(tx.store) == picture(rig.store)
    assert rows == [commit.effects for commit in rig.commits]

    pieces = Unpacker(strict_map_key=False, unicode_errors="surrogateescape")
    snapshot = Snapshot(rig.engine, rig.engine.revision)
    other = rig.connect()
    other.call("SET", "later", 1, lease=("lease", next(iter(rig.store.namespaces[b"0"].locks[b"lease"]))))
    while (piece := snapshot.step()) is not None:
        pieces.feed(piece)
    snapshot.end()
    copies = Rig(), Rig()
    counts = {"keys": 0, "locks": 0, "sessions": 0}
    into = [Recovery(None, Survey([], [], [], None, 0, 0), copy.engine) for copy in copies]  # type: ignore[arg-type]
    for thing in pieces:
        into[0].put(thing, counts)
        for line in lines_of(thing):
            into[1].put(thing_of(json.loads(json.dumps(line))), counts)
    for copy in copies:
        assert picture(copy.store) == picture(tx.store)
        copy.engine.set_clocks(rig.now_ms, rig.elapsed_ms)
        assert copy.connect().call("DBSIZE") == 98
        copy.elapsed_ms, copy.now_ms = rig.elapsed_ms, rig.now_ms
        copy.settle(500)
        assert copy.connect().call("DBSIZE") == 98 - 34
        copy.settle(15_000)
        assert copy.connect().call("DBSIZE") == 0

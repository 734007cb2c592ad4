"""A budget holds: caches give way by their policy, everything else is refused, and what must not be lost is not."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import InvalidArgument, KvError, OutOfMemory, QuotaExceeded
from kv_server.engine.gates import CLOSED
from kv_server.engine.rows import EVICTED, KEY_DROP
from kv_server.model.terms import POLICIES, Rules, Terms
from tests.engine.rig import PARKED, Client, Rig, recount, replayed
from tests.engine.test_blocks import block
from tests.limits.filling import fill, furnish, kept
from tests.limits.test_accounts import measured

BUDGET = 1 << 20
QUICK = ("noeviction", "allkeys-lru")


def rig_with(policy: str = "noeviction", **limits: int) -> tuple[Rig, Client]:
    """A rig whose namespace `0` lives by these terms."""
    rig = Rig()
    rig.engine.room.apply(rules=Rules(((b"0", Terms(policy, **limits)),)))
    return rig, rig.connect()


@pytest.mark.parametrize("policy", POLICIES)
def test_three_times_the_budget_stays_in_the_budget_and_loses_no_lock(policy: str) -> None:
    rig = Rig()
    rig.engine.room.apply(max_memory=BUDGET, rules=Rules(numbered=policy))
    there = furnish(rig)
    asked, refused = fill(rig, rig.connect("writer"), 3 * BUDGET, expiring=True)
    rig.settle()
    recount(rig.store)
    assert 0.95 * BUDGET < rig.store.bytes <= 1.0 * BUDGET + 1_000
    now = kept(rig)
    assert now[:4] == there[:4] and set(now[4]) >= set(there[4])
    assert (refused > asked // 3) if policy == "noeviction" else (refused == 0)


@pytest.mark.parametrize(
    "policy", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long]) for name in POLICIES]
)
def test_the_process_takes_about_the_budget(policy: str) -> None:
    resident, accounted, budget = measured("tests.limits.filling", policy)
    assert abs(accounted - budget) < 0.05 * budget
    assert resident < 1.2 * budget, f"{resident:,} bytes for a budget of {budget:,}"


def test_only_what_expires_goes_from_a_volatile_cache() -> None:
    rig, client = rig_with("volatile-lru", bytes=BUDGET)
    for number in range(200):
        client.call("SET", f"stays {number}", "x" * 100)
    fill(rig, client, 3 * BUDGET, expiring=True)
    assert all(client.call("EXISTS", f"stays {number}") for number in range(200))
    assert rig.engine.room.evicted > 100


def test_the_nearest_deadlines_go_first_from_a_cache_by_ttl() -> None:
    rig, client = rig_with("volatile-ttl", keys=500)
    for number in range(1_000):
        client.call("SET", f"k{number}", 1, ttl=1_000_000 + (number % 500) * 1_000)
    left = [int(key[1:]) % 500 for table in rig.store.namespaces[b"0"].tables for key in table]
    assert sum(left) / len(left) > 330  # 250 if they had gone by chance


def test_what_is_used_stays() -> None:
    for policy in ("allkeys-lru", "allkeys-lfu"):
        rig, client = rig_with(policy, keys=500)
        for number in range(3_000):
            client.call("SET", f"k{number}", 1)
            rig.advance(5)
            if number >= 50:
                for often in range(3):
                    client.call("GET", f"k{(number + often * 17) % 50}")
        there = sum(client.call("EXISTS", f"k{number}") for number in range(50))
        assert there >= 48, policy


def test_other_namespaces_are_left_alone() -> None:
    rig = Rig()
    rig.engine.room.apply(max_memory=BUDGET, rules=Rules(((b"cache*", Terms("allkeys-random")),)))
    safe, cache = rig.connect(namespace=b"safe"), rig.connect(namespace=b"cache:1")
    for number in range(500):
        safe.call("SET", f"k{number}", "x" * 100)
    assert fill(rig, cache, 3 * BUDGET)[1] == 0
    assert rig.store.namespaces[b"safe"].keys == 500
    assert fill(rig, safe, 3 * BUDGET)[1] > 0  # takes all of the cache, and is refused then
    assert rig.store.namespaces[b"cache:1"].keys == 0
    recount(rig.store)


def test_an_eviction_is_a_commit_of_its_own_that_replay_repeats() -> None:
    rig, client = rig_with("allkeys-lru", keys=100)
    for number in range(400):
        client.call("SET", f"k{number}", number)
    evictions = [commit for commit in rig.commits if commit.effects[0][0] == KEY_DROP]
    assert evictions
    assert all(row[0] == KEY_DROP and row[2] == EVICTED for commit in evictions for row in commit.effects)
    tx, _ = replayed(rig.commits, rig.engine)
    recount(tx.store)
    assert tx.store.namespaces[b"0"].keys == rig.store.namespaces[b"0"].keys <= 100
    space = rig.store.namespaces[b"0"]
    assert space.evicted == rig.engine.room.evicted == 400 - space.keys
    assert rig.engine.statistics()["evicted_keys"] == space.evicted


def test_watches_hear_of_evictions() -> None:
    rig, client = rig_with("allkeys-random", keys=10)
    watcher = rig.connect()
    watcher.call("WATCH", prefix="", credit=1_000)
    for number in range(30):
        client.call("SET", f"k{number}", number)
    kinds = [event.kind for event in watcher.outbox.events()]
    assert kinds.count("evicted") == rig.engine.room.evicted > 0


def test_a_full_server_deletes_reads_and_unlocks_and_says_what_helps() -> None:
    rig = Rig()
    client = rig.connect()
    token = client.call("LOCK", "lock", ttl=60_000)[0]
    rig.engine.room.apply(max_memory=BUDGET)
    fill(rig, client, 2 * BUDGET)
    with pytest.raises(OutOfMemory, match="raise max_memory") as full:
        client.call("SET", "one more", 1)
    assert full.value.details["limit"] == BUDGET < full.value.details["used"]
    assert client.call("EXTEND", 60_000, ["lock", token]) and client.call("PING") is not None
    assert client.call("GET", "key 1") and client.call("EXPIRE", "key 1", 50_000) is not None
    client.call("UNLOCK", "lock", token)
    for number in range(20):
        client.call("DEL", f"key {number}")
    client.call("SET", "one more", 1)
    assert rig.engine.careful == CLOSED


def test_within_the_budget_nobody_asks() -> None:
    rig, client = rig_with("allkeys-lru", bytes=BUDGET)
    asked = []
    rig.engine.admit = lambda *call: asked.append(call)  # type: ignore[method-assign]
    for number in range(100):
        client.call("SET", f"k{number}", number)
    assert not asked and rig.engine.careful == CLOSED


def test_blocks_and_transactions_are_refused_alike() -> None:
    rig, client = rig_with(bytes=BUDGET)
    fill(rig, client, 2 * BUDGET)
    with pytest.raises(QuotaExceeded, match="raise its quota"):
        block(client, ("DEL", "absent"), ("SET", "new", "x" * 500), ("DEL", "key 1"))
    assert client.call("EXISTS", "key 1")
    assert block(client, ("DEL", "key 1"), ("GET", "key 2"))[0] == 1
    recount(rig.store)


def test_a_block_in_a_full_cache_has_room_made_before_it() -> None:
    rig, client = rig_with("allkeys-lru", bytes=BUDGET)
    fill(rig, client, 2 * BUDGET)
    evicted = rig.engine.room.evicted
    for number in range(50):
        block(client, ("SET", f"a{number}", "x" * 2_000), ("INCR", "count"))
        rig.advance(1)
    rig.settle()
    assert rig.engine.room.evicted > evicted
    assert rig.store.namespaces[b"0"].bytes <= BUDGET
    recount(rig.store)


def test_a_call_that_waited_is_refused_if_there_is_no_room_by_then() -> None:
    rig, client = rig_with(keys=2)
    waiter = rig.connect()
    assert waiter.call("BLMOVE", "source", "target", "LEFT", "RIGHT") is PARKED
    client.call("SET", "a", 1)
    client.call("RPUSH", "source", 1)
    assert waiter.outbox.errors() == {rig.last_id - 2: "QUOTA"}
    assert client.call("LLEN", "source") == 1
    recount(rig.store)


def test_a_large_overshoot_goes_on_when_idle_and_calls_stay_short() -> None:
    rig, client = rig_with("allkeys-random")
    for number in range(8_000):
        client.call("SET", f"k{number}", number)
    rig.engine.room.apply(rules=Rules(((b"0", Terms("allkeys-random", bytes=BUDGET // 2)),)))
    commits = len(rig.commits)
    assert rig.engine.next_due_ms() == rig.elapsed_ms
    slices = rig.settle()
    assert slices > 3 and max(len(commit.effects) for commit in rig.commits[commits:]) <= 512
    assert rig.store.namespaces[b"0"].bytes <= BUDGET // 2
    assert rig.engine.next_due_ms() != rig.elapsed_ms


def test_what_can_never_fit_is_refused_at_once() -> None:
    rig, client = rig_with("allkeys-lru", bytes=BUDGET)
    with pytest.raises(QuotaExceeded):
        client.call("SETRANGE", "k", 2 * BUDGET, "x")
    with pytest.raises(QuotaExceeded):
        client.call("SETBIT", "k", 16 * BUDGET, True)
    rig.engine.room.apply(rules=Rules(), max_memory=BUDGET)
    with pytest.raises(OutOfMemory):
        client.call("SETRANGE", "k", 2 * BUDGET, "x")
    assert not client.call("EXISTS", "k")


def test_idle_time_and_frequency_are_true_in_caches() -> None:
    def told(word: str, rig: Rig) -> Any:
        command = rig.catalog.spoken[b"OBJECT " + word.encode()]
        rig.engine.tx.start(b"0", None)
        return command.call(rig.engine.tx, [b"OBJECT", word.encode(), b"k"], None)

    rig, client = rig_with("allkeys-lru", bytes=BUDGET)
    client.call("SET", "k", 1)
    rig.advance(7_000)
    assert told("IDLETIME", rig) == 7 == told("IDLETIME", rig)
    client.call("GET", "k")
    assert told("IDLETIME", rig) == 0
    rig, client = rig_with("allkeys-lfu", bytes=BUDGET)
    client.call("SET", "k", 1)
    first = told("FREQ", rig)
    for _ in range(100):
        client.call("GET", "k")
    assert told("FREQ", rig) > first
    rig.advance(30 * 60_000)
    assert told("FREQ", rig) == 0
    rig, client = rig_with()
    client.call("SET", "k", 1)
    with pytest.raises((InvalidArgument, KvError)):
        told("FREQ", rig)

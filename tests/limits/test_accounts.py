"""What is accounted for is what there is: counted anew it is the same, and the process takes about as much."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kv_protocol.errors import NotFound
from kv_server.model.terms import POLICIES, Rules, Terms
from tests.engine.rig import Client, Rig, recount, replayed
from tests.engine.test_blocks import FAILS, block
from tests.limits.accounted import SHAPES

QUICK = ("scalars-100", "scalars-1000-ttl", "hashes-3", "lists-50", "sets-50", "zsets-50", "streams-50", "locks")


def measured(*words: str) -> list[int]:
    """What a program of this folder says of a process of its own."""
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize(
    "shape", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long]) for name in SHAPES]
)
def test_a_shape_of_data_takes_what_it_is_accounted_for(shape: str) -> None:
    resident, accounted = measured("tests.limits.accounted", shape)
    assert abs(resident - accounted) < 0.2 * accounted, f"{resident:,} bytes are accounted for as {accounted:,}"


@pytest.mark.parametrize("shape", ["scalars-100", pytest.param("hashes-3", marks=pytest.mark.long)])
@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lfu"])
def test_a_cache_takes_what_it_is_accounted_for(shape: str, policy: str) -> None:
    resident, accounted = measured("tests.limits.accounted", shape, policy)
    assert abs(resident - accounted) < 0.2 * accounted, f"{resident:,} bytes are accounted for as {accounted:,}"


def varied(client: Client, *, first: int = 0, count: int = 60) -> None:
    """Keys of every kind, some of which expire."""
    for number in range(first, first + count):
        client.call("SET", f"plain {number}", "x" * number, **({"ttl": 10_000 + number} if number % 3 else {}))
        client.call("HSET", f"hash {number % 7}", [f"field {number}", number])
        client.call("RPUSH", f"list {number % 5}", number, "more")
        client.call("SADD", f"set {number % 5}", f"member {number}")
        client.call("ZADD", f"zset {number % 5}", [float(number), f"member {number}"])
        client.call("XADD", f"stream {number % 5}", [f"field {number}", number])


def locked(client: Client, name: str) -> None:
    """A lock, and a key that goes with it."""
    token = client.call("LOCK", name, ttl=60_000)[0]
    client.call("SET", f"bound to {name}", 1, lease=[name, token])


def totals(rig: Rig) -> dict[bytes, Any]:
    """What every namespace is accounted for, but for deadlines that are stale."""
    recount(rig.store)
    return {name: (space.keys, space.lock_bytes) for name, space in rig.store.namespaces.items()}


@pytest.mark.parametrize("policy", POLICIES)
def test_accounts_hold_over_flush_drop_swap_and_rename(policy: str) -> None:
    rig = Rig()
    rig.engine.room.apply(rules=Rules(numbered=policy))
    zero, one = rig.connect(namespace=b"0"), rig.connect(namespace=b"1")
    named = rig.connect(namespace=b"named")
    for client in (zero, one, named):
        varied(client)
        locked(client, "lock")
        recount(rig.store)
    zero.call("RENAME", "hash 1", "plain 2")
    zero.call("COPY", "zset 1", "plain 3", replace=True)
    zero.call("MOVE", "list 1", "elsewhere")
    zero.call("SET", "stream 1", "no stream any more")
    recount(rig.store)
    rig.engine.tx.start(b"0", None)
    rig.engine.tx.namespace_swap(b"0", b"1")
    rig.engine.seal()
    recount(rig.store)
    one.call("FLUSHDB")
    recount(rig.store)
    named.call("NAMESPACE DROP", "named")
    rig.settle(20_000)
    recount(rig.store)
    zero.call("FLUSHDB")
    zero.call("NAMESPACE DROP", "0")
    one.call("NAMESPACE DROP", "1")
    zero.call("NAMESPACE DROP", "elsewhere")
    recount(rig.store)
    assert not rig.store.namespaces
    rig.engine.room.weigh_callers()
    assert rig.store.bytes == rig.store.callers > 0


def test_replayed_commits_are_accounted_for_alike() -> None:
    rig = Rig()
    client = rig.connect()
    varied(client)
    locked(client, "lock")
    client.call("DEL", "plain 1", "hash 2")
    rig.settle(10_010)
    tx, _ = replayed(rig.commits, rig.engine)
    recount(tx.store)
    ours, theirs = rig.store.namespaces[b"0"], tx.store.namespaces[b"0"]
    assert (ours.keys, ours.lock_bytes) == (theirs.keys, theirs.lock_bytes)


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_a_namespace_becomes_a_cache_and_none_in_slices(policy: str) -> None:
    rig = Rig()
    client = rig.connect()
    varied(client)
    plain = rig.store.namespaces[b"0"].bytes
    rig.engine.room.apply(rules=Rules(((b"0", Terms(policy)),)))
    assert rig.engine.next_due_ms() == rig.elapsed_ms
    varied(client, first=60)
    client.call("DEL", "plain 1", "plain 61")
    assert rig.settle() > 1
    recount(rig.store)
    space = rig.store.namespaces[b"0"]
    assert space.cache is not None and len(space.cache.ring) > 20
    other = "allkeys-random" if policy != "allkeys-random" else "volatile-ttl"
    rig.engine.room.apply(rules=Rules(((b"0", Terms(other)),)))
    varied(client, first=120)
    rig.settle()
    recount(rig.store)
    rig.engine.room.apply(rules=Rules())
    rig.settle()
    recount(rig.store)
    assert space.cache is None
    client.call("FLUSHDB")
    varied(client)
    recount(rig.store)
    assert space.bytes == plain


def test_sessions_and_kept_answers_are_accounted_for() -> None:
    rig = Rig()
    before = rig.engine.room.weigh_callers()
    client = rig.connect()
    for seq in range(1, 101):
        client.send("SET", ["k", "x" * 10], meta={2: seq})
    assert rig.engine.room.weigh_callers() - before > 100 * 200
    assert rig.store.callers == rig.engine.room.weigh_callers()
    recount(rig.store)


def test_a_block_that_fails_leaves_no_trace_in_the_accounts() -> None:
    rig = Rig()
    client = rig.connect(namespace=b"new")
    before = rig.store.bytes
    with pytest.raises(NotFound):
        block(client, ("SET", "k", "x", {"ttl": 5}), ("LOCK", "lock", {"wait": 0}), FAILS, namespace=b"new")
    assert rig.store.bytes == before
    rig.settle(10)
    recount(rig.store)
    assert rig.store.bytes - rig.store.callers == 0

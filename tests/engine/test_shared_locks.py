"""Locks that several hold at once: shared ones, semaphores, and how they get along with exclusive ones."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import InvalidArgument, LockHeld, LockLost, StaleFence
from kv_protocol.messages import FENCE
from tests.engine.rig import Client, Rig, picture, recount, replayed
from tests.engine.test_blocks import block
from tests.engine.test_locks import granted, waiting


def take(client: Client, **options: Any) -> int:
    """Take the lock, which must be possible at once; the token."""
    token: int = client.call("LOCK", "l", wait=0, **options)[0]
    return token


def test_shared_holders_do_not_mind_each_other_but_an_exclusive_one_waits_for_all() -> None:
    rig = Rig()
    readers, writer = [rig.connect() for _ in range(3)], rig.connect()
    tokens = [take(reader, shared=True) for reader in readers]
    assert tokens == sorted(set(tokens))
    request = waiting(writer)
    for reader, token in zip(readers, tokens, strict=True):
        assert granted(writer) == []
        reader.call("UNLOCK", "l", token)
    assert granted(writer) == [(request, 15_000)]
    with pytest.raises(LockHeld):
        take(readers[0], shared=True)


def test_a_reader_does_not_overtake_a_writer_that_waits() -> None:
    rig = Rig()
    reader, writer, late = rig.connect(), rig.connect(), rig.connect()
    token = take(reader, shared=True)
    request = waiting(writer)
    with pytest.raises(LockHeld):
        take(late, shared=True)
    behind = waiting(late, shared=True)
    reader.call("UNLOCK", "l", token)
    assert granted(writer) == [(request, 15_000)]
    assert granted(late) == []
    rig.advance(15_000)
    assert granted(late) == [(behind, 15_000)]


def test_readers_that_wait_are_let_in_together_up_to_the_next_writer() -> None:
    rig = Rig()
    writer, crowd = rig.connect(), rig.connect()
    token = take(writer)
    one, two = waiting(crowd, shared=True), waiting(crowd, shared=True)
    waiting(crowd)
    waiting(crowd, shared=True)
    writer.call("UNLOCK", "l", token)
    assert [request for request, _ in granted(crowd)] == [one, two]


@pytest.mark.parametrize("way", ["cancelled", "too late", "gone"])
def test_when_a_writer_gives_up_the_readers_behind_it_come_in_at_once(way: str) -> None:
    rig = Rig()
    reader, writer, late = rig.connect(), rig.connect(), rig.connect()
    take(reader, shared=True)
    request = waiting(writer, wait=100)
    behind = [waiting(late, shared=True), waiting(late, shared=True)]
    if way == "cancelled":
        writer.cancel(request)
    elif way == "gone":
        writer.detach()
    else:
        rig.advance(100)
    assert [request for request, _ in granted(late)] == behind


def test_a_semaphore_lets_so_many_in_and_the_rest_in_turn() -> None:
    rig = Rig()
    clients = [rig.connect() for _ in range(5)]
    tokens = [take(client, limit=3) for client in clients[:3]]
    first, second = waiting(clients[3], limit=3), waiting(clients[4], limit=3)
    clients[1].call("UNLOCK", "l", tokens[1])
    assert granted(clients[3]) == [(first, 15_000)]
    assert granted(clients[4]) == []
    rig.advance(15_000)
    assert granted(clients[4]) == [(second, 15_000)]


def test_there_are_never_more_holders_than_each_of_them_allows() -> None:
    rig = Rig()
    client = rig.connect()
    wide = take(client, limit=5)
    narrow = take(client, limit=2)
    with pytest.raises(LockHeld):
        take(client, limit=5)
    with pytest.raises(LockHeld):
        take(client, shared=True)
    client.call("UNLOCK", "l", narrow)
    take(client, limit=5)
    with pytest.raises(LockHeld):
        take(client, limit=2)
    client.call("UNLOCK", "l", wide)
    take(client, limit=2)
    recount(rig.store)


def test_each_holder_has_a_lease_a_token_and_a_fence_of_its_own() -> None:
    rig = Rig()
    one, two = rig.connect(), rig.connect()
    first, second = take(one, shared=True, ttl=100), take(two, shared=True, ttl=200)
    assert one.call("EXTEND", 150, ("l", first), ("l", second)) == [150, 200]
    one.send("SET", ["k", 1], None, {FENCE: [b"l", first]})
    one.send("SET", ["k", 2], None, {FENCE: [b"l", second]})
    rig.advance(150)
    assert one.outbox.take("push") == [("push", "LOCK_LOST", ("0", "l", first, "expired"))]
    assert two.outbox.heard == []
    with pytest.raises(StaleFence) as stale:
        one.send("SET", ["k", 3], None, {FENCE: [b"l", first]})
    assert stale.value.details == {"lock": "l", "token": second}
    with pytest.raises(LockLost):
        one.call("UNLOCK", "l", first)
    two.call("UNLOCK", "l", second)
    assert rig.store.namespaces[b"0"].locks == {}


def test_operators_see_every_holder_and_break_them_all() -> None:
    rig = Rig()
    one, two, three = rig.connect("one"), rig.connect("two"), rig.connect("three")
    first, second = take(one, shared=True), take(two, limit=2)
    request = waiting(three)
    assert [(hold[1], hold[2], hold[7:]) for hold in one.call("LOCKS")] == [
        (first, "one", (1, None)), (second, "two", (1, 2)),
    ]  # fmt: skip
    assert three.call("BREAK", "l") is True
    assert one.outbox.take("push") == [("push", "LOCK_LOST", ("0", "l", first, "broken"))]
    assert two.outbox.take("push") == [("push", "LOCK_LOST", ("0", "l", second, "broken"))]
    assert granted(three) == [(request, 15_000)]


def test_a_block_takes_a_lock_once_and_gives_back_what_it_took_if_it_fails() -> None:
    rig = Rig()
    client = rig.connect()
    before = take(client, shared=True)
    with pytest.raises(InvalidArgument):
        block(client, ("LOCK", "l", {"shared": True}), ("LOCK", "l", {"shared": True}))
    assert list(rig.store.namespaces[b"0"].locks[b"l"]) == [before]
    with pytest.raises(InvalidArgument):
        take(client, shared=True, limit=3)


def test_replay_gives_the_same_holders() -> None:
    rig = Rig()
    client = rig.connect()
    for options in ({"shared": True}, {"limit": 3}, {"limit": 7}):
        take(client, **options)
    client.call("UNLOCK", "l", next(iter(rig.store.namespaces[b"0"].locks[b"l"])))
    tx, rows = replayed(rig.commits, rig.engine)
    assert picture(tx.store) == picture(rig.store)
    assert rows == [commit.effects for commit in rig.commits]
    recount(tx.store)

"""What the engine makes of a command that breaks the rules: memory and log stay one, and nobody else suffers."""

from __future__ import annotations

import pytest

from kv_protocol.errors import InvalidArgument, NotFound
from kv_protocol.messages import SEQ
from kv_server.engine.rows import KEYS, LOCKS
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock
from kv_server.spec.catalog import Catalog, command
from kv_server.spec.command import BLOCKS, READ, WRITE
from kv_server.spec.types import Key, SourceKey
from tests.engine.rig import Rig, picture, replayed


@command(WRITE, group="string", since="0.1", cost="O(1)")
def changesthenrefuses(tx: Tx, key: Key, /) -> None:
    """Break the rule that a command decides first."""
    tx.key_put(key, b"\x01", 0)
    raise NotFound("too late")


@command(WRITE, group="string", since="0.1", cost="O(1)")
def changesthencrashes(tx: Tx, key: Key, /) -> None:
    """Crash halfway."""
    tx.key_put(key, b"\x01", 0)
    raise ZeroDivisionError


@command(WRITE | BLOCKS, group="string", since="0.1", cost="O(1)")
def changesthenwaits(tx: Tx, key: Key, /) -> None:
    """Break the same rule by waiting."""
    tx.key_put(key, b"\x01", 0)
    raise WouldBlock(LOCKS, [b"l"], None, InvalidArgument("over"))


@command(WRITE | BLOCKS, group="string", since="0.1", cost="O(1)")
def take(tx: Tx, key: Key, /) -> int:
    """Delete *key* once there is one, as a queue would."""
    if not tx.exists(key):
        raise WouldBlock(KEYS, [key], 100, 0)
    tx.key_drop(key, 0)
    return 1


@command(WRITE, group="string", since="0.1", cost="O(1)")
def put(tx: Tx, key: Key, /) -> None:
    """Make *key*."""
    tx.key_put(key, b"\x01", 0)


@command(WRITE, group="string", since="0.1", cost="O(1)")
def rename(tx: Tx, key: Key, target: Key, /) -> None:
    """Rename *key* to *target*."""
    tx.key_move(key, tx.name, target)


@command(READ, group="string", since="0.1", cost="O(1)")
def has(tx: Tx, key: SourceKey, /) -> bool:
    """Return whether there is *key*."""
    return tx.exists(key)


BROKEN = Catalog((changesthenrefuses, changesthencrashes, changesthenwaits, take, put, rename, has))


@pytest.mark.parametrize("word", ["CHANGESTHENREFUSES", "CHANGESTHENCRASHES", "CHANGESTHENWAITS"])
def test_what_a_broken_command_changed_is_committed_by_itself(word: str) -> None:
    rig = Rig(catalog=BROKEN)
    client = rig.connect()
    with pytest.raises((AssertionError, ZeroDivisionError)):
        client.send(word, ["k"], None, {SEQ: 1})
    assert [commit.effects for commit in rig.commits] == [[(0x11, b"k", b"\x01", 0)]]
    client.send("PUT", ["j"], None, {4: b"another"})
    assert [commit.namespace for commit in rig.commits] == [b"0", b"another"]
    assert picture(replayed(rig.commits, rig.engine)[0].store) == picture(rig.store)
    assert client.session.answers == {}
    assert client.session.waiting == {}


def test_calls_that_wait_for_keys_are_tried_when_one_comes_by_whatever_way() -> None:
    rig = Rig(catalog=BROKEN)
    client, other = rig.connect(), rig.connect()
    for expected, way in ((b"k", ["PUT", "k"]), (b"j", ["RENAME", "x", "j"])):
        other.call("PUT", "x")
        client.call("TAKE", expected)
        request_id = rig.last_id
        other.call(*way)
        assert client.outbox.heard == [("deliver", request_id, 1)]
        assert other.call("HAS", expected) is False
        client.outbox.heard.clear()
        other.call("PUT", "x")


def test_a_reply_may_be_what_a_wait_that_is_over_gives() -> None:
    rig = Rig(catalog=BROKEN)
    client = rig.connect()
    client.call("TAKE", "k")
    request_id = rig.last_id
    rig.advance(99)
    assert client.outbox.heard == []
    rig.advance(1)
    assert client.outbox.heard == [("deliver", request_id, 0)]


def test_one_key_serves_one_of_those_who_wait() -> None:
    rig = Rig(catalog=BROKEN)
    clients = [rig.connect() for _ in range(3)]
    for client in clients:
        client.call("TAKE", "k")
    clients[0].call("PUT", "k")
    assert [len(client.outbox.heard) for client in clients] == [1, 0, 0]
    clients[0].call("PUT", "k")
    assert [len(client.outbox.heard) for client in clients] == [1, 1, 0]

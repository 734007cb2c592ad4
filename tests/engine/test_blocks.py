"""Atomic blocks: all of the calls in one commit, or none of them and every last thing as it was."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import InvalidArgument, KvError, LockHeld, NotFound, TooManyNamespaces
from kv_server.commands import CATALOG
from kv_server.engine.engine import Limits
from kv_server.model.entry import DEADLINE_BYTES
from kv_server.spec.command import ADMIN
from tests.engine.rig import Client, Present, Rig, picture, readable, recount, replayed, wire_form

Step = tuple[Any, ...]


def block(client: Client, *steps: Step, namespace: bytes = b"0") -> list[Any]:
    """Run *steps* as one; a step is a word, its arguments, and perhaps a dict of its options."""
    calls = []
    for word, *args in steps:
        options = args.pop() if args and type(args[-1]) is dict else {}
        calls.append((client.rig.guarded(CATALOG[word]), *wire_form(CATALOG[word], args, options)))
    replies = client.rig.engine.block(client.session, calls, namespace)
    return [readable(CATALOG[step[0]].reply, reply) for step, reply in zip(steps, replies, strict=True)]


FAILS: Step = ("RENAME", "no such key", "target")


def furnished() -> tuple[Rig, Client]:
    rig = Rig(strict=True)
    client = rig.connect()
    client.call("MSET", ("a", 1), ("b", "text"), ("c", [1]))
    client.call("SET", "mortal", 1, ttl=1_000)
    client.call("SET", "past", "unseen", ttl=10)
    client.call("LOCK", "held", ttl=5_000)
    rig.pass_unnoticed(10)
    return rig, client


def everything(rig: Rig) -> Any:
    spaces = {
        name: [(len(t), t.bytes - t.pending * DEADLINE_BYTES, t.expiring) for t in space.tables]
        for name, space in rig.store.namespaces.items()
    }
    return picture(rig.store), spaces, rig.engine.revision, len(rig.commits), list(rig.store.namespaces)


STEPS: list[Step] = [
    ("SET", "a", "other", {"ttl": 5}),
    ("SET", "new", 1),
    ("SET", "mortal", 2),
    ("SET", "mortal", 2, {"expires_at": 5}),
    ("SET", "past", "seen"),
    ("GETEX", "mortal", {"persist": True}),
    ("GETEX", "a", {"expires_at": 1}),
    ("EXPIRE", "a", 5),
    ("APPEND", "b", "longer"),
    ("DEL", "a", "b", "mortal", "past"),
    ("RENAME", "a", "new"),
    ("RENAME", "a", "past"),
    ("RENAME", "mortal", "b"),
    ("COPY", "mortal", "past"),
    ("MOVE", "a", "elsewhere"),
    ("MSET", ("a", 5), ("past", 6), {"ttl": 1}),
    ("INCR", "past"),
    ("LOCK", "free"),
    ("UNLOCK", "held", 0),
    ("EXTEND", 60_000, ("held", 0)),
]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_block_that_fails_leaves_everything_as_it_was(step: Step) -> None:
    rig, client = furnished()
    token = client.call("LOCKS")[0][1]
    step = tuple(token if part == 0 else ("held", token) if part == ("held", 0) else part for part in step)
    before = everything(rig)
    with pytest.raises(NotFound):
        block(client, step, step[:1] + step[1:] if step[0] in ("SET", "MSET") else ("GET", "a"), FAILS)
    assert everything(rig) == before
    assert client.outbox.heard == []
    recount(rig.store)
    rig.settle(10)
    assert client.call("LOCKS")[0][1] == token
    rig.settle(20_000)
    assert client.call("DBSIZE") == 3, "every deadline that was put back is kept"
    assert [kind for kind, *_ in client.outbox.heard] == ["push"]


def test_a_block_that_fails_forgets_the_namespaces_it_made() -> None:
    rig, client = furnished()
    with pytest.raises(NotFound):
        block(client, ("SET", "k", 1), ("LOCK", "l"), ("MOVE", "k", "third"), FAILS, namespace=b"second")
    assert client.call("NAMESPACE LIST") == ["0"]
    rig.settle(100_000)
    assert replayed(rig.commits, rig.engine)[0].store.namespaces.keys() == {b"0"}


def test_a_block_is_one_commit_at_one_version() -> None:
    rig, client = furnished()
    before = len(rig.commits)
    steps: list[Step] = [
        ("SET", "x", 1),
        ("INCR", "x"),
        ("MSET", ("y", 1), ("z", 2)),
        ("GETENTRY", "y"),
        ("DEL", "z"),
        ("LOCK", "l"),
    ]
    replies = block(client, *steps)
    revision = rig.engine.revision
    assert replies == [revision, 2, revision, (1, revision, None), 1, (revision, 15_000)]
    assert [commit.revision for commit in rig.commits[before:]] == [revision]
    assert client.call("GETENTRY", "x") == (2, revision, None)


def test_a_block_that_only_reads_is_no_commit() -> None:
    rig, client = furnished()
    before = len(rig.commits)
    assert block(client, ("GET", "a"), ("EXISTS", "b", "past"), ("TTL", "mortal")) == [Present(1), 1, 990]
    assert len(rig.commits) == before


def test_calls_of_a_block_see_what_those_before_them_did() -> None:
    _, client = furnished()
    assert block(client, ("SET", "k", 1), ("GETSET", "k", 2), ("RENAME", "k", "j"), ("MGET", "k", "j")) == [
        client.rig.engine.revision, Present(1), None, [None, Present(2)],
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["DBSIZE", "RANDOMKEY", "SCAN"])
def test_keys_past_their_deadline_are_invisible_in_blocks(word: str) -> None:
    rig, client = furnished()
    client.call("DEL", "a", "b", "c", "mortal")
    args = [0] if word == "SCAN" else []
    assert block(client, ("SET", "k", 1, {"expires_at": 5}), (word, *args)) == [
        rig.engine.revision, {"DBSIZE": 0, "RANDOMKEY": None, "SCAN": (0, [])}[word],
    ]  # fmt: skip


def test_one_byte_keys_are_no_exception() -> None:
    """Keys of one byte are one object to Python: a read must not find what the write before it has left."""
    _, client = furnished()
    assert block(client, ("SET", "k", 1, {"expires_at": 5}), ("GET", "k"), ("EXISTS", "k"))[1:] == [None, 0]
    assert block(client, ("SET", "k", 1), ("DEL", "k"), ("GET", "k"))[1:] == [1, None]
    assert block(client, ("GET", "k"), ("SET", "k", 1), ("GET", "k"))[2] == Present(1)
    assert block(client, ("RENAME", "k", "j"), ("GET", "k"), ("GET", "j")) == [None, None, Present(1)]
    assert block(client, ("MOVE", "j", "1"), ("EXISTS", "j")) == [True, 0]


def test_nothing_waits_in_a_block() -> None:
    rig, client = furnished()
    other = rig.connect()
    before = everything(rig)
    with pytest.raises(LockHeld) as caught:
        block(other, ("SET", "k", 1), ("LOCK", "held"))
    assert caught.value.details["owner"] == f"session {client.session.id}"
    assert everything(rig) == before
    assert other.session.waiting == {}


def test_a_lock_freed_in_a_block_goes_to_who_waits_once_the_block_is_over() -> None:
    rig, client = furnished()
    other = rig.connect()
    token = client.call("LOCKS")[0][1]
    other.call("LOCK", "held")
    with pytest.raises(NotFound):
        block(client, ("UNLOCK", "held", token), FAILS)
    assert other.outbox.heard == []
    block(client, ("UNLOCK", "held", token), ("SET", "k", 1))
    assert [kind for kind, *_ in other.outbox.heard] == ["deliver"]


def test_watchers_hear_of_a_block_when_it_is_sealed() -> None:
    rig, client = furnished()
    client.call("WATCH", prefix="", credit=100)
    client.outbox.heard.clear()
    with pytest.raises(NotFound):
        block(client, ("SET", "x", 1), FAILS)
    assert client.outbox.heard == []
    block(client, ("SET", "x", 1), ("DEL", "x"))
    events = client.outbox.events()
    assert [(event.kind, event.key) for event in events] == [("set", "x"), ("delete", "x")]
    assert {event.revision for event in events} == {rig.engine.revision}


@pytest.mark.parametrize("command", [c for c in CATALOG if c.place != "tx" or c.flags & ADMIN], ids=lambda c: c.name)
def test_calls_about_more_than_data_are_no_part_of_a_block(command: Any) -> None:
    rig, client = furnished()
    rig.settle()
    before = everything(rig)
    with pytest.raises(InvalidArgument, match="block"):
        rig.engine.block(
            client.session, [(rig.guarded(CATALOG["SET"]), [b"k", b"\x01"], None), (command, [], None)], b"0"
        )
    assert everything(rig) == before


def test_a_block_that_would_make_too_many_namespaces_makes_none() -> None:
    rig = Rig(limits=Limits(namespaces=2))
    client = rig.connect()
    client.call("SET", "k", 1)
    before = everything(rig)
    with pytest.raises(TooManyNamespaces):
        block(client, ("MOVE", "k", "two"), ("SET", "k", 1), ("MOVE", "k", "three"))
    assert everything(rig) == before
    client.send("SET", ["k", 1], None, {4: b"two"})


def test_arguments_that_are_wrong_fail_the_block() -> None:
    rig, client = furnished()
    before = everything(rig)
    with pytest.raises(KvError):
        rig.engine.block(
            client.session, [(CATALOG["SET"], [b"k", b"\x01"], None), (CATALOG["SET"], [b"k"], None)], b"0"
        )
    assert everything(rig) == before


def test_an_empty_block_is_nothing() -> None:
    rig, client = furnished()
    before = everything(rig)
    assert block(client) == []
    assert everything(rig) == before

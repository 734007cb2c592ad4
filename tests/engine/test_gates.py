"""What a call passes before it runs: deadline, fence, the server's bounds. For every command: tests/laws/test_gates."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import (
    CommandError,
    DeadlineExceeded,
    InvalidArgument,
    ProtocolError,
    StaleFence,
    TooManyNamespaces,
)
from kv_protocol.limits import MAX_NAME
from kv_protocol.messages import DEADLINE, FENCE, NAMESPACE, SEQ, TRACE
from kv_server.commands import CATALOG
from kv_server.engine.engine import Limits
from kv_server.spec.command import Flag
from tests.engine.rig import Present, Rig, picture


def test_a_fence_ends_with_the_lease_of_its_lock() -> None:
    rig = Rig()
    client = rig.connect()
    token = client.call("LOCK", "guard", ttl=100)[0]
    rig.pass_unnoticed(99)
    client.send("SET", ["k", 1], None, {FENCE: [b"guard", token]})
    rig.pass_unnoticed(1)  # the lease is over, and nobody has noticed yet
    with pytest.raises(StaleFence) as caught:
        client.send("SET", ["k", 2], None, {FENCE: [b"guard", token]})
    assert caught.value.details["token"] is None
    assert client.call("GET", "k") == Present(1)


def test_a_fence_of_an_older_grant_is_stale() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    old = client.call("LOCK", "guard")[0]
    client.call("BREAK", "guard")
    new = other.call("LOCK", "guard")[0]
    assert new > old
    with pytest.raises(StaleFence):
        client.send("SET", ["k", 1], None, {FENCE: [b"guard", old]})
    client.send("SET", ["k", 1], None, {FENCE: [b"guard", new]})  # the token is what counts, not who holds it


def test_reads_obey_fences_and_deadlines_too() -> None:
    rig = Rig()
    client = rig.connect()
    with pytest.raises(StaleFence):
        client.send("GET", ["k"], None, {FENCE: [b"guard", 1]})
    with pytest.raises(DeadlineExceeded):
        client.send("GET", ["k"], None, {DEADLINE: 0})


@pytest.mark.parametrize(
    "fence", [b"guard", [b"guard"], [b"guard", b"1"], [1, 1], [b"guard", True], [b"guard", 1, 1], {}]
)
def test_a_fence_in_another_form_is_refused(fence: Any) -> None:
    with pytest.raises(InvalidArgument, match="fence"):
        Rig().connect().send("SET", ["k", 1], None, {FENCE: fence})


@pytest.mark.parametrize("deadline", [b"1", 1.0, True, [1]])
def test_a_deadline_in_another_form_breaks_the_protocol(deadline: Any) -> None:
    with pytest.raises(ProtocolError, match="deadline"):
        Rig().connect().send("SET", ["k", 1], None, {DEADLINE: deadline})


@pytest.mark.parametrize("name", [1, "text", b"n" * (MAX_NAME + 1), [b"a"]])
def test_a_namespace_in_another_form_is_refused(name: Any) -> None:
    with pytest.raises(InvalidArgument, match="namespace"):
        Rig().connect().send("SET", ["k", 1], None, {NAMESPACE: name})


def test_unknown_meta_is_of_no_consequence() -> None:
    client = Rig().connect()
    client.send("SET", ["k", 1], None, {TRACE: b"00-...", 99: b"later", 4: b"0", 1: None, 2: None, 3: None, 5: None})
    assert client.call("GET", "k") == Present(1)


def test_calls_meet_in_the_namespace_their_meta_names() -> None:
    rig = Rig()
    client, neighbour = rig.connect(namespace=b"one"), rig.connect(namespace=b"two")
    client.call("SET", "k", 1)
    assert neighbour.call("GET", "k") is None
    assert neighbour.send("GET", ["k"], None, {NAMESPACE: b"one"}) == Present(1)
    assert neighbour.call("DBSIZE") == 0


def test_no_namespace_is_made_beyond_the_limit() -> None:
    rig = Rig(limits=Limits(namespaces=2))
    client = rig.connect(namespace=b"one")
    client.call("SET", "k", 1)
    client.send("LOCK", ["l"], None, {NAMESPACE: b"two"})
    before = picture(rig.store)
    calls: list[tuple[str, list[Any], Any]] = [
        ("SET", ["k", 1], {NAMESPACE: b"three"}),
        ("MSET", [("k", 1), ("j", 1)], {NAMESPACE: b"three"}),
        ("LOCK", ["l"], {NAMESPACE: b"three", SEQ: 1}),
        ("MOVE", ["k", "three"], {NAMESPACE: b"one"}),
    ]
    for word, args, meta in calls:
        with pytest.raises(TooManyNamespaces) as caught:
            client.send(word, args, None, meta)
        assert caught.value.details == {"limit": 2}
    assert picture(rig.store) == before
    assert client.send("GET", ["k"], None, {NAMESPACE: b"three"}) is None
    client.call("NAMESPACE DROP", "two")
    client.send("SET", ["k", 1], None, {NAMESPACE: b"three"})


def test_a_namespace_that_was_dropped_begins_anew() -> None:
    """Whatever a transaction remembers of the last one's namespace, it must not write where nobody reads."""
    rig = Rig()
    client = rig.connect()
    client.call("SET", "k", 1)
    client.call("NAMESPACE DROP", "0")
    client.call("SET", "j", 1)
    assert [list(table) for space in rig.store.namespaces.values() for table in space.live_tables()] == [[b"j"]]
    rig.connect(namespace=b"1").call("NAMESPACE DROP", "0")
    client.call("SET", "i", 1)
    assert client.call("NAMESPACE LIST") == ["0"]
    assert client.call("DBSIZE") == 1


def test_reads_make_no_namespace() -> None:
    rig = Rig()
    client = rig.connect()
    for command in CATALOG:
        if command.flags & Flag.READ and command.place == "tx" and command.name in READS:
            client.send(command.name, READS[command.name], None, {NAMESPACE: b"unseen"})
    client.call("DEL", "k")
    with pytest.raises(CommandError):
        client.call("UNLOCK", "l", 1)
    assert client.call("NAMESPACE LIST") == []


READS: dict[str, list[Any]] = {
    "GET": ["k"], "GETENTRY": ["k"], "GETRANGE": ["k", 0, 1], "STRLEN": ["k"], "MGET": ["k"], "EXISTS": ["k"],
    "TYPE": ["k"], "RANDOMKEY": [], "SCAN": [0], "DBSIZE": [],
    "NAMESPACE LIST": [], "NAMESPACE STATS": ["unseen"], "LOCKS": [],
}  # fmt: skip

"""What a call passes before it runs: its deadline, its fence, the bounds of the server, and whether it takes calls."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import (
    CommandError,
    DeadlineExceeded,
    InvalidArgument,
    ProtocolError,
    ShuttingDown,
    StaleFence,
    TooManyNamespaces,
)
from kv_protocol.limits import MAX_NAME
from kv_protocol.messages import DEADLINE, FENCE, NAMESPACE, SEQ, TRACE
from kv_server.commands import CATALOG
from kv_server.engine.engine import Limits
from kv_server.spec.command import Command, Flag
from tests.engine.rig import Client, Present, Rig, picture

WRITES = [command for command in CATALOG if command.flags & Flag.WRITE and command.place == "tx"]
every_write = pytest.mark.parametrize("command", WRITES, ids=lambda command: command.name)

EXAMPLES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "SET": (["k", 2], {}),
    "GETSET": (["k", 2], {}),
    "GETDEL": (["k"], {}),
    "GETEX": (["k"], {"ttl": 5}),
    "APPEND": (["k", "tail"], {}),
    "SETRANGE": (["k", 0, "x"], {}),
    "MSET": ([("k", 2)], {}),
    "MSETNX": ([("new", 2)], {}),
    "INCR": (["k"], {}),
    "DECR": (["k"], {}),
    "DEL": (["k"], {}),
    "EXPIRE": (["k", 5], {}),
    "EXPIREAT": (["k", 1_900_000_000_000], {}),
    "PERSIST": (["mortal"], {}),
    "RENAME": (["k", "new"], {}),
    "RENAMENX": (["k", "new"], {}),
    "COPY": (["k", "new"], {}),
    "MOVE": (["k", "elsewhere"], {}),
    "NAMESPACE DROP": (["0"], {}),
    "FLUSHDB": ([], {}),
    "LOCK": (["free"], {}),
    "UNLOCK": (["mine", "TOKEN"], {}),
    "EXTEND": ([60_000, ("mine", "TOKEN")], {}),
    "BREAK": (["mine"], {}),
}
"""A call of each write that changes something."""


def test_every_write_has_an_example() -> None:
    assert set(EXAMPLES) == {command.name for command in WRITES}


def prepared() -> tuple[Rig, Client, int, int]:
    """A rig, a caller, the token of the lock it holds, and that of the lock that guards its writes."""
    rig = Rig()
    client = rig.connect()
    client.call("SET", "k", 1)
    client.call("SET", "mortal", 1, ttl=10_000)
    return rig, client, client.call("LOCK", "mine")[0], client.call("LOCK", "guard")[0]


def arguments(command: Command, token: int) -> tuple[list[Any], dict[str, Any]]:
    args, options = EXAMPLES[command.name]
    given = [tuple(token if part == "TOKEN" else part for part in arg) if type(arg) is tuple else arg for arg in args]
    return [token if arg == "TOKEN" else arg for arg in given], options


@every_write
def test_a_write_runs_under_a_fence_that_holds(command: Command) -> None:
    rig, client, mine, guard = prepared()
    before = len(rig.commits)
    client.send(command.name, *arguments(command, mine), {FENCE: [b"guard", guard]})
    assert len(rig.commits) == before + 1


@every_write
def test_a_write_is_refused_under_a_fence_that_does_not_hold(command: Command) -> None:
    rig, client, mine, guard = prepared()
    before, commits = picture(rig.store), len(rig.commits)
    other = rig.connect()
    for fence in ([b"guard", guard + 1], [b"guard", 0], [b"unknown", guard], [b"mine", guard]):
        with pytest.raises(StaleFence) as caught:
            client.send(command.name, *arguments(command, mine), {FENCE: fence, SEQ: 1})
        held = {b"guard": guard, b"mine": mine}.get(fence[0])
        assert caught.value.details == {"lock": fence[0].decode(), "token": held}
    with pytest.raises(StaleFence):
        other.send(command.name, *arguments(command, mine), {FENCE: [b"guard", guard], NAMESPACE: b"another"})
    assert picture(rig.store) == before
    assert len(rig.commits) == commits
    assert client.session.answers == {}


@every_write
def test_a_write_that_comes_after_its_deadline_is_not_applied(command: Command) -> None:
    rig, client, mine, _ = prepared()
    before, commits = picture(rig.store), len(rig.commits)
    with pytest.raises(DeadlineExceeded):
        client.send(command.name, *arguments(command, mine), {DEADLINE: rig.elapsed_ms - 1, SEQ: 1})
    assert picture(rig.store) == before
    assert len(rig.commits) == commits
    client.send(command.name, *arguments(command, mine), {DEADLINE: rig.elapsed_ms, SEQ: 1})
    assert len(rig.commits) == commits + 1


@every_write
def test_a_draining_server_takes_no_write(command: Command) -> None:
    rig, client, mine, _ = prepared()
    rig.engine.drain()
    before = picture(rig.store)
    with pytest.raises(ShuttingDown):
        client.send(command.name, *arguments(command, mine))
    assert picture(rig.store) == before


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

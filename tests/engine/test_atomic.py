"""ATOMIC: calls that are one, natively: all or none, at one revision, under conditions, exactly once."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import (
    Busy,
    InvalidArgument,
    KvError,
    NotANumber,
    StaleFence,
    TransactionConflict,
    UnknownCommand,
)
from kv_protocol.messages import NAMESPACE, SEQ
from kv_protocol.values import encode
from kv_server.commands import CATALOG
from tests.engine.rig import Client, Rig, kept_answers, picture, recount, replayed, wire_form


def atomic(client: Client, *calls: tuple[Any, ...], meta: Any = None, **options: Any) -> Any:
    """Run *calls*, each a word and its arguments, and perhaps a dict of its options."""
    asked = []
    for word, *args in calls:
        named = args.pop() if args and type(args[-1]) is dict else {}
        command = CATALOG.commands.get(word.encode())
        plain, options_on_wire = wire_form(command, args, named) if command else (args, named)
        asked.append([word.encode(), plain, options_on_wire])
    given = {name.encode(): value for name, value in options.items()}
    return client.raw("ATOMIC", asked, given or None, meta)


def test_all_calls_are_one_commit_with_a_reply_each() -> None:
    rig = Rig()
    client = rig.connect()
    replies = atomic(
        client, ("SET", "a", 1), ("INCR", "a"), ("GET", "a"), ("GETENTRY", "a"), ("GET", "b"), ("TYPE", "a")
    )
    revision = rig.engine.revision
    assert replies == [revision, encode(2), encode(2), (encode(2), revision, None), None, "int"]
    assert len(rig.commits) == 1


def test_a_call_that_fails_undoes_the_others_and_says_which_it_was() -> None:
    rig = Rig()
    client = rig.connect()
    client.call("SET", "text", "x")
    before = picture(rig.store)
    with pytest.raises(NotANumber) as caught:
        atomic(client, ("SET", "a", 1), ("INCR", "text"), ("SET", "b", 1))
    assert caught.value.details["call"] == 1
    assert picture(rig.store) == before
    assert len(rig.commits) == 1
    recount(rig.store)


def test_versions_that_are_required_decide() -> None:
    rig = Rig()
    client = rig.connect()
    version = client.call("SET", "a", 1)
    later = atomic(client, ("SET", "a", 2), ("SET", "b", 2), require=[[b"a", version], [b"b", 0]])[0]
    with pytest.raises(TransactionConflict) as caught:
        atomic(client, ("SET", "c", 1), require=[[b"a", version], [b"b", later], [b"\xff", 7], [b"d", 0]])
    assert caught.value.code == "TX_CONFLICT"
    assert caught.value.keys == {"a": later, b"\xff": 0}
    assert client.call("EXISTS", "c") == 0


def test_a_required_key_that_has_expired_is_absent() -> None:
    rig = Rig()
    client = rig.connect()
    version = client.call("SET", "a", 1, ttl=5)
    rig.pass_unnoticed(5)
    with pytest.raises(TransactionConflict):
        atomic(client, ("SET", "b", 1), require=[[b"a", version]])
    atomic(client, ("SET", "b", 1), require=[[b"a", 0]])


def test_locks_that_are_required_decide() -> None:
    rig = Rig()
    client = rig.connect()
    first, second = client.call("LOCK", "l")[0], client.call("LOCK", "m")[0]
    atomic(client, ("SET", "a", 1), locks=[[b"l", first], [b"m", second]])
    client.call("UNLOCK", "m", second)
    with pytest.raises(StaleFence):
        atomic(client, ("SET", "a", 2), locks=[[b"l", first], [b"m", second]])


def test_a_repeat_is_answered_and_not_run() -> None:
    rig = Rig()
    client = rig.connect()
    calls = [("INCR", "a"), ("INCR", "b"), ("LOCK", "l")]
    first = atomic(client, *calls, meta={SEQ: 1})
    assert atomic(client, *calls, meta={SEQ: 1}) == first
    assert len(rig.commits) == 1
    assert kept_answers(rig.engine.sessions) == kept_answers(replayed(rig.commits, rig.engine)[0].sessions)
    atomic(client, *calls[:2], meta={SEQ: 2})
    assert client.call("GET", "a").value == 2


def test_a_failure_keeps_no_answer() -> None:
    rig = Rig()
    client = rig.connect()
    for _ in range(2):
        with pytest.raises(UnknownCommand):
            atomic(client, ("SET", "a", 1), ("NONSENSE", 1), meta={SEQ: 1})
    atomic(client, ("SET", "a", 2), meta={SEQ: 1})
    assert client.call("GET", "a").value == 2


def test_nothing_waits_inside() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    other.call("LOCK", "l")
    with pytest.raises(KvError):
        atomic(client, ("SET", "a", 1), ("LOCK", "l", {"wait": 5}))
    assert client.call("EXISTS", "a") == 0
    assert not client.session.waiting


@pytest.mark.parametrize("word", ["ATOMIC", "FLUSHDB", "WATCH", "SUBSCRIBE", "PING", "INFO", "BREAK"])
def test_what_cannot_be_undone_or_answers_again_is_refused(word: str) -> None:
    rig = Rig()
    client = rig.connect()
    with pytest.raises((InvalidArgument, Busy)):
        atomic(client, ("SET", "a", 1), (word,))
    assert rig.store.namespaces == {}


@pytest.mark.parametrize(
    "calls",
    [[[]], [[b"GET"]], [[b"GET", b"a"]], [[b"GET", [b"a"], []]], [[1, []]], [b"GET"], [[b"GET", [], None, None]]],
)
def test_what_is_no_call_is_refused(calls: list[Any]) -> None:
    with pytest.raises(InvalidArgument):
        Rig().connect().raw("ATOMIC", calls)


def test_it_runs_in_the_namespace_of_the_request_and_serves_who_waits() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect(namespace=b"shop")
    token = atomic(client, ("LOCK", "l"), meta={NAMESPACE: b"shop"})[0][0]
    other.call("LOCK", "l", wait=50)
    atomic(client, ("UNLOCK", "l", token), ("SET", "a", 1), meta={NAMESPACE: b"shop"})
    assert len(other.outbox.take("deliver")) == 1
    assert other.call("GET", "a").value == 1


def test_an_empty_transaction_is_only_its_conditions() -> None:
    client = Rig().connect()
    assert atomic(client) == []
    with pytest.raises(TransactionConflict):
        atomic(client, require=[[b"a", 1]])

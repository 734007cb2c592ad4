"""Subscriptions: every change of a watched key, in order, within the credit; and no silence about what was left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import MAX_EVENTS
from kv_protocol.messages import NAMESPACE
from kv_protocol.values import decode
from kv_server.engine.engine import PARKED
from tests.engine.profile import examples
from tests.engine.rig import Client, Rig

PLENTY = 2**31


def watch(client: Client, *keys: Any, credit: int = PLENTY, **options: Any) -> int:
    """Watch; the id of the call. The first event must have said since when."""
    revision = client.rig.engine.revision
    assert client.call("WATCH", *keys, credit=credit, **options) is PARKED
    if credit:
        assert client.outbox.events() == [("open", revision, None, None)]
    return client.rig.last_id


def told(client: Client) -> list[tuple[Any, ...]]:
    """Kind, key and value of each event since the last time."""
    return [(e.kind, e.key, decode(e.value) if type(e.value) is bytes else e.value) for e in client.outbox.events()]


def test_every_kind_of_change_is_told_with_its_revision() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, "a", "b", "c")
    calls: list[tuple[Any, list[tuple[Any, ...]]]] = [
        (("SET", "a", 1), [("set", "a", 1)]),
        (("INCR", "a"), [("set", "a", 2)]),
        (("EXPIRE", "a", 100), [("ttl", "a", None)]),
        (("PERSIST", "a"), [("ttl", "a", None)]),
        (("RENAME", "a", "b"), [("delete", "a", None), ("set", "b", 2)]),
        (("COPY", "b", "c"), [("set", "c", 2)]),
        (("DEL", "b", "c", "a"), [("delete", "b", None), ("delete", "c", None)]),
        (("MSET", ("a", 1), ("x", 2), ("b", None)), [("set", "a", 1), ("set", "b", None)]),
        (("EXPIREAT", "a", 1), [("delete", "a", None)]),
        (("MOVE", "b", "elsewhere"), [("delete", "b", None)]),
        (("SET", "x", 5), []),
        (("FLUSHDB",), [("dropped", None, None)]),
        (("SET", "a", None), [("set", "a", None)]),
        (("NAMESPACE DROP", "0"), [("dropped", None, None)]),
        (("GET", "a"), []),
        (("DEL", "a"), []),
    ]
    for call, expected in calls:
        client.call(*call)
        events = client.outbox.events()
        assert {event.revision for event in events} <= {rig.engine.revision}
        assert [(e.kind, e.key, None if e.value is None else decode(e.value)) for e in events] == expected, call


def test_a_key_that_expires_is_told_once_whoever_notices() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, prefix="")
    for key in ("by time", "by a write", "by a sweep"):
        client.call("SET", key, 1, ttl=10)
    client.call("SET", "past", 1, expires_at=5)
    client.outbox.heard.clear()
    rig.pass_unnoticed(10)
    client.call("SET", "by a write", 2)
    assert told(client) == [("expired", "by a write", None), ("set", "by a write", 2)]
    client.call("GET", "by time")
    assert told(client) == []
    client.call("DBSIZE")
    assert sorted(told(client)) == [("expired", "by a sweep", None), ("expired", "by time", None)]


def test_a_write_with_a_deadline_that_has_passed_is_told_as_set_and_expired() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, "k")
    client.call("SET", "k", 1, expires_at=rig.now_ms)
    assert told(client) == [("set", "k", 1), ("expired", "k", None)]
    assert client.call("EXISTS", "k") == client.call("DBSIZE") == 0


def test_a_key_watched_by_name_and_by_prefix_is_told_once() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, "ab", "ab", "b", prefix="a")
    client.call("MSET", ("ab", 1), ("ac", 2), ("b", 3), ("c", 4))
    assert told(client) == [("set", "ab", 1), ("set", "ac", 2), ("set", "b", 3)]
    client.call("NAMESPACE DROP", "0")
    assert told(client) == [("dropped", None, None)]


def test_events_stay_in_their_namespace() -> None:
    rig = Rig()
    here, there = rig.connect(), rig.connect(namespace=b"there")
    watch(here, "k", prefix="p")
    watch(there, "k")
    here.call("SET", "k", 1)
    assert told(there) == []
    here.outbox.heard.clear()
    here.send("SET", ["k", 2], None, {NAMESPACE: b"there"})
    assert told(here) == []
    assert told(there) == [("set", "k", 2)]
    there.call("MOVE", "k", "0")  # there is one already
    there.call("RENAME", "k", "pk")
    there.outbox.heard.clear()
    there.call("MOVE", "pk", "0")
    assert told(here) == [("set", "pk", 2)]
    there.call("NAMESPACE DROP", "0")
    assert told(here) == [("dropped", None, None)]
    assert told(there) == []


def test_without_values_events_carry_none() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, "k", values=False)
    client.call("SET", "k", "large")
    [event] = client.outbox.events()
    assert (event.kind, event.key, event.value) == ("set", "k", None)


def test_names_that_are_not_utf8_come_back_as_they_were() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, b"\xff", prefix=b"\xfe")
    client.call("MSET", (b"\xff", 1), (b"\xfe\x00", 2))
    assert told(client) == [("set", "\udcff", 1), ("set", "\udcfe\x00", 2)]


def test_nothing_is_sent_beyond_the_credit() -> None:
    rig = Rig()
    client = rig.connect()
    request_id = watch(client, "k", credit=0)
    assert client.outbox.heard == []
    for number in range(5):
        client.call("SET", "k", number)
    client.credit(request_id, 3)
    assert told(client) == [("open", None, None), ("set", "k", 0), ("set", "k", 1)]
    client.credit(request_id, 10)
    assert told(client) == [("set", "k", 2), ("set", "k", 3), ("set", "k", 4)]
    for number in range(10):
        client.call("SET", "k", number)
    assert len(told(client)) == 7
    client.credit(request_id + 1, 10)
    client.credit(request_id, 1)
    assert told(client) == [("set", "k", 7)]


def test_what_is_left_out_is_told_as_one_gap() -> None:
    rig = Rig()
    client = rig.connect()
    request_id = watch(client, "k", credit=1)
    first = rig.engine.revision + 1
    for number in range(MAX_EVENTS + 10):
        client.call("SET", "k", number)
    client.credit(request_id, 2)
    gap, event = client.outbox.events()
    assert gap == ("gap", first + 9, None, first - 1)
    assert event.revision == first + 10
    client.credit(request_id, PLENTY)
    events = client.outbox.events()
    assert [event.revision for event in events] == list(range(first + 11, first + 10 + MAX_EVENTS))


@settings(max_examples=examples(40))
@given(
    moves=st.lists(
        st.one_of(st.tuples(st.just("write"), st.integers(1, 400)), st.tuples(st.just("credit"), st.integers(1, 700))),
        max_size=12,
    )
)
def test_events_and_gaps_cover_every_change_in_order(moves: list[tuple[str, int]]) -> None:
    rig = Rig()
    client = rig.connect()
    request_id = watch(client, prefix="k", credit=1)
    changes: list[int] = []
    told_of: list[Any] = []
    for kind, count in [*moves, ("credit", PLENTY)]:
        if kind == "credit":
            client.credit(request_id, count)
        for number in range(count if kind == "write" else 0):
            client.call("MSET", ("k1", number), ("k2", number))
            changes += [rig.engine.revision] * 2
        told_of += client.outbox.events()
        [watching] = client.session.waiting.values()
        assert len(watching.events) <= MAX_EVENTS  # type: ignore[union-attr]
    covered = [event.revision for event in told_of if event.kind == "set"]
    gaps = [(event.value, event.revision) for event in told_of if event.kind == "gap"]
    assert [event.revision for event in told_of] == sorted(event.revision for event in told_of)
    for revision in set(changes):
        told_fully = covered.count(revision) == 2
        assert told_fully or any(since < revision <= until for since, until in gaps)


def test_a_subscription_ends_when_it_is_cancelled_or_its_connection_goes() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    first, second = watch(client, "k"), watch(client, prefix="k")
    watch(other, "k")
    assert client.cancel(first)
    assert client.outbox.errors() == {first: "CANCELLED"}
    client.call("SET", "k", 1)
    assert [(request_id, event.kind) for _, request_id, event in client.outbox.take("event")] == [(second, "set")]
    client.detach()
    other.detach()
    assert not rig.engine.watchers.live
    rig.connect().call("SET", "k", 2)
    assert client.outbox.heard == []


def test_a_watch_of_nothing_is_refused() -> None:
    rig = Rig()
    client = rig.connect()
    with pytest.raises(InvalidArgument):
        client.call("WATCH", credit=5)
    assert client.session.waiting == {}


def test_rows_of_answers_and_locks_are_no_events() -> None:
    rig = Rig()
    client = rig.connect()
    watch(client, "k", "l", prefix="")
    client.send("LOCK", ["l"], None, {2: 1})
    assert client.outbox.heard == []

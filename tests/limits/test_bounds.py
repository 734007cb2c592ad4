"""What one caller may make the engine hold: events, waiting calls, queued calls, sessions it has left."""

from __future__ import annotations

import pytest

from kv_protocol.errors import Busy
from kv_protocol.limits import MAX_EVENT_BYTES, MIB
from kv_server.engine import room
from tests.engine.rig import PARKED, Rig


def test_events_that_wait_for_credit_are_bounded_in_bytes() -> None:
    rig = Rig()
    client, watcher = rig.connect(), rig.connect()
    watcher.call("WATCH", prefix="", credit=0, values=True)
    for number in range(20):
        client.call("SET", "k", "x" * MIB + str(number))
    (watch,) = watcher.session.waiting.values()
    assert 0 < watch.size <= MAX_EVENT_BYTES
    watcher.credit(rig.last_id - 20, 100)
    events = watcher.outbox.events()
    assert [event.kind for event in events][:2] == ["gap", "set"] and len(events) <= 5
    assert watch.size == 0


def test_an_event_larger_than_the_bound_is_kept_alone() -> None:
    rig = Rig()
    client, watcher = rig.connect(), rig.connect()
    watcher.call("WATCH", prefix="", credit=0, values=True)
    client.call("SET", "k", "x" * (MAX_EVENT_BYTES + 1))
    watcher.credit(rig.last_id - 1, 10)
    assert [event.kind for event in watcher.outbox.events()][-1] == "set"


def test_waiting_calls_are_bounded_in_bytes() -> None:
    rig = Rig()
    client = rig.connect()
    keys = ["x" * 60_000 + str(number) for number in range(300)]
    with pytest.raises(Busy, match="64 MiB"):
        for number in range(10):
            assert client.call("BLPOP", *(f"{key} {number}" for key in keys)) is PARKED
    assert len(client.session.waiting) == 3
    assert client.call("BLPOP", "short") is PARKED


def test_sessions_that_were_left_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_LEFT", 5)
    rig = Rig()
    stays = rig.connect("stays")
    for number in range(20):
        rig.connect(f"left {number}").detach()
        rig.advance(10)
    rig.advance(1_100)
    left = [session.client for session in rig.engine.sessions.values() if session is not stays.session]
    assert left == [f"left {number}" for number in range(15, 20)]
    assert rig.engine.statistics()["sessions_ended_early"] == 15


def test_answers_kept_for_sessions_that_were_left_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_LEFT_BYTES", 10_000)
    rig = Rig()
    for number in range(10):
        client = rig.connect(f"left {number}")
        client.session.keep(1, b"", 2_000)
        client.detach()
        rig.advance(10)
    rig.advance(1_100)
    assert sum(session.answer_bytes for session in rig.engine.sessions.values()) == 10_000

"""Who looks on at calls and does not read: what fits is exact, and one line tells the rest."""

from __future__ import annotations

from kv_server.engine.ticks import Ticks
from tests.surfaces.talk import Talk


def test_a_monitor_that_does_not_read_gets_what_fits_then_one_line_and_goes_on() -> None:
    talk = Talk()
    talk.rig.engine.observation.monitor_bytes = 1_000
    monitor = talk.another()
    monitor.line("MONITOR")
    for number in range(100):
        talk.line(f"GET key:{number}")
    lines = monitor.take().split(b"\r\n")[:-1]
    assert [line for line in lines if b"not shown" in line] == []
    shown = len(lines)
    assert 10 < shown < 40
    talk.advance(100)
    assert monitor.take() == b"+... %d calls not shown\r\n" % (100 - shown)
    talk.line("GET again")
    assert monitor.take().endswith(b'"GET" "again"\r\n')


def test_a_monitor_without_room_costs_no_words() -> None:
    talk = Talk()
    talk.rig.engine.observation.monitor_bytes = 0
    monitor = talk.another()
    monitor.line("MONITOR")
    talk.line("SET k " + "x" * 10_000)
    assert not monitor.connection.held


def test_long_words_are_shortened_for_onlookers() -> None:
    talk = Talk()
    monitor = talk.another()
    monitor.line("MONITOR")
    talk.line("SET k " + "x" * 2_000)
    assert monitor.take().endswith(b"x" * 10 + b'... (976 more bytes)"\r\n')


def test_a_call_that_keeps_others_waiting_is_warned_of_by_its_name() -> None:
    talk = Talk()
    warned: list[tuple[str, int]] = []
    observation = talk.rig.engine.observation
    observation.warn = lambda command, spent_ms: warned.append((command, spent_ms))
    observation.stuck_ms = 100
    observation.choose()
    times = [0.0, 0.099, 1.0, 1.25]
    talk.door.ticks = Ticks(lambda: times.pop(0) if times else 2.0)
    talk.line("KEYS *")
    talk.line("KEYS secret-key")
    assert warned == [("KEYS", 250)]

"""What a native client may make the server hold or do: time, output, arguments, nesting; and what it cannot break."""

from __future__ import annotations

import gc
import random
import struct
import tracemalloc
from typing import Any

import msgpack
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.frames import pack
from kv_protocol.types import Change
from kv_server.surfaces.requests import SHORT
from kv_server.surfaces.surface import HIGH_WATER
from tests.surfaces.line import LIMITS, Line, framed


# ---- turns
def test_calls_wait_while_the_reader_is_owed_too_much() -> None:
    line = Line()
    line.engine.next_reply = b"x" * 100_000
    stream = b"".join(pack([number, "GIVE", []]) for number in range(1, 51))
    line.connection.receive_data(stream)
    assert line.connection.stalled
    assert HIGH_WATER <= line.connection.held <= HIGH_WATER + 200_000
    ran = len(line.engine.calls)
    assert ran < 50
    line.connection.receive_data(pack([51, "GIVE", []]))
    assert len(line.engine.calls) == ran
    answers = line.take()
    while line.connection.stalled:
        line.connection.resume()
        answers += line.take()
    assert [answer[0] for answer in answers] == list(range(1, 52))


def test_calls_give_others_a_turn_when_their_time_is_over() -> None:
    line = Line()
    stream = b"".join(pack([number, "GIVE", []]) for number in range(1, 11))
    line.door.timer = iter(number * 0.0015 for number in range(100)).__next__
    line.connection.receive_data(stream)
    assert line.connection.stalled
    assert len(line.engine.calls) == 2
    line.connection.resume()
    assert len(line.engine.calls) == 4
    line.door.timer = lambda: 0.0
    line.connection.resume()
    assert not line.connection.stalled
    assert [answer[0] for answer in line.take()] == list(range(1, 11))


def test_a_frame_that_cannot_be_read_waits_for_the_calls_before_it() -> None:
    line = Line()
    line.door.timer = iter(number * 0.0015 for number in range(100)).__next__
    line.connection.receive_data(b"".join(pack([number, "GIVE", []]) for number in range(1, 5)) + struct.pack(">I", 0))
    assert not line.connection.closing
    while line.connection.stalled:
        line.connection.resume()
    assert [answer[0] for answer in line.take()] == [1, 2, 3, 4, 0]
    assert line.connection.closing


def test_an_end_forgets_the_calls_that_wait_their_turn() -> None:
    line = Line()
    line.door.timer = iter(number * 0.0015 for number in range(100)).__next__
    line.connection.receive_data(b"".join(pack([number, "GIVE", []]) for number in range(1, 11)))
    line.connection.leave()
    line.connection.resume()
    assert len(line.engine.calls) == 2


# ---- output
def test_events_for_a_reader_that_does_not_read_end_the_connection() -> None:
    line = Line()
    event = Change("set", 1, "k", b"v" * 10_000)
    for _ in range(LIMITS.output // 10_000 + 2):
        line.connection.event(7, event)
    assert line.connection.overflowed and line.connection.closing
    assert line.connection.held <= LIMITS.output + 21_000
    assert line.engine.detached == []  # the engine may be in the middle of telling others: leaving comes later


def test_a_large_reply_is_no_overflow() -> None:
    line = Line(limits=evolve(LIMITS, frame=4 << 20))
    line.engine.next_reply = b"x" * (3 << 20)
    assert [len(answer[2]) for answer in line.ask(1, "GIVE", [])] == [3 << 20]
    assert not line.connection.overflowed


def test_a_large_reply_does_not_count_as_what_a_reader_left() -> None:
    line = Line(limits=evolve(LIMITS, frame=4 << 20))
    line.engine.next_reply = b"x" * (3 << 20)
    line.connection.receive_data(pack([1, "GIVE", []]))
    line.connection.event(7, Change("set", 1, "k", b"v"))
    line.connection.deliver(8, line.engine.catalog.commands[b"GIVE"], b"y" * (3 << 20))
    assert not line.connection.overflowed
    assert [answer[0] for answer in line.take()] == [1, 7, 8]
    for _ in range(3):
        line.connection.event(7, Change("set", 1, "k", b"v" * 900_000))
    assert line.connection.overflowed


def test_output_is_given_out_in_pieces_of_bounded_size() -> None:
    line = Line(limits=evolve(LIMITS, output=8 << 20))
    event = Change("set", 1, "k", b"v" * 10_000)
    for _ in range(300):
        line.connection.event(7, event)
    sizes = []
    while data := line.connection.data_to_send():
        sizes.append(len(data))
    assert len(sizes) == 3 and max(sizes) <= HIGH_WATER + 11_000
    assert line.connection.held == 0


def test_an_answer_beyond_a_frame_is_an_error_that_says_whether_the_call_was_applied() -> None:
    line = Line()
    for reply in (b"x" * LIMITS.frame, ["x" * LIMITS.frame]):
        line.engine.next_reply = reply
        [[_, status, [code, message, details]]] = line.ask(1, "GIVE", [])
        assert (status, code, details) == (2, "TOO_LARGE", {"limit": LIMITS.frame})
        assert "GIVE" in message
        [[_, status, [code, message, details]]] = line.ask(2, "CHANGE", [])
        assert (status, code, details) == (2, "ANSWER_LOST", {"revision": 42})
        assert "CHANGE" in message
    assert not line.connection.closing


# ---- arguments
@pytest.mark.parametrize("meta", [[], [None, {1: 5}]])
def test_too_many_arguments_are_refused_and_the_connection_goes_on(meta: list[Any]) -> None:
    line = Line()
    assert line.ask(1, "GIVE", [b""] * LIMITS.batch, *meta) == [[1, 0, b"reply"]]
    [[request_id, status, [code, message, details]]] = line.ask(2, "GIVE", [b""] * (LIMITS.batch + 1), *meta)
    assert (request_id, status, code, details) == (2, 2, "TOO_LARGE", {"limit": LIMITS.batch})
    assert "4,096" in message
    assert line.ask(3, "GIVE", []) == [[3, 0, b"reply"]]


def test_counted_names_are_counted_like_arguments() -> None:
    line = Line()
    names = [b"name %d" % number for number in range(LIMITS.batch + 1)]
    assert line.ask(1, "GIVE", [names[10:], 5, [[b"a", 1.5], b"x"]]) == [[1, 0, b"reply"]]
    assert line.engine.calls[-1][2] == [names[10:], 5, [[b"a", 1.5], b"x"]]
    [[_, _, [code, _, details]]] = line.ask(2, "GIVE", [names])
    assert (code, details) == ("TOO_LARGE", {"limit": LIMITS.batch})
    assert not line.connection.closing


def test_long_and_short_bodies_are_read_alike() -> None:
    line = Line()
    rest: list[Any] = [{b"ttl": 5, b"of": [b"a", b"b"]}, {1: 7, 5: [b"lock", 3]}]
    for size in (1, 2 * SHORT):
        for more in ([], rest[:1], rest):
            line.ask(1, "GIVE", [b"x" * size, 1, -1, None, True, 2.5, [b"y", [b"z"]]], *more)
    short, long = line.engine.calls[:3], line.engine.calls[3:]
    assert [call[2][1:] for call in short] == [call[2][1:] for call in long]
    assert [call[3:] for call in short] == [call[3:] for call in long] == [(None, None), (rest[0], None), tuple(rest)]


BOMBS = {
    "a million empty arrays": b"\xdd" + struct.pack(">I", 1_000_000) + b"\x90" * 1_000_000,
    "arrays inside arrays": b"\x91" * 1_000_000 + b"\x90",
    "lengths that lie, nested": b"\xdc\xff\xff" * 20_000,
    "long lengths that lie, nested": b"\xdd\x00\x0f\xff\xff" * 20_000,
    "maps that lie, nested": b"\xdf\x00\x0f\xff\xff\x01" * 20_000,
    "an argument of arrays": b"\x91" + (b"\xdc\x00\x40" + b"\x90" * 64) * 10_000,
    "a bin that lies": b"\x91\xc6\xff\xff\xff\xff",
    "short lies": b"\xdc\x0f\xff" * 1_000,
    "an ext that lies": b"\x91\xc9\xff\xff\xff\xff\x05",
}


@pytest.mark.parametrize("arguments", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_little_and_ends_at_most_its_connection(arguments: bytes) -> None:
    line = Line(limits=evolve(LIMITS, frame=16 << 20, batch=65_536))
    stream = framed(b"\x93\x01\xa4GIVE" + arguments)
    gc.collect()
    tracemalloc.start()
    try:
        [[request_id, status, [code, _, _]]] = line.send(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status == 2
    assert (request_id, code) in [(0, "PROTOCOL"), (1, "TOO_LARGE")]
    assert peak < 5 * len(stream) + (34 << 20)
    assert line.engine.calls == []


@settings(max_examples=300)
@given(st.data())
def test_whatever_arrives_is_answered_with_whole_frames_or_a_close(data: st.DataObject) -> None:
    line = Line(hello=data.draw(st.booleans()))
    requests = [pack([1, "GIVE", [b"k", {"a": [1, None]}]]), pack([2, "CANCEL", [1]]), pack([3, "HELLO", [1]])]
    for _ in range(data.draw(st.integers(1, 5))):
        kind = data.draw(st.integers(0, 3))
        if kind == 0:
            stream = data.draw(st.binary(max_size=200))
        elif kind == 1:
            stream = framed(data.draw(st.binary(min_size=1, max_size=200)))
        elif kind == 2:
            stream = data.draw(st.sampled_from(requests))
            place = data.draw(st.integers(0, len(stream) - 1))
            stream = stream[:place] + bytes([data.draw(st.integers(0, 255))]) + stream[place + 1 :]
        else:
            message = data.draw(st.recursive(st.none() | st.integers(0, 2**40) | st.binary() | st.text(), st.lists))
            stream = framed(msgpack.packb(message))
        for answer in line.send(stream):
            assert len(answer) == 3 and answer[1] in (0, 2)
            assert answer[1] == 0 or answer[2][0] in ("PROTOCOL", "TOO_LARGE", "UNKNOWN_COMMAND", "INVALID", "VERSION")
    assert line.door.trouble()[1] == 0


def test_mutated_long_requests_break_nothing_else() -> None:
    dice = random.Random(11)
    whole = msgpack.packb([1, "GIVE", [b"x" * 5000, [b"a"] * 50, {b"k": 1}], {b"o": [1, 2]}, {1: 5}])
    for _ in range(2000):
        body = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            body[dice.choice((dice.randrange(40), dice.randrange(5000, len(body))))] = dice.randrange(256)
        del body[dice.randrange(4500, len(body) + 1) :]
        line = Line()
        for answer in line.send(framed(bytes(body))):
            assert answer[1] == 0 or answer[2][0] in ("PROTOCOL", "TOO_LARGE", "UNKNOWN_COMMAND", "INVALID")
        assert line.door.trouble()[1] == 0

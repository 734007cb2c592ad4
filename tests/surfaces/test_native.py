"""The native surface: greeting, calls, ids, waiting calls, endings; bytes only."""

from __future__ import annotations

import logging
import struct
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol.errors import ConditionFailed, NotFound, ProtocolError, ShuttingDown
from kv_protocol.frames import pack
from kv_protocol.limits import MAX_HELLO_FRAME
from kv_protocol.types import Change
from kv_server.engine.engine import PARKED
from kv_server.surfaces.surface import SLICE_S
from tests.surfaces.line import LIMITS, Line, framed


# ---- greeting
def test_a_greeting_tells_all_that_the_protocol_promises() -> None:
    line = Line(hello=False)
    options = {"client": "ledger", "namespace": b"\xff", "session": b"k" * 16}
    [[request_id, status, body]] = line.ask(9, "HELLO", [1], options)
    assert (request_id, status) == (9, 0)
    limits = {
        "frame": 1 << 20,
        "value": (1 << 20) - 65_536,
        "nesting": 64,
        "batch": 4096,
        "parked": 10,
        "answers": 16_384,
    }
    assert body == {
        "server": "kv-server test", "protocol": [1, 1], "epoch": 7, "revision": 42, "clock_ms": 1000,
        "now_ms": 1_800_000_000_000, "session": b"k" * 16, "session_id": 5, "resumed": True, "namespace": b"\xff",
        "limits": limits,
    }  # fmt: skip
    session = line.connection.session
    assert session is not None and session.client == "ledger" and session.namespace == b"\xff"


@pytest.mark.parametrize(
    "request_", [[1, "GIVE", []], [1, "CANCEL", [1]], [1, "hello", [1]], [1, "HELLO", []], [1, "HELLO", ["1"]]]
)
def test_anything_but_a_greeting_first_ends_the_connection(request_: list[Any]) -> None:
    line = Line(hello=False)
    [[request_id, status, [code, message, details]]] = line.ask(*request_)
    assert (request_id, status, code, details) == (0, 2, "PROTOCOL", {})
    assert "HELLO" in message
    assert line.connection.closing
    assert line.engine.calls == []


@pytest.mark.parametrize("body", [b"\xc1", b"\x93", b"\xc0", b"GET / HTTP/1.1", b"\x93\x00\xa5HELLO\x91\x01", b"\x80"])
def test_a_first_frame_that_is_no_request_ends_the_connection(body: bytes) -> None:
    line = Line(hello=False)
    [[request_id, status, [code, _, _]]] = line.send(framed(body))
    assert (request_id, status, code) == (0, 2, "PROTOCOL")
    assert line.connection.closing


def test_a_version_that_is_not_served_is_answered_with_those_that_are() -> None:
    line = Line(hello=False)
    [[request_id, status, [code, _, details]]] = line.ask(3, "HELLO", [2])
    assert (request_id, status, code, details) == (3, 2, "VERSION", {"protocol": [1, 1]})
    assert line.connection.closing


@pytest.mark.parametrize(
    "options",
    [{"colour": b"red"}, {"client": 5}, {"client": "a\nb"}, {"client": "x" * 257}, {"session": b"short"}, {5: b""}],
)
def test_a_greeting_with_a_wrong_option_is_told_which(options: dict[Any, Any]) -> None:
    line = Line(hello=False)
    [[request_id, status, [code, message, _]]] = line.ask(3, "HELLO", [1], options)
    assert (request_id, status, code) == (3, 2, "INVALID")
    assert message.startswith("HELLO")
    assert line.connection.closing


def test_a_greeting_that_the_engine_refuses_is_answered() -> None:
    line = Line(hello=False)
    line.engine.greeting = ShuttingDown("the server is shutting down")
    [[request_id, status, [code, _, _]]] = line.ask(3, "HELLO", [1])
    assert (request_id, status, code) == (3, 2, "SHUTTING_DOWN")
    assert line.connection.closing


def test_a_frame_before_the_greeting_may_be_16_kib_and_no_longer() -> None:
    line = Line(hello=False)
    assert line.send(struct.pack(">I", MAX_HELLO_FRAME)) == []
    assert not line.connection.closing
    line = Line(hello=False)
    [[request_id, status, [code, _, details]]] = line.send(struct.pack(">I", MAX_HELLO_FRAME + 1))
    assert (request_id, status, code, details) == (0, 2, "TOO_LARGE", {"limit": MAX_HELLO_FRAME})
    assert line.connection.closing


def test_a_second_greeting_ends_the_connection() -> None:
    line = Line()
    [[request_id, status, [code, _, _]]] = line.ask(2, "HELLO", [1])
    assert (request_id, status, code) == (0, 2, "PROTOCOL")
    assert line.connection.closing


def test_calls_may_follow_the_greeting_at_once() -> None:
    line = Line(hello=False)
    answers = line.send(pack([1, "HELLO", [1]]) + pack([2, "GIVE", [b"k" * 20_000]]))
    assert [answer[:2] for answer in answers] == [[1, 0], [2, 0]]


# ---- calls
def test_a_call_reaches_the_engine_with_all_its_parts() -> None:
    line = Line()
    line.ask(1, "GIVE", ["a", b"\xff", 1, None])
    line.ask(2**32 - 1, "GIVE", [], {"ttl": 5})
    line.ask(3, "GIVE", [], None, {1: 5, 5: ["lock", 9]})
    assert line.engine.calls == [
        (1, "GIVE", [b"a", b"\xff", 1, None], None, None),
        (2**32 - 1, "GIVE", [], {b"ttl": 5}, None),
        (3, "GIVE", [], None, {1: 5, 5: [b"lock", 9]}),
    ]


@given(st.lists(st.integers(0, 300), max_size=12), st.data())
def test_answers_are_the_same_however_the_bytes_arrive(sizes: list[int], data: st.DataObject) -> None:
    stream = b"".join(pack([i + 1, "GIVE", [b"x" * size]]) for i, size in enumerate([*sizes, 5000]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    line = Line()
    answers = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        answers += line.send(stream[start:end])
    assert answers == [[i + 1, 0, b"reply"] for i in range(len(sizes) + 1)]
    assert [len(call[2][0]) for call in line.engine.calls] == [*sizes, 5000]
    assert not line.connection.halfway


def test_a_request_byte_by_byte_is_one_call() -> None:
    line = Line()
    stream = pack([1, "GIVE", ["key"]])
    for position in range(len(stream) - 1):
        assert line.send(stream[position : position + 1]) == []
        assert line.connection.halfway
    assert line.send(stream[-1:]) == [[1, 0, b"reply"]]


def test_an_error_is_an_answer_and_the_connection_goes_on() -> None:
    line = Line()
    line.engine.next_reply = ConditionFailed("changed meanwhile", {"current": [b"\x01", 9, None]})
    assert line.ask(1, "GIVE", []) == [[1, 2, ["CONDITION", "changed meanwhile", {"current": [b"\x01", 9, None]}]]]
    line.engine.next_reply = NotFound("no key \udcff\u1234")
    [[_, _, [_, message, _]]] = line.ask(2, "GIVE", [])
    assert message == "no key \\udcff\u1234"
    line.engine.next_reply = None
    assert line.ask(3, "GIVE", []) == [[3, 0, None]]


def test_an_unknown_command_is_named_shortly_and_the_connection_goes_on() -> None:
    line = Line()
    [[request_id, status, [code, message, _]]] = line.ask(1, b"\xffGIV\n" + b"x" * 5000, [])
    assert (request_id, status, code) == (1, 2, "UNKNOWN_COMMAND")
    assert "\\xffGIV?x" in message and len(message) < 100 and message.isprintable()
    assert line.ask(2, "GIVE", []) == [[2, 0, b"reply"]]


def test_a_bug_is_answered_and_logged_without_what_it_was_about(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.engine.next_reply = KeyError("a secret value")
    with caplog.at_level(logging.ERROR, "kv"):
        answers = [line.ask(number, "GIVE", ["a secret key"]) for number in range(1, 9)]
    for number, [[request_id, status, [code, message, details]]] in enumerate(answers, 1):
        assert (request_id, status, code, details) == (number, 2, "INTERNAL", {})
        assert "incident 1" in message and "secret" not in message
    assert [record.getMessage().partition(" trace=")[0] for record in caplog.records] == [
        f"a command failed command=GIVE incident=1 times={times}" for times in (1, 2, 4, 8)
    ]
    assert "secret" not in caplog.text and "KeyError at line.py" in caplog.text
    assert line.door.trouble() == (0, 8)
    line.engine.next_reply = None
    assert line.ask(9, "GIVE", []) == [[9, 0, None]]


def test_a_reply_that_cannot_be_packed_is_a_bug_of_ours() -> None:
    line = Line()
    line.engine.next_reply = object()
    [[request_id, status, [code, _, _]]] = line.ask(1, "GIVE", [])
    assert (request_id, status, code) == (1, 2, "INTERNAL")
    line.engine.next_reply = [1, 2]
    assert line.ask(2, "GIVE", []) == [[2, 0, [1, 2]]]


def test_meta_that_breaks_the_protocol_ends_the_connection() -> None:
    line = Line()
    line.engine.next_reply = ProtocolError("meta: seq is below seen")
    answers = line.send(pack([1, "GIVE", []]) + pack([2, "GIVE", []]))
    assert answers == [[0, 2, ["PROTOCOL", "meta: seq is below seen", {}]]]
    assert line.connection.closing
    assert len(line.engine.calls) == 1


@pytest.mark.parametrize(
    "request_",
    [
        [0, "GIVE", []],
        [2**32, "GIVE", []],
        [-1, "GIVE", []],
        [True, "GIVE", []],
        [1.0, "GIVE", []],
        ["1", "GIVE", []],
        [1, 5, []],
        [1, None, []],
        [1, ["GIVE"], []],
        [1, "GIVE", None],
        [1, "GIVE", {}],
        [1, "GIVE", b"x"],
        [1, "GIVE", [], []],
        [1, "GIVE", [], None, []],
        [1, "GIVE", [], 5],
        [1, "GIVE"],
        [1],
        [],
        [1, "GIVE", [], None, None, None],
    ],
)
def test_a_message_that_is_no_request_ends_the_connection(request_: list[Any]) -> None:
    line = Line()
    [[request_id, status, [code, _, _]]] = line.send(pack(request_) + pack([1, "GIVE", []]))
    assert (request_id, status, code) == (0, 2, "PROTOCOL")
    assert line.connection.closing
    assert line.engine.calls == []
    assert line.door.trouble() == (1, 0)


@pytest.mark.parametrize(
    "body", [b"\xc1", b"\xc0", b"\x01", b"\xa1x", b"\x93\x01", b"\x93\x01\xa4GIVE\x90\x00", b"\x83" * 900]
)
def test_a_frame_that_is_no_array_ends_the_connection(body: bytes) -> None:
    line = Line()
    [[request_id, status, [code, _, _]]] = line.send(framed(body))
    assert (request_id, status, code) == (0, 2, "PROTOCOL")
    assert line.connection.closing


def test_an_empty_frame_ends_the_connection_after_the_calls_before_it() -> None:
    line = Line()
    answers = line.send(pack([1, "GIVE", []]) + struct.pack(">I", 0) + pack([2, "GIVE", []]))
    assert [answer[:2] for answer in answers] == [[1, 0], [0, 2]]
    assert line.connection.closing


def test_a_frame_beyond_the_limit_ends_the_connection_before_it_arrives() -> None:
    line = Line()
    assert line.send(struct.pack(">I", LIMITS.frame)) == []
    line = Line()
    [[request_id, status, [code, _, details]]] = line.send(struct.pack(">I", LIMITS.frame + 1))
    assert (request_id, status, code, details) == (0, 2, "TOO_LARGE", {"limit": LIMITS.frame})
    assert line.connection.closing


def test_nothing_is_heard_after_the_end() -> None:
    line = Line()
    line.ask(1)
    assert line.send(pack([1, "GIVE", []])) == []
    line.connection.event(1, Change("set", 1, "k", b"\x01"))
    line.connection.push("GOAWAY", "x", "y")
    line.connection.fail(1, NotFound("x"))
    line.connection.deliver(1, line.engine.catalog.commands[b"GIVE"], b"x")
    assert line.take() == []


# ---- calls that wait
def test_a_long_answer_is_packed_in_slices_and_what_comes_behind_waits_for_it() -> None:
    line = Line()
    line.door.timer = count(step=SLICE_S / 4).__next__  # type: ignore[assignment]
    line.engine.next_reply = list(range(3_000))
    assert line.send(pack([2, "GIVE", []])) == []
    line.engine.next_reply = b"behind"
    assert line.send(pack([3, "GIVE", []])) == []
    slices = 0
    said: list[Any] = []
    while line.connection.stalled:
        assert said == []
        line.connection.resume()
        said += line.take()
        slices += 1
    assert slices > 3
    assert said == [[2, 0, list(range(3_000))], [3, 0, b"behind"]]


def test_a_long_answer_that_must_not_be_given_becomes_an_error() -> None:
    line = Line()
    line.engine.next_reply = list(range(3_000))
    line.send(pack([2, "GIVE", []]))
    assert line.connection.retract(b"", lambda: NotFound("the disk failed"))
    assert [answer[:2] for answer in line.take()] == [[2, 2]]
    line.connection.resume()
    assert line.take() == []


def test_the_id_of_a_waiting_call_is_taken_until_it_ends() -> None:
    line = Line()
    line.engine.next_reply = PARKED
    assert line.ask(7, "GIVE", []) == []
    line.engine.next_reply = b"now"
    assert line.ask(8, "GIVE", []) == [[8, 0, b"now"]]
    line.connection.deliver(7, line.engine.catalog.commands[b"GIVE"], b"late")
    assert line.take() == [[7, 0, b"late"]]
    assert line.woken
    assert line.ask(7, "GIVE", []) == [[7, 0, b"now"]]


@pytest.mark.parametrize("name", ["GIVE", "CANCEL", "NOBODY"])
def test_a_second_call_under_the_id_of_a_waiting_one_ends_the_connection(name: str) -> None:
    line = Line()
    line.engine.next_reply = PARKED
    line.ask(7, "GIVE", [])
    [[request_id, status, [code, message, _]]] = line.ask(7, name, [7])
    assert (request_id, status, code) == (0, 2, "PROTOCOL")
    assert "7" in message
    assert line.connection.closing


def test_cancel_is_answered_after_the_call_that_it_ends() -> None:
    line = Line()
    line.engine.next_reply = PARKED
    line.ask(7, "GIVE", [])
    assert line.ask(8, "CANCEL", [7]) == [[7, 2, ["CANCELLED", "cancelled", {}]], [8, 0, True]]
    assert line.ask(9, "CANCEL", [7]) == [[9, 0, False]]
    line.engine.next_reply = None
    assert line.ask(7, "GIVE", []) == [[7, 0, None]]


def test_credit_is_passed_on() -> None:
    line = Line()
    assert line.ask(8, "CREDIT", [7, 100]) == [[8, 0, None]]
    assert line.engine.credits == [(7, 100)]


@pytest.mark.parametrize(
    "request_",
    [
        [8, "CREDIT", [7]], [8, "CREDIT", [7, 0]], [8, "CREDIT", [7, -1]], [8, "CREDIT", [7, "9"]],
        [8, "CREDIT", [7, 1, 1]], [8, "CANCEL", []], [8, "CANCEL", [0]], [8, "CANCEL", [None]], [8, "CANCEL", [True]],
        [8, "CANCEL", [7], {"x": 1}],
    ],
)  # fmt: skip
def test_calls_about_other_calls_check_their_arguments(request_: list[Any]) -> None:
    line = Line()
    [[request_id, status, [code, message, _]]] = line.ask(*request_)
    assert (request_id, status, code) == (8, 2, "INVALID")
    assert request_[1] in message
    assert not line.connection.closing


def test_events_keep_values_apart_from_names() -> None:
    line = Line()
    line.connection.event(7, Change("open", 1, None, None))
    line.connection.event(7, Change("set", 2, "k\u00e9", b"\x01"))
    line.connection.event(7, Change("delete", 3, b"\xff".decode("utf-8", "surrogateescape"), None))
    line.connection.event(7, Change("gap", 9, None, 4))  # type: ignore[arg-type]
    assert line.take() == [
        [7, 1, ["open", 1, None, None]], [7, 1, ["set", 2, "k\u00e9", b"\x01"]], [7, 1, ["delete", 3, b"\xff", None]],
        [7, 1, ["gap", 9, None, 4]],
    ]  # fmt: skip
    assert line.woken == 5


def test_pushes_speak_of_the_connection() -> None:
    line = Line()
    line.connection.push("LOCK_LOST", "0", b"\xff".decode("utf-8", "surrogateescape"), 8, "expired")
    assert line.take() == [[0, 1, ["LOCK_LOST", "0", b"\xff", 8, "expired"]]]


def test_a_parked_reply_that_cannot_be_packed_fails_only_its_call() -> None:
    line = Line()
    line.engine.next_reply = PARKED
    line.ask(7, "GIVE", [])
    line.connection.deliver(7, line.engine.catalog.commands[b"GIVE"], object())
    [[request_id, status, [code, _, _]]] = line.take()
    assert (request_id, status, code) == (7, 2, "INTERNAL")
    assert not line.connection.closing


# ---- endings
def test_a_resumed_session_closes_its_older_connection_with_a_word() -> None:
    line = Line()
    line.connection.close(ShuttingDown("the session goes on on another connection"))
    assert line.take() == [[0, 1, ["GOAWAY", "SHUTTING_DOWN", "the session goes on on another connection"]]]
    assert line.connection.closing


def test_going_away_leaves_open_calls_their_answers() -> None:
    line = Line()
    line.connection.go_away(ShuttingDown("the server is shutting down"))
    assert line.take() == [[0, 1, ["GOAWAY", "SHUTTING_DOWN", "the server is shutting down"]]]
    assert line.ask(2, "GIVE", []) == [[2, 0, b"reply"]]


def test_going_away_says_nothing_to_whom_was_not_greeted() -> None:
    line = Line(hello=False)
    line.connection.go_away(ShuttingDown("the server is shutting down"))
    assert line.take() == []


def test_leaving_withdraws_from_the_engine_and_keeps_what_was_said() -> None:
    line = Line()
    line.connection.receive_data(pack([1, "GIVE", []]))
    line.connection.leave()
    assert line.engine.detached == [line.connection]
    assert line.take() == [[1, 0, b"reply"]]
    assert line.send(pack([2, "GIVE", []])) == []


def test_leaving_before_the_greeting_concerns_nobody() -> None:
    line = Line(hello=False)
    line.connection.leave()
    assert line.engine.detached == []

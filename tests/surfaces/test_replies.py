"""Replies: every body arrives as it was, in one frame whose length is right."""

from __future__ import annotations

import struct
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol.errors import LockHeld
from kv_server.surfaces.replies import Encoder, LongReply
from tests.surfaces.line import PretendEngine

ENGINE = PretendEngine()
GIVE = ENGINE.catalog.commands[b"GIVE"]
SHOWN = ENGINE.catalog.commands[b"SHOWN"]

bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def encoder() -> Encoder:
    return Encoder(ENGINE, 1 << 20)  # type: ignore[arg-type]


def opened(frame: bytes) -> Any:
    assert struct.unpack_from(">I", frame)[0] == len(frame) - 4
    return msgpack.unpackb(frame[4:], strict_map_key=False)


@given(st.integers(1, 2**32 - 1), bodies)
def test_a_reply_arrives_as_it_was(request_id: int, body: Any) -> None:
    assert opened(encoder().ok(request_id, GIVE, body)) == [request_id, 0, body]
    assert opened(encoder().plain(request_id, body)) == [request_id, 0, body]


@pytest.mark.parametrize("size", [1_025, 5_000, 70_000])
@pytest.mark.parametrize("command", [GIVE, SHOWN], ids=["plain", "presented"])
def test_a_long_reply_is_packed_part_by_part_and_arrives_as_it_was(size: int, command: Any) -> None:
    shown = SimpleNamespace(**{**vars(command), "present": command.present and (lambda part: part)})
    for body in (list(range(size)), {f"k{number}": number for number in range(size)}):
        with pytest.raises(LongReply) as long:
            encoder().ok(7, shown, body)  # type: ignore[arg-type]
        frame, turns = None, 0
        while frame is None:
            frame = long.value.go_on(count().__next__, 0)
            turns += 1
        assert turns > size / 256
        assert opened(frame) == [7, 0, body]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, (1 << 20) - 12])
def test_blobs_of_every_size_arrive_as_they_were(size: int) -> None:
    blob = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert opened(encoder().ok(7, GIVE, blob)) == [7, 0, blob]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 2**32, 2**53, 2**63, 2**64 - 1, -1, -128, -(2**63)])
def test_numbers_of_every_size_arrive_as_they_were(number: int) -> None:
    [_, _, body] = opened(encoder().ok(7, GIVE, number))
    assert body == number and type(body) is int


def test_true_is_not_one() -> None:
    assert [opened(encoder().ok(7, GIVE, body))[2] for body in (True, 1, False, 0)] == [True, 1, False, 0]
    assert opened(encoder().ok(7, GIVE, True))[2] is True
    assert opened(encoder().ok(7, GIVE, 1))[2] is not True


def test_records_are_arrays_of_their_fields() -> None:
    class Grant(NamedTuple):
        token: int
        lease: int

    assert opened(encoder().ok(7, GIVE, [Grant(5, 6)])) == [7, 0, [[5, 6]]]


def test_a_command_that_prepares_its_replies_is_asked_except_about_nothing() -> None:
    assert opened(encoder().ok(7, SHOWN, b"name")) == [7, 0, "<b'name'>"]
    assert opened(encoder().ok(7, SHOWN, None)) == [7, 0, None]


def test_reply_ids_have_one_form() -> None:
    assert encoder().ok(1, GIVE, None) == bytes.fromhex("0000000893ce0000000100c0")


def test_a_packer_is_as_good_as_new_after_a_failure_and_after_a_large_reply() -> None:
    packing = encoder()
    with pytest.raises(TypeError):
        packing.ok(1, GIVE, [b"x" * 100, object()])
    assert opened(packing.ok(2, GIVE, [1])) == [2, 0, [1]]
    first = packing._pack
    packing.plain(3, [b"x" * (2 << 20)])
    assert packing._pack is not first
    assert opened(packing.ok(4, GIVE, [1])) == [4, 0, [1]]


def test_an_error_carries_its_facts() -> None:
    error = LockHeld(
        "held by worker", {"owner": b"w\xff".decode("utf-8", "surrogateescape"), "remaining": 5, "waiters": 0}
    )
    assert opened(encoder().failed(9, error)) == [
        9, 2, ["LOCK_HELD", "held by worker", {"owner": b"w\xff", "remaining": 5, "waiters": 0}]
    ]  # fmt: skip

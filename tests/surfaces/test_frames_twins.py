"""The native leaves of both doors against what they stand for: the same requests, the same answers, byte for byte."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import ProtocolError
from kv_server.spec.resp_kinds import OK, Members, Simple
from kv_server.surfaces import native_frames, resp_frames
from kv_server.surfaces.requests import read_request
from kv_server.surfaces.resp_replies import RESP2, RESP3
from tests.surfaces.twins import plain_twin

plain_native: Any = plain_twin(native_frames)
plain_resp: Any = plain_twin(resp_frames)

numbers = st.integers(-(2**66), 2**66) | st.integers(-130, 130) | st.sampled_from(
    [sign * (10**power + more) for power in range(20) for more in (-1, 0) for sign in (1, -1)]
    + [sign * (2**power + more) for power in range(70) for more in (-1, 0, 1) for sign in (1, -1)]
)  # fmt: skip
scalars = (
    st.none() | st.booleans() | numbers | st.floats() | st.text(max_size=5) | st.sampled_from([OK, Simple(b"PONG")])
    | st.binary(max_size=300) | st.sampled_from([b"x" * size for size in (9, 10, 99, 100, 255, 256, 999, 1000, 70_000)])
)  # fmt: skip
replies = (
    scalars
    | st.lists(scalars, max_size=12)
    | st.lists(st.binary(max_size=12) | st.integers(-99, 99) | st.none(), max_size=30)
    | st.dictionaries(st.binary(max_size=5) | numbers, scalars, max_size=9)
    | st.lists(st.lists(scalars, max_size=3) | st.tuples(scalars), max_size=4)
    | st.lists(st.binary(max_size=12), max_size=30).map(Members)
)


@settings(max_examples=1_000)
@given(replies)
def test_what_is_written_in_one_stroke_is_what_would_be_written_piece_by_piece(reply: Any) -> None:
    for protocol, encode in ((2, RESP2), (3, RESP3)):
        for twin in (resp_frames, plain_resp):
            assert twin.frame(reply, protocol) in (None, encode(reply))
        assert resp_frames.frame(reply, protocol) is not None or plain_resp.frame(reply, protocol) is None


@pytest.mark.parametrize("size", [1023, 1024, 1025])
def test_long_replies_are_left_to_who_writes_them_in_parts(size: int) -> None:
    items: list[Any] = [b"%d" % number for number in range(size)]
    assert (resp_frames.frame(items, 2) is None) is (size > 1024)
    assert (resp_frames.frame(dict.fromkeys(items[: size // 2], 1), 2) is None) is False
    assert resp_frames.frame(dict.fromkeys(items, 1), 3) is None
    assert resp_frames.bulks(items) == plain_resp.bulks(items)


@given(st.lists(st.binary(max_size=1_100), max_size=30) | st.lists(scalars, max_size=12))
def test_bulk_strings_in_a_row_are_written_alike(items: list[Any]) -> None:
    made, other = resp_frames.bulks(items), plain_resp.bulks(items)
    assert made is None or other is None or made == other
    if all(type(item) is bytes for item in items):
        assert made == b"".join(b"$%d\r\n%b\r\n" % (len(item), item) for item in items)
    else:
        assert made is other is None


@settings(max_examples=1_000)
@given(st.integers(1, 2**32 - 1), scalars, st.sampled_from([262, 300, 1 << 20]))
def test_answers_are_framed_alike(request_id: int, reply: Any, max_frame: int) -> None:
    made, other = (twin.answer(request_id, reply, max_frame) for twin in (native_frames, plain_native))
    assert made == other


# ---- requests
octets = st.binary(max_size=20) | st.sampled_from([b"GET", b"SET", b"x" * 300, b"y" * 70_000])
keys = st.binary(max_size=4) | st.integers(-200, 300) | st.booleans() | st.floats(allow_nan=False) | st.none()
parts = st.recursive(
    octets | st.text(max_size=40) | st.integers(-(2**63), 2**64 - 1) | st.integers(-200, 300) | st.booleans()
    | st.none() | st.floats() | st.just(msgpack.ExtType(5, b"x")) | st.just(msgpack.Timestamp(5)),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
maps = st.none() | st.dictionaries(keys | st.text(max_size=4), parts, max_size=3)
ids = st.integers(1, 300) | st.integers(-1, 2**33) | st.sampled_from([0, 2**32 - 1, 2**32])
requests = (
    st.tuples(ids, octets | st.text(max_size=20), st.lists(parts, max_size=20), maps, maps)
    | st.tuples(ids, octets | st.text(max_size=20), st.lists(parts, max_size=20), maps)
    | st.tuples(ids, octets | st.text(max_size=20), st.lists(parts, max_size=20))
    | st.lists(parts, max_size=6)
    | parts
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Requests, and what is left of them when something goes wrong on the way."""
    body = bytearray(msgpack.packb(draw(requests), use_bin_type=draw(st.booleans())))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        if body:
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(
        body[: draw(st.sampled_from([None, None, None, *range(6), -1]))] + draw(st.sampled_from([b"", b"", b"\0"]))
    )


def told(read: Any, body: bytes, still_open: set[int]) -> str:
    try:
        return ascii(read(body, still_open, 4_096))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@settings(max_examples=1_000)
@given(bodies(), st.sampled_from([set(), {1}, set(range(300))]))
def test_requests_are_read_alike(body: bytes, still_open: set[int]) -> None:
    assert told(native_frames.read, body, still_open) == told(read_request, body, still_open)


@given(st.binary(max_size=60))
def test_noise_is_read_alike(noise: bytes) -> None:
    for head in (b"", b"\x93\x01", b"\x95\x01\xa3GET", b"\x93\x01\xa3GET\x91", b"\x95\x01\xa3GET\x90\x81"):
        assert told(native_frames.read, head + noise, set()) == told(read_request, head + noise, set())


def test_the_deepest_request_is_read_alike() -> None:
    for depth in (1, 7, 8, 9, 500, 1_500):
        for within in (b"\x91" * depth + b"\xc0", (b"\x81\x01" * depth) + b"\x01"):
            body = b"\x93\x01\xa1x\x91" + within
            assert told(native_frames.read, body, set()) == told(read_request, body, set())


def test_claims_that_are_not_kept_cost_nothing() -> None:
    for claim in (
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xdb\x7f\xff\xff\xff",
    ):
        for head in (b"\x93\x01\xa1x", b"\x93\x01\xa1x\x91", b"\x95\x01\xa1x\x90"):
            with pytest.raises(Exception, match=r"."):
                native_frames.read(head + claim, set(), 4_096)


def test_an_id_that_is_taken_is_told_first() -> None:
    body = msgpack.packb([7, b"GET", [b"k"]])
    assert native_frames.read(body, {8}, 4_096) == (7, b"GET", [b"k"], None, None)
    with pytest.raises(ProtocolError, match="still open"):
        native_frames.read(body, {7}, 4_096)


def test_what_was_read_and_written_is_let_go() -> None:
    whole = msgpack.packb([7, b"GET", [b"k" * 50, 1 << 40, [1.5, {b"a": [None]}]], {b"o": 1}, {2: 1 << 40}])
    odd = [whole[:-1], whole + b"\0", whole.replace(b"\x81\xa1a", b"\x81\x90a"), whole[:10]]
    reply = [b"x" * 50, 1 << 40, None, True]

    def work() -> None:
        for body in (whole, *odd):
            told(native_frames.read, body, set())
        for each in (*reply, reply, dict.fromkeys(reply[:3], 5), [*reply, "text"], {b"a": [1]}):
            resp_frames.frame(each, 3)
            resp_frames.bulks([b"x" * 50, each])
            native_frames.answer(7, each, 1 << 20)

    work()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1_000):
            work()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()

"""Frames: the same bodies come out however the bytes arrive, and nothing a peer sends breaks out as another error."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol.errors import ProtocolError, TooLarge
from kv_protocol.frames import HEAD, FrameReader, pack, unpack_reply, unpack_request
from kv_protocol.limits import MAX_FRAME, MAX_HELLO_FRAME, MIB

messages = st.lists(st.none() | st.integers(0, 2**64 - 1) | st.text() | st.binary() | st.lists(st.integers(0, 9)))


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@given(st.lists(st.binary(min_size=1)), st.data())
def test_bodies_come_out_the_same_however_the_bytes_arrive(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(framed, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    most = data.draw(st.integers(1, 5) | st.none())
    reader = FrameReader()
    read: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if most is None:
            read += reader.feed(stream[start:end])
            continue
        more = reader.feed(stream[start:end], most)
        while more:
            assert len(more) <= most
            read += more
            more = reader.feed(b"", most)
    assert read == bodies
    assert all(type(body) is bytes for body in read)
    assert reader.held == 0
    assert reader.failure is None


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=5), st.binary(min_size=1, max_size=9))
def test_what_is_held_is_counted(bodies: list[bytes], last: bytes) -> None:
    reader = FrameReader()
    assert reader.feed(b"".join(map(framed, [*bodies, last]))[:-1]) == bodies
    assert reader.held == HEAD + len(last) - 1


def test_a_large_frame_in_small_pieces_is_gathered_in_one_place() -> None:
    piece = bytes(64 * 1024)
    count = 32 * MIB // len(piece)
    reader = FrameReader()
    assert reader.feed(struct.pack(">I", 32 * MIB)) == []
    gathered = reader._held
    for number in range(1, count):
        assert reader.feed(piece) == []
        assert reader._held is gathered
        assert len(gathered) == HEAD + number * len(piece)
    (body,) = reader.feed(piece + framed(b"next")[:3])
    assert len(body) == 32 * MIB
    assert reader.held == 3
    assert reader.feed(framed(b"next")[3:]) == [b"next"]


@pytest.mark.parametrize("start", [0, 1, HEAD])
def test_a_length_beyond_the_limit_is_refused_before_anything_is_kept(start: int) -> None:
    reader = FrameReader(MAX_HELLO_FRAME)
    head = struct.pack(">I", MAX_HELLO_FRAME + 1)
    assert reader.feed(head[:start]) == []
    assert reader.feed(head[start:] + b"body") == []
    assert isinstance(reader.failure, TooLarge)
    assert reader.failure.details == {"limit": MAX_HELLO_FRAME}
    assert reader.held == 0


@pytest.mark.parametrize("start", [0, 2])
def test_a_frame_of_no_bytes_is_refused(start: int) -> None:
    reader = FrameReader()
    assert reader.feed(bytes(start)) == []
    assert reader.feed(bytes(HEAD - start) + framed(b"x")) == []
    assert type(reader.failure) is ProtocolError
    assert reader.feed(framed(b"x")) == []


def test_frames_before_a_bad_one_are_still_given() -> None:
    reader = FrameReader(4)
    assert reader.feed(framed(b"a") + framed(b"abcd") + framed(b"abcde") + framed(b"b")) == [b"a", b"abcd"]
    assert isinstance(reader.failure, TooLarge)


def test_the_frame_after_hello_has_the_limit_that_hello_brought() -> None:
    reader = FrameReader(MAX_HELLO_FRAME)
    large = bytes(MAX_HELLO_FRAME + 1)
    assert reader.feed(framed(b"hello") + framed(large), 1) == [b"hello"]
    reader.max_frame = MAX_FRAME
    assert reader.feed(b"") == [large]


@given(messages)
def test_a_packed_message_reads_the_same_on_both_sides(message: list[object]) -> None:
    (body,) = FrameReader().feed(pack(message))
    assert unpack_reply(body) == message
    octets = [part.encode() if isinstance(part, str) else part for part in message]
    assert unpack_request(body) == octets


def test_a_tuple_is_packed_as_an_array() -> None:
    assert unpack_reply(pack((1, 0, (None, True)))[HEAD:]) == [1, 0, [None, True]]


def test_a_message_that_no_head_can_count_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vast:
        def __len__(self) -> int:
            return 2**32

        def pack(self, message: object) -> Vast:
            return self

    monkeypatch.setattr("kv_protocol.packing.Packer", lambda **options: Vast())
    with pytest.raises(TooLarge):
        pack([])


def test_str_that_is_not_utf8_reaches_the_client_escaped() -> None:
    assert unpack_reply(b"\x92\xa1\xff\xc4\x01\xff") == ["\udcff", b"\xff"]


@given(st.binary())
def test_no_bytes_break_out_of_either_side(body: bytes) -> None:
    for unpack in (unpack_request, unpack_reply):
        with suppress(ProtocolError):
            assert type(unpack(body)) is list


BROKEN = {
    "nothing": b"",
    "no array": b"\x80",
    "no msgpack": b"\x91\xc1",
    "truncated": b"\x92\x01",
    "trailing bytes": b"\x91\x01\x01",
    "a claim": b"\xdd\xff\xff\xff\xff",
    "a key that is a list": b"\x91\x81\x90\x01",
    "deep": b"\x91" * 100_000,
    "nested claims": b"\xdd\0\1\0\0" * 100_000,
    "a broken timestamp": b"\x91\xd7\xff" + b"\xff" * 8,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_message_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="a frame that holds no"):
        unpack_request(body)
    if body != BROKEN["nested claims"]:
        with pytest.raises(ProtocolError, match="a frame that holds no"):
            unpack_reply(body)


def test_a_long_request_is_read_as_a_short_one() -> None:
    keys = [b"key %d" % number for number in range(10_000)]
    assert unpack_request(pack([1, "MGET", keys])[HEAD:]) == [1, b"MGET", keys]


def test_requests_hold_no_extensions() -> None:
    with pytest.raises(ProtocolError):
        unpack_request(b"\x91\xd6\xff\0\0\0\0")

"""Names: no byte string is lost on its way through text, and slots are counted as Redis Cluster counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import SLOTS
from kv_protocol.names import slot, text, wire


@given(st.binary())
def test_every_byte_string_survives_as_text(name: bytes) -> None:
    form = wire(text(name))
    assert (form if isinstance(form, bytes) else form.encode()) == name


@given(st.text())
def test_text_travels_as_it_is(name: str) -> None:
    assert wire(name) is name
    assert text(name) is name
    assert text(name.encode()) == name


def test_bytes_that_are_no_text_travel_as_bytes() -> None:
    assert wire("caf\udce9") == b"caf\xe9"
    assert text(b"caf\xe9") == "caf\udce9"


def test_a_surrogate_that_stands_for_no_byte_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="surrogate"):
        wire("\ud800")


@pytest.mark.parametrize("name", [b"key", 1, None, ["key"]])
def test_a_name_is_a_str(name: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"must be str, not {type(name).__name__}"):
        wire(name)


@pytest.mark.parametrize(
    "name, counted",
    [
        (b"foo{bar}baz", b"bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"{user1000}.following", b"user1000"),
    ],
)
def test_only_the_first_tag_is_counted(name: bytes, counted: bytes) -> None:
    assert slot(name) == slot(counted) != slot(b"")


@pytest.mark.parametrize("name", [b"foo{}{bar}", b"foo{bar", b"foo}bar{", b"{}", b"}{", b"{"])
def test_without_a_tag_the_whole_name_is_counted(name: bytes) -> None:
    assert slot(name) == crc16(name) % SLOTS


@given(st.binary().filter(lambda name: b"{" not in name))
def test_slots_are_the_crc_that_redis_documents(name: bytes) -> None:
    assert slot(name) == crc16(name) % SLOTS


def test_known_slots() -> None:
    assert crc16(b"123456789") == 0x31C3
    assert [slot(name) for name in (b"", b"foo", b"bar", b"somekey", b"foo{hash_tag}")] == [0, 12182, 5061, 11058, 2515]


def crc16(octets: bytes) -> int:
    """CRC16 XMODEM bit by bit: polynomial 0x1021, start 0."""
    crc = 0
    for octet in octets:
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc

"""Dumps: every kind of value survives the way there and back, and nothing else that looks like one is taken."""

from __future__ import annotations

from binascii import crc32
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import packb

from kv_protocol.values import encode
from kv_server.model.container import CONTAINERS, Container
from kv_server.model.dump import Damaged, Foreign, dumped, undumped
from kv_server.model.entry import HASH, LIST, SCALAR, SET, STREAM, ZSET, Loose
from kv_server.model.stream_id import make_id
from tests.engine.rig import Rig

LINES = [
    ("SET", "s", "text"),
    ("HSET", "h", ("f", 1), ("g", [None])),
    ("RPUSH", "l", 1, "two", None),
    ("SADD", "m", b"a", b"\xff"),
    ("ZADD", "z", (1.5, "a"), (-0.0, "b"), (float("inf"), "c")),
    ("XADD", "x", ("f", 1), ("f", 2)),
    ("XADD", "x", ("g", "v"), ("f", 1)),
    ("XGROUP CREATE", "x", "group", "0-0"),
    ("XREADGROUP", "group", "ann", (b"x", b">")),
]
KEYS = ["s", "h", "l", "m", "z", "x"]


def furnished() -> Rig:
    rig = Rig()
    client = rig.connect()
    for word, *args in LINES:
        client.call(word, *args)
    return rig


def entry_at(rig: Rig, key: str) -> Loose:
    entry = rig.engine.tx.find(key.encode())
    assert entry is not None
    return entry


@pytest.mark.parametrize("key", KEYS)
def test_what_was_dumped_is_the_same_again(key: str) -> None:
    entry = entry_at(furnished(), key)
    kind, value = undumped(dumped(entry))
    assert kind == entry.kind
    if kind == SCALAR:
        assert value == entry.value
    else:
        again = CONTAINERS[kind].load(value)
        assert again.dump() == entry.value.dump()
        assert again.bytes == entry.value.bytes


@pytest.mark.parametrize("key", KEYS)
def test_octets_that_were_changed_are_refused(key: str) -> None:
    whole = dumped(entry_at(furnished(), key))
    for at in range(len(whole)):
        with pytest.raises(Foreign):
            undumped(whole[:at] + bytes((whole[at] ^ 0x55,)) + whole[at + 1 :])
        with pytest.raises(Foreign):
            undumped(whole[:at])
    with pytest.raises(Foreign):
        undumped(whole + b"\0")


def forged(kind: int, body: bytes) -> bytes:
    """Octets with a right checksum."""
    octets = b"kv\x01" + bytes((kind,)) + body
    return octets + crc32(octets).to_bytes(4, "big")


def loaded(octets: bytes) -> Container:
    kind, value = undumped(octets)
    return CONTAINERS[kind].load(value)


A, B, V = make_id(1, 0), make_id(2, 0), encode("v")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (HASH, []),
        (HASH, [b"f"]),
        (HASH, [b"f", V, b"f", V]),
        (HASH, [b"f", b"\xc1"]),
        (HASH, [1, V]),
        (HASH, {b"f": V}),
        (LIST, []),
        (LIST, [b"\xa6short"]),
        (LIST, [[V]]),
        (LIST, V),
        (SET, []),
        (SET, [b"a", b"a"]),
        (SET, [[b"a"]]),
        (SET, {b"a": 1}),
        (ZSET, [[b"a"], []]),
        (ZSET, [[b"a"], [1]]),
        (ZSET, [[b"a"], [float("nan")]]),
        (ZSET, [[b"a"], {b"a": 1.0}]),
        (ZSET, [[], []]),
        (STREAM, [A, 1, A, [A], [1], [b"f"], []]),
        (STREAM, [A, 1, A, [A], [0], [], []]),
        (STREAM, [A, 1, A, [A], [True], [b"f", V], []]),
        (STREAM, [A, 1, A, [A], [-2], [b"f", V], []]),
        (STREAM, [A, 1, A, [A], [2, 2], [b"f", V, b"f", V], []]),
        (STREAM, [A, 1, A, [A], [2], [b"f", V, b"f", V], []]),
        (STREAM, [A, 1, A, [A], [2], [b"f"], []]),
        (STREAM, [A, 1, A, [A], [2], [1, V], []]),
        (STREAM, [A, 1, A, [A], [2], [b"f", b"\xc1"], []]),
        (STREAM, [A, 2, A, [A, A], [2, 2], [b"f", V, b"f", V], []]),
        (STREAM, [B, 2, A, [B, A], [2, 2], [b"f", V, b"f", V], []]),
        (STREAM, [A, 1, A, [B], [2], [b"f", V], []]),
        (STREAM, [B, 1, A, [bytes(16)], [2], [b"f", V], []]),
        (STREAM, [B, 1, A, [b"short"], [2], [b"f", V], []]),
        (STREAM, [A, 0, A, [A], [2], [b"f", V], []]),
        (STREAM, [A, 2**64 - 1, A, [], [], [], []]),
        (STREAM, [A, 1, b"short", [], [], [], []]),
        (STREAM, [A, 1, A, [], [], [], [[b"g", [A, 0, [], [[A, b"nobody", 1, 1]]]]]]),
        (STREAM, [A, 1, A, [], [], [], [[b"g", [A, 0, [[b"c", -5, 0]], []]]]]),
        (STREAM, [A, 1, A, [], [], [], [[b"g", [A, 0, [], []]], [b"g", [A, 0, [], []]]]]),
        (7, [V]),
        (0, [V]),
    ],
)
def test_values_that_none_of_us_would_write_are_refused(kind: int, value: Any) -> None:
    with pytest.raises(ValueError) as caught:
        loaded(forged(kind, packb(value)))
    assert not isinstance(caught.value, Foreign)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 500, b"\xdc\xff\xff" + b"\x01",
     b"\xc6\xff\xff\xff\xff",
     b"\x81\x91\x01\x01", b"\x92\xa1", b"\x91\xa1a\x00", b"\xd4\x01\x02"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [SCALAR, HASH, LIST, SET, ZSET, STREAM])
def test_claims_and_depths_do_no_harm(kind: int, body: bytes) -> None:
    with pytest.raises(Damaged):
        undumped(forged(kind, body))


@given(st.sampled_from([SCALAR, HASH, LIST, SET, ZSET, STREAM]), st.binary(max_size=60), st.data())
def test_whatever_the_octets_are_there_is_a_value_or_a_refusal(kind: int, noise: bytes, data: st.DataObject) -> None:
    with pytest.raises((Foreign, Damaged)):
        undumped(noise)
    try:
        found, _ = undumped(forged(kind, noise))
        made = None if found == SCALAR else loaded(forged(kind, noise))
    except ValueError as error:
        assert not isinstance(error, Foreign)
        return
    if made is not None:
        assert undumped(dumped(Loose(found, made, 1, 0)))[0] == found

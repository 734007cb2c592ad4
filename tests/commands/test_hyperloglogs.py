"""Sketches: what they count, that order and repetition do not matter, and that Redis's own octets are understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import CommandError, WrongType
from kv_server.model.hyperloglog import EMPTY, add, estimate, merged, registers_of
from tests.commands.calls import call, keys, tail
from tests.engine.profile import examples
from tests.engine.rig import Rig
from tests.engine.text_line import TextLine

elements = st.sampled_from([b"", b"a", b"b", b"\xff", b"long" * 9])

CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "PFADD": tail(elements, before=(keys,)) | call(keys),
    "PFCOUNT": tail(keys),
    "PFMERGE": tail(keys, before=(keys,)) | call(keys),
}

SPARSE = bytes.fromhex("48594c4c010000000000000000000080456680509984412e8443c3804e3080487c844e57")
"""What Redis 7.0 wrote after the elements of SEEN had been added."""
SEEN = [b"", b"a", b"abcdefg", b"abcdefgh", b"abcdefghi", "é".encode() * 10]


def registers(sketch: bytes) -> bytes:
    found = registers_of(sketch)
    assert found is not None
    return found


@pytest.mark.parametrize(("count", "counted"), [(10, 10), (100, 100), (1_000, 1_001), (5_000, 4_985), (20_000, 19_891)])
def test_it_counts_as_redis_counts(count: int, counted: int) -> None:
    sketch = add(EMPTY, [b"%d" % number for number in range(count)])
    assert estimate(registers(sketch)) == counted
    assert abs(counted - count) <= 0.03 * count


def test_the_registers_are_those_of_redis() -> None:
    assert registers(SPARSE) == registers(add(EMPTY, SEEN))
    assert add(SPARSE, SEEN) is SPARSE
    assert registers(add(SPARSE, [b"new"])) == registers(add(EMPTY, [*SEEN, b"new"]))


@settings(max_examples=examples(50))
@given(st.lists(st.binary(max_size=20)), st.lists(st.binary(max_size=20)))
def test_a_merge_has_seen_what_any_has_seen(one: list[bytes], other: list[bytes]) -> None:
    first, second = add(EMPTY, one), add(EMPTY, other)
    both = add(EMPTY, reversed(one + other + one))
    assert merged([registers(first), registers(second)]) == both
    assert add(both, one) is both
    assert registers(both) == bytes(map(max, registers(first), registers(second)))


def test_replies_tell_whether_anything_changed() -> None:
    client = Rig().connect()
    assert client.call("PFADD", "h", b"a", b"b") is True
    assert client.call("PFADD", "h", b"b") is False
    assert client.call("PFADD", "h") is False
    assert client.call("PFADD", "empty") is True
    assert client.call("PFCOUNT", "h", "absent", "empty") == 2
    client.call("PFADD", "g", b"b", b"c")
    client.call("PFMERGE", "h", "g", "absent")
    assert client.call("PFCOUNT", "h") == client.call("PFCOUNT", "h", "g") == 3
    assert client.call("PFCOUNT", "absent") == 0
    client.call("EXPIRE", "h", 1_000)
    client.call("PFADD", "h", b"d")
    assert client.call("TTL", "h") == 1_000


@pytest.mark.parametrize(
    "value", ["text", b"HYLL", b"HYLL" + bytes(12), EMPTY + b"\0", b"HYLL\x02" + EMPTY[5:], b"JYLL" + EMPTY[4:]]
)
def test_what_is_no_sketch_is_refused(value: str | bytes) -> None:
    client = Rig().connect()
    client.call("SET", "a", value)
    for word, *args in [("PFADD", "a", b"x"), ("PFCOUNT", "a"), ("PFCOUNT", "a", "b"), ("PFMERGE", "b", "a")]:
        with pytest.raises(WrongType, match="not a valid HyperLogLog"):
            client.call(word, *args)


@pytest.mark.parametrize("runs", [b"", b"\x7f", b"\x7f\xff\x7f\xff", b"\x40", b"\xff" * 9000, SPARSE[16:-1]])
def test_a_damaged_sparse_sketch_is_refused(runs: bytes) -> None:
    client = Rig().connect()
    client.call("SET", "a", b"HYLL\x01" + bytes(11) + runs)
    for word, *args in [("PFADD", "a", b"x"), ("PFCOUNT", "a"), ("PFMERGE", "b", "a")]:
        with pytest.raises(CommandError, match=r"INVALIDOBJ|Corrupted"):
            client.call(word, *args)


def test_text_clients_are_answered_as_by_redis() -> None:
    door = TextLine(Rig())
    assert door("PFADD h a b") == 1
    assert door("PFADD h a") == 0
    assert door("PFCOUNT h") == 2
    assert door("PFMERGE g h") == "OK"
    assert door("PFCOUNT g h nothing") == 2
    assert door("TYPE g") == "string"
    door("SET s x")
    assert door("PFADD s a") == "WRONGTYPE Key is not a valid HyperLogLog string value."

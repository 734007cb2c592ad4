"""Every command about bits against strings of zeros and ones, and what text clients write of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import OutOfRange, TooLarge
from tests.commands.answers import Fits
from tests.commands.calls import call, flag, octets, tail, texts
from tests.commands.plain import Fails, in_class_of, plain_text
from tests.commands.side_by_side import SideBySide, Step, steps
from tests.engine.profile import examples
from tests.engine.rig import Rig
from tests.engine.text_line import TextLine

keys = st.sampled_from([b"a", b"a", b"b", b"absent", b"list"])
offsets = st.sampled_from([0, 1, 7, 8, 9, 31, 100])
places = st.sampled_from([0, 1, 5, 30, 100, -1, -2, -9, -100, 2**62, -(2**62)])
ranges: dict[str, Any] = {"start": places, "end": places, "unit": st.sampled_from(["BYTE", "BIT"])}
encodings = st.sampled_from(
    ["u1", "u2", "u8", "u13", "u63", "i1", "i5", "i8", "i64", "u64", "i65", "x8", "u0", "8", "u08"]
)
numbers = st.sampled_from([0, 1, -1, 5, 127, 128, 255, 300, -129, 2**62, 2**63 - 1, -(2**63)])
operations = st.tuples(
    st.sampled_from(["GET", "SET", "INCRBY"]), encodings, offsets, numbers, st.sampled_from(["WRAP", "SAT", "FAIL"])
)

CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "SETBIT": call(keys, offsets, flag),
    "GETBIT": call(keys, offsets),
    "BITCOUNT": call(keys, **ranges),
    "BITPOS": call(keys, flag, **ranges),
    "BITOP": tail(keys, before=(st.sampled_from(["AND", "OR", "XOR", "NOT"]), keys)),
    "BITFIELD": tail(operations, before=(keys,)) | call(keys),
    "BITFIELD_RO": tail(st.tuples(encodings, offsets), before=(keys,)),
}
OTHERS = {
    "SET": call(st.sampled_from([b"a", b"b"]), octets | texts | st.just(12)),
    "RPUSH": call(st.just(b"list"), st.just(1)),
    "DEL": call(st.sampled_from([b"a", b"b"])),
}


class Model:
    """Values by key; the bits of one are the text of its octets in base 2."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}

    def octets(self, key: bytes) -> bytes:
        value = self.keys.get(key, b"")
        if type(value) is list:
            raise Fails("WRONG_TYPE")
        return plain_text(value)

    def bits(self, key: bytes) -> str:
        return "".join(f"{octet:08b}" for octet in self.octets(key))

    def put(self, key: bytes, bits: str) -> None:
        content = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        self.keys[key] = in_class_of(self.keys.get(key, b""), content)

    def set(self, key: bytes, value: Any) -> Any:
        self.keys[key] = value
        return Fits(lambda reply: True)

    def rpush(self, key: bytes, value: Any) -> Any:
        found = self.keys.setdefault(key, [])
        if type(found) is not list:
            raise Fails("WRONG_TYPE")
        found.append(value)
        return len(found)

    def delete(self, key: bytes) -> Any:
        there = key in self.keys
        self.keys.pop(key, None)
        return int(there)

    def setbit(self, key: bytes, offset: int, bit: bool) -> Any:
        before = self.bits(key)
        bits = before.ljust((offset // 8 + 1) * 8, "0")
        after = bits[:offset] + str(int(bit)) + bits[offset + 1 :]
        if after != before:  # what does not change stays of its type
            self.put(key, after)
        return bits[offset] == "1"

    def getbit(self, key: bytes, offset: int) -> Any:
        return self.bits(key)[offset : offset + 1] == "1"

    def chosen(self, key: bytes, start: int, end: int, unit: str) -> tuple[int, int]:
        """The first bit of a range, and the one behind its last."""
        width = 8 if unit == "BYTE" else 1
        size = len(self.bits(key)) // width
        low = max(0, start + size if start < 0 else start)
        high = max(0, end + size if end < 0 else end)
        return low * width, min(high + 1, size) * width

    def bitcount(self, key: bytes, start: int = 0, end: int = -1, unit: str = "BYTE") -> Any:
        bits = self.bits(key)
        if start < 0 and end < 0 and start > end:
            return 0
        low, high = self.chosen(key, start, end, unit)
        return bits[low:high].count("1")

    def bitpos(self, key: bytes, bit: bool, start: int = 0, end: int | None = None, unit: str = "BYTE") -> Any:
        bits = self.bits(key)
        if key not in self.keys:
            return None if bit else 0
        low, high = self.chosen(key, start, -1 if end is None else end, unit)
        if low >= high:
            return None
        found = bits.find(str(int(bit)), low, high)
        if found < 0:
            return None if bit or end is not None else len(bits)
        return found

    def bitop(self, operation: str, target: bytes, *sources: bytes) -> Any:
        if operation == "NOT" and len(sources) != 1:
            raise Fails("INVALID")
        strings = [self.bits(source) for source in sources]
        size = max(map(len, strings))
        rules = {"AND": all, "OR": any, "XOR": lambda ones: sum(ones) % 2 == 1, "NOT": lambda ones: not any(ones)}
        rule = rules[operation]
        columns = zip(*(string.ljust(size, "0") for string in strings), strict=True)
        result = "".join(str(int(rule([bit == "1" for bit in column]))) for column in columns)
        self.keys.pop(target, None)
        if result:
            self.put(target, result)
        return size // 8

    def bitfield(self, key: bytes, *operations: tuple[str, str, int, int, str]) -> Any:
        bits = self.bits(key)
        spans = [(*measured(encoding), offset) for _, encoding, offset, _, _ in operations]
        written = zip(operations, spans, strict=True)
        ends = [offset + width for (kind, *_), (_, width, offset) in written if kind != "GET"]
        writes = bool(ends)
        bits = bits.ljust(-(-max(ends, default=0) // 8) * 8, "0")
        replies: list[int | None] = []
        for (kind, _, _, value, overflow), (signed, width, offset) in zip(operations, spans, strict=True):
            old = read(bits, signed, width, offset)
            new = {"GET": old, "SET": value if signed else value % 2**64, "INCRBY": old + value}[kind]
            low = -(2 ** (width - 1)) if signed else 0
            high = low + 2**width - 1
            if not low <= new <= high:
                if overflow == "FAIL":
                    replies.append(None)
                    continue
                new = low + (new - low) % 2**width if overflow == "WRAP" else min(max(new, low), high)
            if kind != "GET":
                bits = bits[:offset] + f"{new % 2**width:0{width}b}" + bits[offset + width :]
            replies.append(new if kind == "INCRBY" else old)
        if writes:
            self.put(key, bits)
        return replies

    def bitfield_ro(self, key: bytes, *reads: tuple[str, int]) -> Any:
        bits = self.bits(key)
        return [read(bits, *measured(encoding), offset) for encoding, offset in reads]


def measured(encoding: str) -> tuple[bool, int]:
    if encoding in ("u64", "i65", "x8", "u0", "8", "u08"):
        raise Fails("INVALID")
    return encoding[0] == "i", int(encoding[1:])


def read(bits: str, signed: bool, width: int, offset: int) -> int:
    part = bits[offset : offset + width].ljust(width, "0")
    return int(part, 2) - (2**width if signed and part[0] == "1" else 0)


@settings(max_examples=examples(150))
@given(calls=steps(CALLS | OTHERS))
def test_bits_are_what_their_text_says(calls: list[Step]) -> None:
    SideBySide(Model()).run(calls)


def test_places_beyond_what_a_value_may_hold_are_refused() -> None:
    client = Rig().connect()
    with pytest.raises(TooLarge):
        client.call("SETBIT", "a", 2**32 - 1, True)
    with pytest.raises(OutOfRange):
        client.call("SETBIT", "a", 2**32, True)
    with pytest.raises(OutOfRange):
        client.call("GETBIT", "a", 2**32)
    assert client.call("GETBIT", "a", 2**32 - 1) is False
    with pytest.raises(TooLarge):
        client.call("BITFIELD", "a", ("SET", "u8", 2**32 - 8, 1, "WRAP"))


def test_the_expiry_stays() -> None:
    client = Rig().connect()
    client.call("SET", "a", "x", ttl=1_000)
    client.call("SETBIT", "a", 30, True)
    client.call("BITFIELD", "a", ("SET", "u8", 0, 65, "WRAP"))
    assert client.call("TTL", "a") == 1_000
    client.call("BITOP", "NOT", "a", "a")
    assert client.call("TTL", "a") is None


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("SETBIT a 7 1", 0),
        ("SETBIT a 7 2", "ERR bit is not an integer or out of range"),
        ("SETBIT a -1 1", "ERR bit offset is not an integer or out of range"),
        ("GETBIT a x", "ERR bit offset is not an integer or out of range"),
        ("GETBIT a 1", 1),
        ("BITCOUNT a", 4),
        ("BITCOUNT a 0", "ERR syntax error"),
        ("BITCOUNT a 0 0 bit", 0),
        ("BITPOS a 2", "ERR The bit argument must be 1 or 0."),
        ("BITPOS absent 1", -1),
        ("BITPOS a 1", 1),
        ("BITOP NOT d a b", "ERR BITOP NOT must be called with a single source key."),
        ("BITOP FOO d a", "ERR syntax error"),
        ("BITFIELD a GET u8 #0 OVERFLOW SAT INCRBY u8 0 300", [ord("f"), 255]),
        ("BITFIELD a OVERFLOW NO", "ERR Invalid OVERFLOW type specified"),
        ("BITFIELD_RO a SET u8 0 1", "ERR BITFIELD_RO only supports the GET subcommand"),
        (
            "BITFIELD a GET u64 0",
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        ),
        ("BITFIELD a", []),
    ],
)  # fmt: skip
def test_text_clients_are_answered_as_by_redis(line: str, reply: Any) -> None:
    door = TextLine(Rig())
    door("SET a f")
    assert door(line) == reply

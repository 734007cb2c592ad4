"""What `check` lets in is what `encode` makes: against a second reader, written from protocol.md alone."""

from __future__ import annotations

import re
import struct
from datetime import UTC
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgpack import Packer

from kv_protocol.errors import InvalidArgument
from kv_protocol.extensions import extension_blob
from kv_protocol.limits import MAX_CONTAINERS, MAX_INT_BYTES, MAX_NESTING
from kv_protocol.values import check, check_all, decode, encode

scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text() | st.binary() | st.decimals()
    | st.datetimes(timezones=st.just(UTC))
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
DECIMAL = re.compile(
    r"-?(?:s?NaN(?:[1-9][0-9]*)?|Infinity|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:E[+-](?:0|[1-9][0-9]*))?)", re.ASCII
)

STR_HEADS = {bytes((head,)) for head in (*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB)}


class NotCanonicalError(Exception):
    pass


class Reader:
    """Reads one value as section 4 of protocol.md has it, with no regard to speed."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.position = 0

    def whole(self) -> None:
        self.value(0)
        self.demand(self.position == len(self.blob))

    def demand(self, holds: bool) -> None:
        if not holds:
            raise NotCanonicalError

    def take(self, count: int) -> bytes:
        part = self.blob[self.position : self.position + count]
        self.demand(len(part) == count)
        self.position += count
        return part

    def number(self, width: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(width), "big", signed=signed)

    def size(self, width: int, least: int) -> int:
        size = self.number(width)
        self.demand(size >= least)
        return size

    def value(self, depth: int) -> None:
        head = self.number(1)
        if head < 0x80 or head >= 0xE0 or head in (0xC0, 0xC2, 0xC3):
            return
        if 0x80 <= head < 0xA0:
            self.container(head & 0x0F, depth + 1, is_map=head < 0x90)
        elif head in (0xDC, 0xDD, 0xDE, 0xDF):
            size = self.size(2, 16) if head in (0xDC, 0xDE) else self.size(4, 0x1_0000)
            self.container(size, depth + 1, is_map=head >= 0xDE)
        elif 0xA0 <= head < 0xC0:
            self.text(head - 0xA0)
        elif head in (0xD9, 0xDA, 0xDB):
            self.text(self.size(*{0xD9: (1, 32), 0xDA: (2, 0x100), 0xDB: (4, 0x1_0000)}[head]))
        elif head in (0xC4, 0xC5, 0xC6):
            self.take(self.size(*{0xC4: (1, 0), 0xC5: (2, 0x100), 0xC6: (4, 0x1_0000)}[head]))
        elif head == 0xCB:
            octets = self.take(8)
            (number,) = struct.unpack(">d", octets)
            self.demand(number == number or octets == b"\x7f\xf8\0\0\0\0\0\0")
        elif 0xCC <= head <= 0xCF:
            self.size(1 << (head - 0xCC), (0x80, 0x100, 0x1_0000, 0x1_0000_0000)[head - 0xCC])
        elif 0xD0 <= head <= 0xD3:
            number = self.number(1 << (head - 0xD0), signed=True)
            self.demand(number < (-0x20, -0x80, -0x8000, -0x8000_0000)[head - 0xD0])
        else:
            self.extension(head)

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise NotCanonicalError from None

    def container(self, size: int, depth: int, *, is_map: bool) -> None:
        self.demand(depth <= MAX_NESTING)
        keys = set()
        for number in range(size):
            if is_map:
                start = self.position
                self.demand(self.blob[start : start + 1] in STR_HEADS)
                self.value(depth)
                keys.add(self.blob[start : self.position])
                self.demand(len(keys) == number + 1)
            self.value(depth)

    def extension(self, head: int) -> None:
        fixed = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
        self.demand(head in fixed or head in (0xC7, 0xC8, 0xC9))
        size = fixed.get(head) or self.size(*{0xC7: (1, 0), 0xC8: (2, 0x100), 0xC9: (4, 0x1_0000)}[head])
        self.demand(head in fixed or size not in fixed.values())
        code = self.number(1, signed=True)
        data = self.take(size)
        if code == 1:
            self.demand(is_decimal(data))
        elif code == 2:
            number = int.from_bytes(data, "big", signed=True)
            self.demand(not -(2**63) <= number < 2**64 and size <= MAX_INT_BYTES)
            shortest = (number if number >= 0 else ~number).bit_length() // 8 + 1
            self.demand(size == shortest)
        else:
            self.demand(code == -1)
            self.time(data)

    def time(self, data: bytes) -> None:
        if len(data) == 4:
            return
        if len(data) == 8:
            both = int.from_bytes(data, "big")
            nanoseconds, seconds = both >> 34, both & 0x3_FFFF_FFFF
            self.demand(nanoseconds > 0 or seconds >= 2**32)
        else:
            self.demand(len(data) == 12)
            nanoseconds, seconds = struct.unpack(">Iq", data)
            self.demand(not 0 <= seconds < 2**34)
        self.demand(nanoseconds % 1000 == 0 and nanoseconds < 10**9)
        self.demand(-62_135_596_800 <= seconds < 253_402_300_800)


def is_decimal(data: bytes) -> bool:
    """Whether *data* is a number as `str(Decimal)` spells it."""
    text = data.decode("latin-1")
    if not DECIMAL.fullmatch(text):
        return False
    spelled, _, raised = text.lstrip("-").partition("E")
    if not spelled[0].isdigit():
        return True
    whole, _, part = spelled.partition(".")
    digits = (whole + part).lstrip("0") or "0"
    exponent = int(raised or 0) - len(part)
    adjusted = exponent + len(digits) - 1
    if exponent <= 0 and adjusted >= -6:
        return not raised
    is_scientific = bool(raised) and int(raised) == adjusted and len(whole) == 1
    return is_scientific and (whole != "0" or (digits == "0" and not part))


def is_canonical(blob: bytes) -> bool:
    try:
        Reader(blob).whole()
    except NotCanonicalError:
        return False
    return True


def is_checked(blob: bytes) -> bool:
    try:
        check(blob)
    except InvalidArgument:
        return False
    return True


def comes_back(blob: bytes) -> bool:
    try:
        return encode(decode(blob)) == blob
    except InvalidArgument:
        return False


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A blob with some bytes changed, taken out or put in."""
    blob = bytearray(encode(draw(values)))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(blob)))
        cut = draw(st.integers(0, 2))
        heads = st.integers(0xC0, 0xDF).map(lambda head: bytes((head,)))
        blob[position : position + cut] = draw(st.binary(max_size=3) | heads)
    return bytes(blob)


@st.composite
def sloppy(draw: st.DrawFn) -> bytes:
    """Well-formed msgpack whose heads are any that fit."""
    return packed_loosely(draw(values), draw)


def packed_loosely(value: Any, draw: st.DrawFn) -> bytes:
    if type(value) in (str, bytes, list, dict):
        octets = value.encode() if type(value) is str else value
        heads: dict[type, tuple[int | None, int, int]] = {
            str: (0xD9, 0xDA, 0xDB),
            bytes: (0xC4, 0xC5, 0xC6),
            list: (None, 0xDC, 0xDD),
            dict: (None, 0xDE, 0xDF),
        }
        width = draw(st.integers(0 if len(octets) < 256 else 1, 2))
        head = heads[type(value)][width]
        if head is not None and (len(octets) < 256 or width):
            front = bytes((head,)) + len(octets).to_bytes(1 << width, "big")
            if type(value) is list:
                return front + b"".join(packed_loosely(item, draw) for item in value)
            if type(value) is dict:
                return front + b"".join(packed_loosely(part, draw) for pair in value.items() for part in pair)
            return front + bytes(octets)
    if type(value) is float and draw(st.booleans()):
        return bytes(Packer(use_single_float=True).pack(0.0 if abs(value) > 1e30 else value))
    if type(value) is int and 0 <= value < 2**64 and draw(st.booleans()):
        return b"\xcf" + value.to_bytes(8, "big")
    return encode(value)


blobs = values.map(encode) | mutated() | sloppy() | st.binary()


@settings(max_examples=1_000)
@given(blobs)
@example(b"")
@example(b"\xcb\xff\xf8\0\0\0\0\0\0")
@example(b"\x91\xcb\xff\xf8\0\0\0\0\0\0")
@example(b"\x91\xcb\x7f\xf8\0\0\0\0\0\0")
@example(b"\xc7\x0c\xff\x00\x00\x00\x00" + b"\x7f" * 8)
@example(b"\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x00")
@example(b"\xc7\x00\x01")
@example(b"\xd4\x00\x00")
@example(b"\xd4\x7f\x00")
@example(b"\xc7\x03\x01NaN")
@example(b"\xc7\x09\x02\x00" + b"\xff" * 8)
@example(b"\xc7\x09\x02" + b"\xff" * 9)
@example(b"\xc8\x04\x01\x02\x01" + b"\x00" * 1024)
@example(b"\xd6\x010_10")
@example(b"\xd6\x01 1.0")
@example(b"\xd6\x0101.0")
@example(b"\xd5\x01+1")
@example(b"\xd6\x011e10")
@example(b"\x81\x90\x01")
@example(b"\x81\xd6\xff\x00\x00\x00\x00\x01")
def test_check_accepts_exactly_the_canonical_form(blob: bytes) -> None:
    assert is_checked(blob) == is_canonical(blob) == comes_back(blob)


@settings(max_examples=500)
@given(st.from_regex(r"\A[-+]?[0-9]{0,9}\.?[0-9]{0,9}([eE][-+]?[0-9]{1,3})?\Z") | st.from_regex(r"\A-?s?NaN[0-9]*\Z"))
@example("Inf")
@example("-Infinity")
@example("0E-7")
@example("0.000000")
@example("1E-7")
@example("1.0E+1")
@example("1E+999999999999999999")
@example("1E+1000000000000000000")
@example("\u0661")
def test_a_decimal_has_one_spelling(text: str) -> None:
    blob = extension_blob(1, text.encode())
    assert is_checked(blob) == comes_back(blob)
    if len(text) < 20:
        assert is_checked(blob) == is_canonical(blob)


REFUSED = {
    "": "no bytes",
    "c1": "no msgpack at all",
    "c0c0": "bytes after the value",
    "0101": "bytes after the value",
    "a2": "a truncated value",
    "a16161": "bytes after the value",
    "d9": "a truncated value",
    "d920": "a truncated value",
    "d90161": "a str with a longer head than it needs",
    "da000161": "a str with a longer head than it needs",
    "db0000000161": "a str with a longer head than it needs",
    "a1ff": "a str that is not UTF-8",
    "a3eda080": "a str that is not UTF-8",
    "d920" + "ff" * 32: "a str that is not UTF-8",
    "c5000161": "bytes with a longer head than they need",
    "c6000000": "a truncated value",
    "cb": "a truncated value",
    "cb7ff80000000000000000": "bytes after the value",
    "cb7ff8000000000001": "a NaN in another form than the one",
    "ca3f800000": "a 32-bit float",
    "cc7f": "an int with a longer head than it needs",
    "cd00": "a truncated value",
    "d0e0": "an int with a longer head than it needs",
    "d07f": "an int with a longer head than it needs",
    "d1ff80ff": "bytes after the value",
    "d201": "a truncated value",
    "c70401312e3530ff": "bytes after the value",
    "d40178": "a Decimal that is no number",
    "d401ff": "a Decimal that is no number",
    "d50131" + "2e": "a Decimal in another form than the one",
    "d50200ff": "a big int that fits 64 bits",
    "c8040102" + "7f" * 1025: "an int beyond 1024 bytes",
    "c70a020001" + "00" * 8: "not in canonical form",
    "d40300": "an extension that stands for no value",
    "d7ffffffffff00000000": "a datetime in another form than the one",
    "d5ff0000": "not in canonical form",
    "c70cff00000000" + "7f" * 8: "a datetime outside of the years 1 to 9999",
    "d7ff0000000400000000": "not in canonical form",
    "9101c0": "bytes after the value",
    "9201": "a truncated value",
    "ddffffffff": "a truncated value",
    "dfffffffff": "a truncated value",
    "810101": "a key that is no str",
    "81c4016101": "a key that is no str",
    "819001": "a key that is no str",
    "82a16101a16102": "a key twice",
    "dc000101": "a longer head",
    "91" * 65 + "c0": "nested deeper than 64",
    "91" * 300 + "c0": "nested deeper than 64",
    "91" * 600 + "c0": "nested deeper than 64",
    "91" * 5_000 + "c0": "nested deeper than 64",
    "dd00001000" * 2_000: "nested deeper than 64",
    "dd00010000" * 500: "a truncated value",
}


@pytest.mark.parametrize("blob, reason", REFUSED.items(), ids=[blob[:16] or "nothing" for blob in REFUSED])
def test_what_is_refused_is_named(blob: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^value: .*{re.escape(reason)}"):
        check(bytes.fromhex(blob))


def test_a_million_empty_containers_are_a_value() -> None:
    count = 1_000_000
    for empty in (b"\x90", b"\x80"):
        blob = b"\xdd" + count.to_bytes(4, "big") + empty * count
        check(blob)
        with pytest.raises(InvalidArgument):
            check(blob[:-1])


@pytest.mark.parametrize("error", [MemoryError, RecursionError, RuntimeError])
def test_no_other_error_comes_out(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error("secret")

    monkeypatch.setattr("kv_protocol.form.unpackb", fail)
    for ask in (check, decode):
        with pytest.raises(InvalidArgument) as refusal:
            ask(b"\xd4\x011")
        assert "secret" not in str(refusal.value)


def test_a_value_that_changes_while_it_is_encoded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    value: list[Any] = [()]

    def explain(*args: object) -> str:
        return ""

    monkeypatch.setattr("kv_protocol.form._explain", explain)
    with pytest.raises(InvalidArgument, match="changed while it was encoded"):
        encode(value)


def test_a_value_of_more_lists_than_may_be_is_refused_before_it_is_built() -> None:
    many = b"\xdd" + (MAX_CONTAINERS + 1).to_bytes(4, "big") + b"\x90" * (MAX_CONTAINERS + 1)
    with pytest.raises(InvalidArgument, match="more than 1,048,576 lists and maps"):
        check(many)


def test_bytes_that_look_like_lists_are_not_counted_as_lists() -> None:
    check(encode([b"\x90" * (2 * MAX_CONTAINERS)]))


many = st.lists(st.text(max_size=40).map(encode) | st.text(min_size=120, max_size=300).map(encode), max_size=20)


@settings(max_examples=200)
@given(blobs=many, odd=st.none() | values.map(encode) | st.binary(max_size=40), at=st.integers(0, 20))
@example(blobs=[encode("x")], odd=b"\xd9\x1f" + b"x" * 31, at=0)
@example(blobs=[encode("x")], odd=b"\xa1\xff", at=1)
@example(blobs=[encode("x" * 200)], odd=b"\xd9\x30" + b"x" * 200, at=1)
@example(blobs=[encode("x")], odd=b"", at=0)
def test_many_are_let_in_as_each_of_them_is(blobs: list[bytes], odd: bytes | None, at: int) -> None:
    if odd is not None:
        blobs = [*blobs[:at], odd, *blobs[at:]]
    try:
        for blob in blobs:
            check(blob)
    except InvalidArgument:
        with pytest.raises(InvalidArgument):
            check_all(blobs)
    else:
        check_all(blobs)

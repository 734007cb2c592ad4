"""Bits of the octets that a value reads as: single ones, ranges of them, and whole values against each other."""

from __future__ import annotations

from typing import Any, Final, Literal

from kv_protocol.errors import InvalidArgument, OutOfRange
from kv_protocol.values import bytes_blob, octets
from kv_server.commands.strings import check_length, write_octets
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.bits import combined, count_ones, find_bit, flip_to
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_choice, text_int, text_name
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, WRITE, Grammar, View
from kv_server.spec.types import Bool, Int, Key, Octets, Size, SourceKey, TakenKey
from kv_server.spec.words import Words

MAX_BITS: Final = 1 << 32
"""Places beyond are refused; those that no value reaches read as zero."""
EMPTY: Final = bytes_blob(b"")

_UNITS: Final = {b"BYTE": "BYTE", b"BIT": "BIT"}


def parse_bitcount(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key = text_name(words.take(), "key")
    return (key,), range_in(words, needs_end=True)


def parse_bitpos(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key = text_name(words.take(), "key")
    bit = text_int(words.take())
    if bit not in (0, 1):
        raise InvalidArgument("The bit argument must be 1 or 0.")
    return (key, bit == 1), range_in(words, needs_end=False)


def range_in(words: Words, *, needs_end: bool) -> dict[str, Any]:
    """`[start [end [BYTE | BIT]]]` as options."""
    found: dict[str, Any] = {}
    if words.left:
        found["start"] = text_int(words.take())
        if words.left or needs_end:
            found["end"] = text_int(words.take())
        if words.left:
            found["unit"] = text_choice(words.take(), _UNITS)
    return found


def place_or_minus_one(place: int | None) -> int:
    return -1 if place is None else place


@command(WRITE | GROWS, group="bitmap", since="0.1", cost="O(length)", doors=NATIVE_DOOR, handle="set", event="setbit")
def setbit(tx: Tx, key: TakenKey, offset: Size, bit: Bool, /) -> bool:
    """Set the bit at *offset* of what is at *key* as it reads to *bit*, and return what it was.

    The value becomes as long as it must, filled with zeros. It stays text or bytes; a new one is bytes.

    >>> await client.setbit("seen", 7, True)
    False
    >>> await client.setbit("seen", 7, False)
    True
    """
    return set_bit(tx, key, offset, bit)


@command(
    WRITE | GROWS, group="bitmap", since="0.1", cost="O(length)", name="SETBIT", doors=RESP_DOOR, method=None,
    event="setbit",
)  # fmt: skip
def setbit_on_resp(tx: Tx, key: TakenKey, offset: Octets, value: Octets, /) -> bool:
    """Set the bit at *offset* of what is at *key* to *value*, 0 or 1, and return what it was."""
    place = spelled_offset(offset)
    if value not in (b"0", b"1"):
        raise OutOfRange("bit is not an integer or out of range")
    return set_bit(tx, key, place, value == b"1")


@command(READ | FAST, group="bitmap", since="0.1", cost="O(1)", doors=NATIVE_DOOR, handle="get")
def getbit(tx: Tx, key: SourceKey, offset: Size, /) -> bool:
    """Return the bit at *offset* of what is at *key* as it reads; beyond the end it is 0.

    >>> await client.setbit("seen", 7, True)
    False
    >>> await client.getbit("seen", 7), await client.getbit("seen", 1000)
    (True, False)
    """
    return get_bit(tx, key, offset)


@command(READ | FAST, group="bitmap", since="0.1", cost="O(1)", name="GETBIT", doors=RESP_DOOR, method=None)
def getbit_on_resp(tx: Tx, key: SourceKey, offset: Octets, /) -> bool:
    """Return the bit at *offset* of what is at *key*; beyond the end it is 0."""
    return get_bit(tx, key, spelled_offset(offset))


@command(
    READ | SLOW,
    group="bitmap",
    since="0.1",
    cost="O(length)",
    grammar=Grammar("key [start end [BYTE | BIT]]", parse_bitcount, least=1),
    handle="count",
)
def bitcount(tx: Tx, key: SourceKey, /, *, start: Int = 0, end: Int = -1, unit: Literal["BYTE", "BIT"] = "BYTE") -> int:
    """Return how many bits of what is at *key* as it reads are set, from *start* to *end*, both included.

    Places count octets, or bits if *unit* says so; negative ones count from the end.

    >>> version = await client.set("bits", b"\\xff\\x01")
    >>> await client.bitcount("bits"), await client.bitcount("bits", start=8, unit="BIT")
    (9, 1)
    """
    whole = octets(tx.value(key) or EMPTY)
    size = len(whole) * 8 if unit == "BIT" else len(whole)
    if start < 0 and end < 0 and start > end:
        return 0
    first, last = within(start, end, size)
    return 0 if first > last else count_ones(whole, *as_bits(first, last, unit))


@command(
    READ | SLOW,
    group="bitmap",
    since="0.1",
    cost="O(length)",
    grammar=Grammar("key bit [start [end [BYTE | BIT]]]", parse_bitpos, least=2),
    views=(View("place", place_or_minus_one),),
    handle="find",
)
def bitpos(
    tx: Tx,
    key: SourceKey,
    bit: Bool,
    /,
    *,
    start: Int = 0,
    end: Int | None = None,
    unit: Literal["BYTE", "BIT"] = "BYTE",
) -> int | None:
    """Return where the first bit that is *bit* stands in what is at *key* as it reads; nothing if there is none.

    Without *end* a clear bit is found behind the last octet at the latest, as if zeros followed. Places count octets,
    or bits if *unit* says so; negative ones count from the end.

    >>> version = await client.set("bits", b"\\x00\\x10")
    >>> await client.bitpos("bits", True)
    11
    """
    value = tx.value(key)
    if value is None:
        return None if bit else 0
    whole = octets(value)
    size = len(whole) * 8 if unit == "BIT" else len(whole)
    first, last = within(start, -1 if end is None else end, size)
    if first > last:
        return None
    place = find_bit(whole, bit, *as_bits(first, last, unit))
    return len(whole) * 8 if place is None and not bit and end is None else place


@command(WRITE | GROWS | SLOW, group="bitmap", since="0.1", cost="O(lengths)", handle="store")
def bitop(tx: Tx, operation: Literal["AND", "OR", "XOR", "NOT"], target: Key, /, *sources: SourceKey) -> int:
    """Store what *operation* makes of the octets at *sources* as bytes at *target*, and return how many those are.

    Shorter ones count as padded with zeros. Where all are empty, *target* is deleted.

    >>> version = await client.mset({"monday": b"\\x0f", "tuesday": b"\\x3c"})
    >>> await client.bitop("AND", "both", "monday", "tuesday")
    1
    >>> await client.get("both")
    b'\\x0c'
    """
    if operation == "NOT" and len(sources) != 1:
        raise InvalidArgument("BITOP NOT must be called with a single source key.")
    result = combined(operation, [octets(tx.value(source) or EMPTY) for source in sources])
    if result:
        tx.key_put(target, bytes_blob(result), 0)
    elif tx.exists(target):
        tx.key_drop(target, DELETED)
    return len(result)


def set_bit(tx: Tx, key: bytes, offset: int, bit: bool) -> bool:
    check_offset(offset)
    old = tx.value(key)
    check_length(tx, (offset >> 3) + 1)
    text = octets(old or EMPTY)
    whole = bytearray(text.ljust((offset >> 3) + 1, b"\0"))
    before = bool(whole[offset >> 3] & 0x80 >> (offset & 7))
    flip_to(whole, offset, bit)
    if whole != text:
        write_octets(tx, key, old or EMPTY, bytes(whole))
    return before


def get_bit(tx: Tx, key: bytes, offset: int) -> bool:
    check_offset(offset)
    whole = octets(tx.value(key) or EMPTY)
    return offset >> 3 < len(whole) and bool(whole[offset >> 3] & 0x80 >> (offset & 7))


def check_offset(offset: int) -> None:
    if offset >= MAX_BITS:
        raise out_of_range()


def spelled_offset(word: bytes) -> int:
    """The offset that *word* spells."""
    try:
        return text_int(word, 0, MAX_BITS - 1)
    except InvalidArgument:
        raise out_of_range() from None


def out_of_range() -> OutOfRange:
    return OutOfRange("bit offset is not an integer or out of range")


def within(start: int, end: int, size: int) -> tuple[int, int]:
    """The first and the last place from *start* to *end*, negative ones counted from the end of *size*."""
    first = max(start + size if start < 0 else start, 0)
    last = max(end + size if end < 0 else end, 0)
    return first, min(last, size - 1)


def as_bits(first: int, last: int, unit: str) -> tuple[int, int]:
    return (first, last) if unit == "BIT" else (first * 8, last * 8 + 7)

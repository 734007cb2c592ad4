"""Integers of any width within the octets that a value reads as."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NamedTuple, cast

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import octets
from kv_server.commands.bitmaps import EMPTY, MAX_BITS, out_of_range
from kv_server.commands.strings import check_length, write_octets
from kv_server.engine.tx import Tx
from kv_server.model.bits import Overflow, field_of, fitted, put_field
from kv_server.spec.catalog import command
from kv_server.spec.checks import syntax_error, text_int, text_name
from kv_server.spec.command import FAST, GROWS, READ, WRITE, Grammar
from kv_server.spec.types import OPTIONAL, Int, Size, SourceKey, TakenKey, Text
from kv_server.spec.words import Words

_TYPE: Final = re.compile(r"([ui])([1-9][0-9]?)")


class BitOperation(NamedTuple):
    """One step: what to do with the integer of *encoding* (`u1` to `u63`, `i1` to `i64`) that begins at bit *offset*.

    *value* is what to set or to add; *overflow* says what becomes of a result that does not fit.
    """

    operation: Literal["GET", "SET", "INCRBY"]
    encoding: Text
    offset: Size
    value: Int = 0
    overflow: Literal["WRAP", "SAT", "FAIL"] = "WRAP"


class BitRead(NamedTuple):
    """An integer to be read: its encoding (`u1` to `u63`, `i1` to `i64`) and the bit it begins at."""

    encoding: Text
    offset: Size


def parse_bitfield(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key = text_name(words.take(), "key")
    overflow: Overflow = "WRAP"
    found = []
    while words.left:
        word = words.token("GET", "SET", "INCRBY", "OVERFLOW")
        if word == "OVERFLOW" and words.left:
            chosen = words.token("WRAP", "SAT", "FAIL")
            if chosen is None:
                raise InvalidArgument("Invalid OVERFLOW type specified")
            overflow = cast(Overflow, chosen)
            continue
        if word is None or word == "OVERFLOW" or words.left < (2 if word == "GET" else 3):
            raise syntax_error()
        encoding = words.take().decode("ascii", "replace")
        _, width = measured(encoding)
        offset = spelled_place(words.take(), width)
        value = 0 if word == "GET" else text_int(words.take())
        found.append(BitOperation(cast(Any, word), encoding, offset, value, overflow))
    return (key, *found), {}


def parse_bitfield_ro(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    (key, *steps), options = parse_bitfield(words)
    if any(step.operation != "GET" for step in steps):
        raise InvalidArgument("BITFIELD_RO only supports the GET subcommand")
    return (key, *[BitRead(step.encoding, step.offset) for step in steps]), options


@command(
    WRITE | GROWS,
    group="bitmap",
    since="0.1",
    cost="O(length + operations)",
    grammar=Grammar(
        "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
        "<SET encoding offset value | INCRBY encoding offset increment> ...]",
        parse_bitfield,
        least=1,
    ),
    handle="change_integers",
    event="setbit",
)
def bitfield(tx: Tx, key: TakenKey, /, *operations: Annotated[BitOperation, OPTIONAL]) -> list[int | None]:
    """Read and change integers within what is at *key* as it reads, in the order of *operations*.

    Return for each GET the integer, for each SET the one before, for each INCRBY the sum; nothing where an overflow was
    to fail, which changes nothing there. A call that writes makes the value as long as it must.

    >>> add = BitOperation("INCRBY", "u8", 0, 200, "SAT")
    >>> await client.bitfield("gauge", add, add, BitOperation("GET", "u4", 4))
    [200, 255, 15]
    """
    old = tx.value(key)
    text = octets(old or EMPTY)
    whole = bytearray(text)
    reach = 0
    for operation, encoding, offset, *_ in operations:
        _, width = measured(encoding)
        check_place(offset)
        if operation != "GET":
            reach = max(reach, offset + width + 7 >> 3)
    check_length(tx, reach)
    if len(whole) < reach:
        whole.extend(bytes(reach - len(whole)))
    replies = [step(whole, operation) for operation in operations]
    if whole != text:
        write_octets(tx, key, old or EMPTY, bytes(whole))
    return replies


@command(
    READ | FAST,
    group="bitmap",
    since="0.1",
    cost="O(operations)",
    name="BITFIELD_RO",
    grammar=Grammar("key [GET encoding offset ...]", parse_bitfield_ro, least=1),
    handle="integers",
)
def bitfield_ro(tx: Tx, key: SourceKey, /, *reads: Annotated[BitRead, OPTIONAL]) -> list[int]:
    """Return integers within what is at *key* as it reads, one for each of *reads*.

    >>> version = await client.set("gauge", b"\\x01\\xff")
    >>> await client.bitfield_ro("gauge", ("u8", 0), ("i8", 8))
    [1, -1]
    """
    whole = octets(tx.value(key) or EMPTY)
    found = []
    for encoding, offset in reads:
        has_sign, width = measured(encoding)
        check_place(offset)
        found.append(field_of(whole, offset, width, has_sign))
    return found


def step(whole: bytearray, operation: BitOperation) -> int | None:
    """Do one *operation*; its reply."""
    kind, encoding, place, value, overflow = operation
    has_sign, width = measured(encoding)
    old = field_of(whole, place, width, has_sign)
    if kind == "GET":
        return old
    new = fitted(old + value if kind == "INCRBY" else as_set(value, has_sign), width, has_sign, overflow)
    if new is None:
        return None
    put_field(whole, place, width, new)
    return new if kind == "INCRBY" else old


def as_set(value: int, has_sign: bool) -> int:
    """A value to be set: for an unsigned field a negative one stands for its 64 bits."""
    return value if has_sign or value >= 0 else value + (1 << 64)


def measured(encoding: str) -> tuple[bool, int]:
    """Whether an *encoding* has a sign, and its width."""
    found = _TYPE.fullmatch(encoding)
    if found is not None:
        has_sign, width = found[1] == "i", int(found[2])
        if width <= (64 if has_sign else 63):
            return has_sign, width
    raise InvalidArgument(
        "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
    )


def spelled_place(word: bytes, width: int) -> int:
    """The bit that *word* names: a number, or after `#` one that counts integers of *width*."""
    try:
        number = text_int(word.removeprefix(b"#"), 0)
    except InvalidArgument:
        raise out_of_range() from None
    place = number * width if word[:1] == b"#" else number
    check_place(place)
    return place


def check_place(place: int) -> None:
    if place >= MAX_BITS:
        raise out_of_range()

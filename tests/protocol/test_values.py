"""Values: what is put in comes out, in value and in type, and one value has one blob."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, localcontext
from enum import IntEnum
from fractions import Fraction
from math import inf, nan
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgpack import packb

from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import MAX_INT_BYTES, MAX_NESTING
from kv_protocol.values import bytes_blob, check, class_of, decode, encode, float_blob, int_blob, str_blob

big_ints = st.integers(-(2 ** (8 * MAX_INT_BYTES - 1)), 2 ** (8 * MAX_INT_BYTES - 1) - 1)
edges = st.sampled_from([0, 32, 2**7, 2**8, 2**15, 2**16, 2**31, 2**32, 2**53, 2**63, 2**64]).flatmap(
    lambda edge: st.integers(edge - 2, edge + 2).flatmap(lambda number: st.sampled_from([number, -number]))
)
decimals = st.decimals() | st.builds(
    Decimal, st.tuples(st.sampled_from([0, 1]), st.lists(st.integers(0, 9)).map(tuple), st.integers(-(10**6), 10**6))
)
scalars = (
    st.none() | st.booleans() | st.integers() | edges | big_ints | st.floats() | st.text() | st.binary() | decimals
    | st.datetimes(timezones=st.just(UTC))
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(st.floats()), max_leaves=20
)


class Colour(IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int


class Text(str):
    pass


class Odd:
    pass


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down; zeros by sign, maps by order, Decimals by digits and exponent."""
    if type(one) is not type(other):
        return False
    if type(one) is list:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is dict:
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if type(one) is float:
        return (one != one and other != other) or struct.pack(">d", one) == struct.pack(">d", other)
    if type(one) is Decimal:
        return bool(one.as_tuple() == other.as_tuple())
    if type(one) is datetime:
        return bool(one == other) and one.tzinfo is other.tzinfo
    equal: bool = one == other
    return equal


@given(values)
@example(-0.0)
@example([nan, -nan, inf, -inf])
@example([Decimal("-0E+3"), Decimal("sNaN12"), Decimal("-Infinity"), Decimal("1E-7"), Decimal("1.10")])
@example([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)])
@example([datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC)])
@example({"": [], "a": {}})
@example([[], {}, [[]], [{}]])
def test_what_is_put_in_comes_out(value: Any) -> None:
    blob = encode(value)
    check(blob)
    assert same(decode(blob), value)
    assert encode(decode(blob)) == blob


def test_six_ones_are_six_values() -> None:
    ones: list[Any] = [1, 1.0, True, "1", b"1", Decimal("1.0"), Decimal(1)]
    assert len(set(map(encode, ones))) == len(ones)


@given(values, values)
def test_values_are_equal_as_their_blobs_are(one: Any, other: Any) -> None:
    assert (encode(one) == encode(other)) == same(one, other)


def test_the_order_of_a_map_is_part_of_it() -> None:
    assert encode({"a": 1, "b": 2}) != encode({"b": 2, "a": 1})


@pytest.mark.parametrize("bits", ["7ff8000000000000", "fff8000000000000", "7ff0000000000001", "ffffffffffffffff"])
def test_every_nan_has_the_one_form(bits: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    one = encode(nan)
    assert encode(number) == float_blob(number) == one == bytes.fromhex("cb7ff8000000000000")
    assert encode([1.0, number]) == encode([1.0, nan])
    assert encode([{"a": number, "b": [], "c": "d"}, None]) == encode([{"a": nan, "b": [], "c": "d"}, None])


@pytest.mark.parametrize(
    "time, form",
    [
        (datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC), "d6ffffffffff"),
        (datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC), "d7ff0000000100000000"),
        (datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), "d7ff00000fa000000000"),
        (datetime(2514, 5, 30, 1, 53, 3, tzinfo=UTC), "d7ff00000003ffffffff"),
        (datetime(2514, 5, 30, 1, 53, 4, tzinfo=UTC), "c70cff000000000000000400000000"),
        (datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC), "c70cff000003e8ffffffffffffffff"),
    ],
)
def test_a_time_has_the_shortest_of_three_forms(time: datetime, form: str) -> None:
    assert encode(time).hex() == form
    check(encode(time))


@given(st.integers(-(2**63), 2**64 - 1) | edges.filter(lambda number: -(2**63) <= number < 2**64))
def test_ints_up_to_64_bits_are_as_msgpack_writes_them(number: int) -> None:
    assert int_blob(number) == encode(number) == packb(number)


@given(st.binary() | st.binary().map(lambda part: part * 3_000))
def test_blobs_made_from_octets_are_those_of_the_value(octets: bytes) -> None:
    assert bytes_blob(octets) == encode(octets)
    text = octets.decode("latin-1")
    assert str_blob(text.encode()) == encode(text)


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
def test_heads_grow_where_they_must(size: int) -> None:
    for value in ("a" * size, b"a" * size, Decimal("1" * (size or 1)), [0] * size, [b"a" * size, "\xe9" * size]):
        blob = encode(value)
        check(blob)
        assert same(decode(blob), value)


def test_the_caller_s_decimal_context_changes_nothing() -> None:
    number = Decimal("1E+30")
    blob = encode(number)
    with localcontext(Context(prec=1, capitals=0, Emax=1, traps=[])):
        assert encode(number) == blob
        assert encode([number]) == encode([decode(blob)])
        check(blob)


CLASSES: list[tuple[Any, str]] = [
    (None, "null"), (False, "bool"), (-1, "int"), (300, "int"), (-300, "int"), (2**64, "int"), (1.5, "float"),
    ("", "str"), ("a" * 300, "str"), (b"", "bytes"), ([], "list"), ([0] * 20, "list"), ({}, "map"),
    (dict.fromkeys("abcdefghijklmnopqr"), "map"), (Decimal(1), "decimal"), (Decimal("1" * 300), "decimal"),
    (Decimal("1" * 70_000), "decimal"),
    (datetime(2000, 1, 1, tzinfo=UTC), "datetime"), (datetime(1900, 1, 1, tzinfo=UTC), "datetime"),
]  # fmt: skip


@pytest.mark.parametrize("value, named", CLASSES, ids=lambda part: str(part)[:20])
def test_classes(value: Any, named: str) -> None:
    assert class_of(encode(value)) == named


def nested(depth: int, *, by_map: bool = False) -> Any:
    value: Any = {} if by_map else []
    for _ in range(depth - 1):
        value = {"k": value} if by_map else [value]
    return value


@pytest.mark.parametrize("by_map", [False, True])
def test_nesting_ends_at_the_limit(by_map: bool) -> None:
    blob = encode(nested(MAX_NESTING, by_map=by_map))
    check(blob)
    assert encode(decode(blob)) == blob
    with pytest.raises(InvalidArgument, match=f"nested deeper than {MAX_NESTING}"):
        encode(nested(MAX_NESTING + 1, by_map=by_map))


def loop() -> list[Any]:
    value: list[Any] = []
    value += [value, value]
    return value


REFUSED: list[tuple[Any, str]] = [
    ((1, 2), "value: tuple is no type of a value"),
    ([1, {"b": 0, "a": ()}], "value[1]['a']: tuple is no type of a value"),
    ([[1, "a"], {"a": [None]}, ()], "value[2]: tuple is no type of a value"),
    ({1}, "value: set is no type of a value"),
    ([frozenset()], "value[0]: frozenset is no type of a value"),
    ([bytearray(b"a")], "value[0]: bytearray is no type of a value"),
    ([memoryview(b"a")], "value[0]: memoryview is no type of a value"),
    (1j, "value: complex is no type of a value"),
    ([Fraction(1)], "value[0]: Fraction is no type of a value"),
    ([datetime(2000, 1, 1, tzinfo=UTC).date()], "value[0]: date is no type of a value"),
    ([Odd()], "value[0]: Odd is no type of a value"),
    (int, "value: type is no type of a value"),
    (Colour.RED, "value: Colour, which would come back as int"),
    ([Colour.RED], "value[0]: Colour, which would come back as int"),
    ([1.5, Text("a")], "value[1]: Text, which would come back as str"),
    ([OrderedDict()], "value[0]: OrderedDict, which would come back as dict"),
    ([Point(1)], "value[0]: Point is no type of a value"),
    (datetime(2000, 1, 1), "value: a datetime without a time zone"),
    ([datetime(2000, 1, 1)], "value[0]: a datetime without a time zone"),
    (
        {"at": datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))},
        "value['at']: a datetime whose time zone is not datetime.timezone.utc",
    ),
    (
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        "value: a datetime whose time zone is not datetime.timezone.utc",
    ),
    ({1: 2}, "value[1]: a key of type int; keys are str"),
    ([{"a": {b"b": 2}}], "value[0]['a'][b'b']: a key of type bytes; keys are str"),
    ({None: []}, "value[None]: a key of type NoneType; keys are str"),
    ({Text("a"): 1}, "value['a']: a key of type Text; keys are str"),
    ({"\ud800": 1}, "value['\\ud800']: a key with a lone surrogate"),
    ({"k" * 99: ()}, f"value['{'k' * 39}...]: tuple is no type of a value"),
    ("a\ud800", "value: a str with a lone surrogate"),
    (["a", "\udcff"], "value[1]: a str with a lone surrogate"),
    (2 ** (8 * MAX_INT_BYTES - 1), "value: an int beyond 1024 bytes"),
    ([-(2 ** (8 * MAX_INT_BYTES - 1)) - 1], "value[0]: an int beyond 1024 bytes"),
    (loop(), f"value{'[0]' * MAX_NESTING}: nested deeper than 64"),
]


@pytest.mark.parametrize("value, message", REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_what_would_not_come_back_is_refused_by_name(value: Any, message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        encode(value)
    assert str(refusal.value) == message


def test_the_largest_ints_are_kept() -> None:
    for number in (2 ** (8 * MAX_INT_BYTES - 1) - 1, -(2 ** (8 * MAX_INT_BYTES - 1))):
        check(encode(number))
        assert decode(encode([number])) == [number]


@pytest.mark.parametrize("ask", [check, decode])
@pytest.mark.parametrize("blob", [b"\x92\xa6secret\xc1", b"\xa7secret\xff", b"\xa6secret!", b"\xc7\x06\x01secret"])
def test_a_value_is_never_shown_in_an_error_of_its_blob(ask: Callable[[bytes], object], blob: bytes) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        ask(blob)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is refusal.value.__context__ is None

"""Words into numbers and back out again: canonical integers, floats as Redis spells them, times, choices."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol import limits
from kv_protocol.errors import InvalidArgument
from kv_protocol.values import decode
from kv_server.spec import checks
from kv_server.spec.types import MAX_TIME_MS

NO_INTEGERS = [
    b"", b"-", b"+1", b"01", b"-0", b"-01", b" 1", b"1 ", b"1_0", b"1.0", b"1e2", b"0x1", b"\xd9\xa1", b"9" * 400,
    b"9223372036854775808", b"-9223372036854775809",
]  # fmt: skip
NO_FLOATS = [
    b"",
    b"nan",
    b"-nan",
    b"1_0",
    b" 1",
    b"1 ",
    b"0x1p3",
    b"e5",
    b".",
    b"1e",
    b"1e400",
    b"1" * 2000,
    b"i",
    b"1,5",
]


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_int64_is_read_from_its_canonical_spelling(number: int) -> None:
    assert checks.text_int(b"%d" % number) == number


@pytest.mark.parametrize("raw", NO_INTEGERS)
def test_nothing_else_is_an_integer(raw: bytes) -> None:
    with pytest.raises(InvalidArgument, match=r"^value is not an integer or out of range$"):
        checks.text_int(raw)


@given(st.floats(allow_nan=False))
def test_every_float_is_read_from_its_spelling(number: float) -> None:
    assert checks.text_float(repr(number).encode()) == number


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"+inf", float("inf")),
        (b"-Infinity", float("-inf")),
        (b"3.", 3.0),
        (b".5", 0.5),
        (b"1E3", 1000.0),
        (b"+1", 1.0),
    ],
)
def test_floats_are_spelled_as_redis_takes_them(raw: bytes, number: float) -> None:
    assert checks.text_float(raw) == number


@pytest.mark.parametrize("raw", NO_FLOATS)
def test_nothing_else_is_a_float(raw: bytes) -> None:
    with pytest.raises(InvalidArgument, match=r"^value is not a valid float$"):
        checks.text_float(raw)


def test_a_number_is_an_int_where_it_is_spelled_as_one_and_else_a_decimal() -> None:
    assert decode(checks.text_number(b"-7")) == -7
    assert decode(checks.text_number(b"0.10")) == Decimal("0.10")
    assert type(decode(checks.text_number(b"1e3"))) is Decimal
    for raw in (b"inf", b"nan", b"x"):
        with pytest.raises(InvalidArgument, match=r"^value is not a valid float$"):
            checks.text_number(raw)
    with pytest.raises(InvalidArgument, match=r"^value is not an integer or out of range$"):
        checks.text_number(b"9223372036854775808")


def test_counts_cursors_and_tokens_have_their_bounds() -> None:
    assert checks.text_count(b"1", "count") == 1
    assert checks.text_size(b"0") == 0
    assert checks.text_cursor(b"18446744073709551615") == checks.text_token(b"18446744073709551615") == 2**64 - 1
    with pytest.raises(InvalidArgument, match=r"^COUNT must be > 0$"):
        checks.text_count(b"0", "count")
    for raw in (b"-1", b"x"):
        with pytest.raises(InvalidArgument, match=r"^value is out of range, must be positive$"):
            checks.text_size(raw)
    with pytest.raises(InvalidArgument, match=r"^invalid cursor$"):
        checks.text_cursor(b"-1")
    with pytest.raises(InvalidArgument, match=r"^value is not an integer or out of range$"):
        checks.text_token(b"")


def test_times_are_scaled_and_bounded() -> None:
    assert checks.text_duration(b"5", 1000, "set") == 5000
    assert checks.text_time(b"5", 1, "set") == 5
    assert checks.text_timeout(b"0.0005", 1000) == 1, "a short wait is not an endless one"
    assert checks.text_timeout(b"0", 1000) == 0
    ages = b"%d" % (2**63 - MAX_TIME_MS - 1)
    assert checks.text_duration(ages, 1, "set") + 2**43 == MAX_TIME_MS, "what takes ages ends with the calendar"
    assert checks.text_time(ages, 1, "set") == MAX_TIME_MS
    for refused in (b"0", b"-1"):
        with pytest.raises(InvalidArgument, match=r"^invalid expire time in 'set' command$"):
            checks.text_duration(refused, 1, "set")
        with pytest.raises(InvalidArgument, match=r"^invalid expire time in 'set' command$"):
            checks.text_time(refused, 1, "set")
    with pytest.raises(InvalidArgument, match=r"^invalid expire time in 'set' command$"):
        checks.text_duration(ages, 1000, "set")


def test_words_become_text_names_and_flags() -> None:
    assert checks.text_text(b"\xc3\xa9", "name") == "é"
    with pytest.raises(InvalidArgument, match=r"^name must be UTF-8 text$"):
        checks.text_text(b"\xff", "name")
    with pytest.raises(InvalidArgument, match=r"^name must be a name of at most"):
        checks.text_name(b"n" * (limits.MAX_NAME + 1), "name")
    assert checks.text_bool(b"YES") is True
    assert checks.text_bool(b"0") is False
    with pytest.raises(InvalidArgument, match=r"^syntax error$"):
        checks.text_bool(b"perhaps")
    assert checks.text_choice(b"nx", {b"NX": "NX"}) == "NX"
    assert checks.shown(b"a") == "a"
    assert checks.shown(b"\xff") == b"\xff"


def test_a_number_beyond_floats_is_refused() -> None:
    assert checks.wire_float(3, "x") == 3.0
    with pytest.raises(InvalidArgument, match=r"^x must be a number that fits a float$"):
        checks.wire_float(10**400, "x")

"""Plain text: what RESP shows of a value, what it writes, and which values count as numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol.errors import NotANumber
from kv_protocol.values import bytes_blob, class_of, decode, encode, from_octets, int_blob, number, octets, str_blob

TEXTS: list[tuple[Any, str]] = [
    (None, ""),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (127, "127"),
    (-1, "-1"),
    (-40_000, "-40000"),
    (2**63, "9223372036854775808"),
    (-(2**70), "-1180591620717411303424"),
    (1.0, "1"),
    (-0.0, "-0"),
    (0.1, "0.1"),
    (1e100, "1e+100"),
    (inf, "inf"),
    (-inf, "-inf"),
    (nan, "nan"),
    (Decimal("1.50"), "1.50"),
    (Decimal("1E+3"), "1000"),
    (Decimal("1E-9"), "0.000000001"),
    (Decimal("1E+400"), "1" + "0" * 400),
    (Decimal("1E+401"), "1E+401"),
    (Decimal("1E-401"), "1E-401"),
    (Decimal("NaN"), "NaN"),
    (Decimal("-Infinity"), "-Infinity"),
    ("h\xe9", "h\xe9"),
    ("a" * 70_000, "a" * 70_000),
    (datetime(2024, 2, 29, 12, 0, tzinfo=UTC), "2024-02-29T12:00:00Z"),
    (datetime(1, 1, 1, 0, 0, 0, 10, tzinfo=UTC), "0001-01-01T00:00:00.000010Z"),
    ([], "[]"),
    ({}, "{}"),
    ([None, True, 1, 1.0, "h\xe9"], '[null,true,1,1.0,"h\xe9"]'),
    ({"b": b"\xff\0", "a": [b""]}, '{"b":{"base64":"/wA="},"a":[{"base64":""}]}'),
    ([2**53, 2**53 + 1], '[9007199254740992,"9007199254740993"]'),
    ([-(2**53), -(2**53) - 1], '[-9007199254740992,"-9007199254740993"]'),
    ([inf, -inf, nan], '["inf","-inf","nan"]'),
    ([Decimal("1.50"), Decimal("NaN")], '["1.50","NaN"]'),
    ([datetime(2024, 2, 29, tzinfo=UTC)], '["2024-02-29T00:00:00Z"]'),
]  # fmt: skip


@pytest.mark.parametrize("value, text", TEXTS, ids=[text[:30] or "nothing" for _, text in TEXTS])
def test_plain_text(value: Any, text: str) -> None:
    assert octets(encode(value)) == text.encode()


@given(st.binary() | st.binary(min_size=100).map(lambda part: part * 700))
def test_bytes_read_as_they_are(content: bytes) -> None:
    assert octets(bytes_blob(content)) == content
    assert octets(from_octets(content)) == content


@given(st.text())
def test_text_is_written_as_str(text: str) -> None:
    assert from_octets(text.encode()) == encode(text) == str_blob(text.encode())


@given(st.binary())
def test_what_is_no_text_is_written_as_bytes(content: bytes) -> None:
    is_text = content.decode("utf-8", "replace").encode() == content
    assert class_of(from_octets(content)) == ("str" if is_text else "bytes")


@given(st.integers())
def test_ints_read_as_digits(value: int) -> None:
    assert octets(int_blob(value)) == str(value).encode()


@given(st.floats(allow_nan=False))
def test_floats_read_back(value: float) -> None:
    assert float(octets(encode(value))) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_containers_read_as_json(value: Any) -> None:
    if isinstance(value, list | dict):
        assert json.loads(octets(encode(value))) == value


@given(st.integers() | st.floats(allow_nan=False) | st.decimals(allow_nan=False))
def test_a_number_is_the_number_it_is(value: int | float | Decimal) -> None:
    read = number(encode(value))
    assert read == value
    assert type(read) is type(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_text_that_spells_an_int64_counts_as_it(value: int) -> None:
    for blob in (encode(str(value)), encode(str(value).encode())):
        assert number(blob) == value


NO_NUMBERS: list[Any] = [
    None, True, False, "", b"", "-", "+1", "-0", "01", " 1", "1 ", "1\n", "1.0", "1_0", "\u0661", b"\xff",
    "9223372036854775808", "-9223372036854775809", "1" * 100, [], [1], {}, datetime(2000, 1, 1, tzinfo=UTC),
]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_counts_as_no_number(value: Any) -> None:
    with pytest.raises(NotANumber, match="spells no int"):
        number(encode(value))


def test_a_blob_of_an_int_is_read_without_loss() -> None:
    for value in (0, 127, 128, 255, 256, 2**16, 2**32, 2**64 - 1, 2**64, -1, -32, -33, -129, -(2**15) - 1, -(2**63)):
        assert number(int_blob(value)) == decode(int_blob(value)) == value

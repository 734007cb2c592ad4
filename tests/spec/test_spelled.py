"""Words are read alike in both builds: what is read in one stroke, and what takes the long way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from kv_protocol import values
from kv_protocol.blobs import HEADS, NULL
from kv_protocol.errors import InvalidArgument
from kv_protocol.names import slot
from kv_server.model.sharding import shard_of
from kv_server.spec import numerals, spelled

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.text("0123456789+-.eEinf", max_size=24),
    st.sampled_from(
        ["-0", "0", "", "-", ".", "1.", ".5", "-.5", "+1", "00", "01", "1e5", "999999999999999", "0.1", "-1"]
    ),
).map(str.encode)
OCTETS = st.one_of(
    st.binary(max_size=80), st.text(max_size=80).map(str.encode), st.binary(min_size=1).map(lambda b: b * 300)
)


def said(function: Callable[..., Any], *arguments: Any) -> tuple[str, str]:
    """What *function* returns, with its type, or why it does not."""
    try:
        made = function(*arguments)
    except InvalidArgument as error:
        return "error", error.message
    return type(made).__name__, repr(made)


@given(NUMBERS)
def test_numbers_are_read_as_their_spelling_says(raw: bytes) -> None:
    assert said(spelled.text_int, raw) == said(numerals.text_int, raw)
    assert said(spelled.text_int, raw, 0) == said(numerals.text_int, raw, 0)
    assert said(spelled.text_int, raw, -5, 10**15) == said(numerals.text_int, raw, -5, 10**15)
    assert said(spelled.text_float, raw) == said(numerals.text_float, raw)
    assert said(spelled.text_number, raw) == said(numerals.text_number, raw)


EDGES = [
    sign * 2**bits + more
    for sign in (1, -1)
    for bits in (0, 5, 7, 8, 15, 16, 31, 32, 62, 63, 64)
    for more in (-1, 0, 1)
]
INTS = st.sampled_from(EDGES) | st.integers(-(2**65), 2**65)


@given(INTS, INTS)
def test_ints_are_added_up_within_64_bits(old: int, step: int) -> None:
    fit = all(-(2**63) <= each < 2**63 for each in (old, step, old + step))
    assert spelled.int_sum(values.encode(old), step) == (values.int_blob(old + step) if fit else None)


@given(INTS, INTS, st.sampled_from([values.from_octets, values.bytes_blob]))
def test_text_and_bytes_that_spell_an_int_are_added_to_and_stay_what_they_are(
    old: int, step: int, made: Callable[[bytes], bytes]
) -> None:
    fit = all(-(2**63) <= each < 2**63 for each in (old, step, old + step))
    assert spelled.int_sum(made(b"%d" % old), step) == (made(b"%d" % (old + step)) if fit else None)
    if -(2**63) <= old < 2**63:
        assert spelled.whole(made(b"%d" % old)) == spelled.whole(values.encode(old)) == old


@given(st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.decimals())
@example("")
@example("01")
@example("-0")
@example(" 1")
@example("1.0")
@example(b"+1")
def test_what_is_no_int_is_not_added_to(value: values.Value) -> None:
    if isinstance(value, str | bytes):
        assume(not re.fullmatch(r"0|-?[1-9]\d*", value if isinstance(value, str) else value.decode("latin-1"), re.A))
    assert spelled.int_sum(values.encode(value), 1) is None


@given(OCTETS)
def test_values_are_made_of_octets_and_read_as_them(octets: bytes) -> None:
    blob = spelled.from_octets(octets)
    assert blob == values.from_octets(octets)
    assert spelled.resp_value(blob) == octets
    assert spelled.values_in([b"x", octets, octets, b"y"], 1, 3) == (blob, blob)


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(), st.binary()
    )
)
def test_resp_reads_values_as_their_plain_text(value: object) -> None:
    blob = values.encode(value)
    plain = blob[HEADS[blob[0]] :] if HEADS[blob[0]] else None if blob == NULL else values.octets(blob)
    assert spelled.resp_value(blob) == plain


@given(st.binary(max_size=40), st.sampled_from([0, 6, 8, 14]))
def test_a_key_lies_in_the_shard_of_its_slot(key: bytes, shift: int) -> None:
    for each in (key, b"{" + key, b"{" + key + b"}x", b"a{" + key + b"}{b}"):
        assert shard_of(each, shift) == slot(each) >> shift


def test_a_function_is_called_with_everything_however_many_that_are() -> None:
    for count in (0, 1, 30, 32, 33, 100):
        assert spelled.spread(lambda *words: words, ("a", "b"), tuple(range(count))) == ("a", "b", *range(count))

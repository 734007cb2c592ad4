"""Replies as bytes, in both versions of RESP: each kind, and what an annotation makes of a reply."""

from __future__ import annotations

from math import inf, nan
from typing import Annotated, Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_protocol.errors import NotFound, WrongType
from kv_protocol.values import encode
from kv_server.spec import PAIRS, READ, TABLE, Catalog, Float, Key, Name, Value, View, command
from kv_server.spec.resp_kinds import (
    NIL_ARRAY,
    OK,
    SILENCE,
    Long,
    Members,
    Pairs,
    PairTable,
    Push,
    Replies,
    RespError,
    Simple,
    Verbatim,
    longer,
)
from kv_server.surfaces import resp_replies
from kv_server.surfaces.pieces import Pieces, take
from kv_server.surfaces.resp_replies import RESP2, RESP3, double, failed


class Scored(NamedTuple):
    score: Float
    member: Name


@pytest.mark.parametrize(
    ("reply", "two", "three"),
    [
        (None, b"$-1\r\n", b"_\r\n"),
        (NIL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (OK, b"+OK\r\n", b"+OK\r\n"),
        (Simple(b"PONG"), b"+PONG\r\n", b"+PONG\r\n"),
        (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
        (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
        ("é", b"$2\r\n\xc3\xa9\r\n", b"$2\r\n\xc3\xa9\r\n"),
        ("\udcff", b"$1\r\n\xff\r\n", b"$1\r\n\xff\r\n"),
        (0, b":0\r\n", b":0\r\n"),
        (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
        (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
        (True, b":1\r\n", b":1\r\n"),
        (False, b":0\r\n", b":0\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (inf, b"$3\r\ninf\r\n", b",inf\r\n"),
        ([], b"*0\r\n", b"*0\r\n"),
        ([1, b"a", None], b"*3\r\n:1\r\n$1\r\na\r\n$-1\r\n", b"*3\r\n:1\r\n$1\r\na\r\n_\r\n"),
        ((1, [b"a"]), b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n", b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n"),
        ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (Members([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        (Pairs([(b"a", 1)]), b"*2\r\n$1\r\na\r\n:1\r\n", b"*1\r\n*2\r\n$1\r\na\r\n:1\r\n"),
        (PairTable({b"a": 1}), b"*1\r\n*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (Push(["k", 1]), b"*2\r\n$1\r\nk\r\n:1\r\n", b">2\r\n$1\r\nk\r\n:1\r\n"),
        (Verbatim("hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        (Replies([1, OK]), b":1\r\n+OK\r\n", b":1\r\n+OK\r\n"),
        (SILENCE, b"", b""),
        ([WrongType("no")], b"*1\r\n-WRONGTYPE no\r\n", b"*1\r\n-WRONGTYPE no\r\n"),
    ],
)
def test_each_kind_of_reply_has_its_bytes(reply: Any, two: bytes, three: bytes) -> None:
    assert RESP2(reply) == two
    assert RESP3(reply) == three


def all_of(reply: bytes | Pieces) -> bytes:
    """The bytes of *reply*, however it is written."""
    out: list[bytes | Pieces] = [reply]
    said, held = b"", len(reply)
    while out:
        more, shrunk = take(out, 1, lambda: 0.0)
        said += more
        held -= shrunk
    assert held == 0
    return said


MANY = [b"%d" % number for number in range(3_000)]
PAIRED = [(member, number) for number, member in enumerate(MANY)]


@pytest.mark.parametrize(
    ("long", "whole"),
    [
        (Long(MANY, lambda part: [each * 2 for each in part]), [each * 2 for each in MANY]),
        (Long(MANY, Members), Members(MANY)),
        (Long(PAIRED, Pairs), Pairs(PAIRED)),
        (Long(dict(PAIRED), dict), dict(PAIRED)),
        (Long(dict(PAIRED), PairTable), PairTable(PAIRED)),
        (longer(Long(MANY, lambda part: part[:]), Members), Members(MANY)),
        ([OK, Long(MANY, list), Long(MANY, lambda part: [part[:1] for _ in part])], None),
        (MANY, MANY),
        ([MANY, None, MANY], [MANY, None, MANY]),
        (Push(["k", *MANY, "x" * 2_000]), None),
    ],
    ids=["list", "set", "pairs", "map", "table", "made twice", "nested", "plain", "in a short one", "mixed"],
)
def test_a_long_reply_is_written_in_pieces_and_reads_the_same(long: Any, whole: Any) -> None:
    for encode_reply in (RESP2, RESP3):
        made = encode_reply(long)
        assert type(made) is Pieces
        with mock.patch.object(resp_replies, "LONG", 10**9):
            at_once = all_of(encode_reply(long if whole is None else whole))
        assert all_of(made) == at_once


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, b"0"), (-0.0, b"-0"), (3.0, b"3"), (-17.0, b"-17"), (0.1, b"0.1"), (3.3, b"3.3"), (1e20, b"1e+20"),
        (1e16, b"1e+16"), (1e-5, b"0.00001"), (1.5e-7, b"1.5e-7"), (-2.5, b"-2.5"), (nan, b"nan"),
        (-inf, b"-inf"), (5e-324, b"5e-324"), (3.14159265358979, b"3.14159265358979"), (1e300, b"1e+300"),
        (12345678.9, b"12345678.9"), (1.7976931348623157e308, b"1.7976931348623157e+308"),
    ],
)  # fmt: skip
def test_doubles_are_written_with_the_fewest_digits(number: float, text: bytes) -> None:
    assert double(number) == text


@given(st.floats(allow_nan=False))
def test_every_double_reads_back(number: float) -> None:
    assert float(double(number)) == number


def test_an_error_is_one_line() -> None:
    assert failed(NotFound("no\r\nsuch key")) == b"-ERR no  such key\r\n"
    assert failed(RespError("NOPROTO other")) == b"-NOPROTO other\r\n"
    assert failed(WrongType("é\udcff")) == b"-WRONGTYPE \xc3\xa9\xff\r\n"


def one(values: list[Value]) -> Value | None:
    return values[0] if values else None


def members(scored: list[Scored]) -> set[Name]:
    return {each.member for each in scored}


def flat(scored: list[Scored]) -> Annotated[list[tuple[Name, Float]], PAIRS]:
    return [(each.member, each.score) for each in scored]


def table(scored: list[Scored]) -> Annotated[dict[Name, list[Value]], TABLE]:
    return {each.member: [encode(each.score)] for each in scored}


BLOB = encode("text")


@pytest.mark.parametrize(
    ("annotation", "view", "reply", "two"),
    [
        (Value, None, BLOB, b"$4\r\ntext\r\n"),
        (Value | None, None, encode(None), b"$-1\r\n"),
        (Value, None, encode(5), b"$1\r\n5\r\n"),
        (Value, None, encode([1, b"x"]), b'$21\r\n[1,{"base64":"eA=="}]\r\n'),
        (Key | None, None, None, b"$-1\r\n"),
        (list[Value | None], None, [BLOB, None], b"*2\r\n$4\r\ntext\r\n$-1\r\n"),
        (list[Value] | None, None, None, b"*-1\r\n"),
        (tuple[Key, Value] | None, None, None, b"*-1\r\n"),
        (tuple[Key, Value] | None, None, (b"k", BLOB), b"*2\r\n$1\r\nk\r\n$4\r\ntext\r\n"),
        (dict[Name, Value], None, {b"f": BLOB}, b"*2\r\n$1\r\nf\r\n$4\r\ntext\r\n"),
        (list[Scored], None, [Scored(1.0, b"m")], b"*1\r\n*2\r\n$1\r\n1\r\n$1\r\nm\r\n"),
        (list[Value], one, [BLOB], b"$4\r\ntext\r\n"),
        (list[Value], one, [], b"$-1\r\n"),
        (list[Scored], members, [Scored(1.0, b"m")], b"*1\r\n$1\r\nm\r\n"),
        (list[Scored], flat, [Scored(1.0, b"m")], b"*2\r\n$1\r\nm\r\n$1\r\n1\r\n"),
        (list[Scored], table, [Scored(1.0, b"m")], b"*1\r\n*2\r\n$1\r\nm\r\n*1\r\n$1\r\n1\r\n"),
    ],
)
def test_an_annotation_says_what_a_reply_becomes(annotation: Any, view: Any, reply: Any, two: bytes) -> None:
    def probe(tx: Any) -> Any:
        return reply

    probe.__annotations__["return"] = annotation
    views = (View("view", view),) if view else ()
    made = Catalog([command(READ, group="test", since="0.1", cost="O(1)", views=views)(probe)])["PROBE"]
    assert RESP2(made.call_text(None, [b"PROBE"])) == two


def test_a_view_says_what_it_makes() -> None:
    with pytest.raises(TypeError, match="does not say what it returns"):
        View("bad", lambda reply: reply)


def test_a_view_may_turn_an_error_into_a_reply_and_no_other() -> None:
    def absent(error: Exception) -> bytes:
        if isinstance(error, NotFound):
            return BLOB
        raise error

    def probe(tx: Any, key: Key, /) -> Value:
        raise tx(key.decode())

    made = command(READ, group="t", since="0.1", cost="O(1)", views=(View("v", one_value, rescue=absent),))(probe)
    call = Catalog([made])["PROBE"].call_text
    assert call(NotFound, [b"PROBE", b"k"]) == b"text"
    with pytest.raises(WrongType):
        call(WrongType, [b"PROBE", b"k"])


def one_value(blob: bytes) -> Value:
    return blob

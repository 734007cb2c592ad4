"""Real Redis command lines of the hardest commands: both doors bind the same call, with its keys and its usage line."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import InvalidArgument, TooLarge
from kv_server.spec import READ, WRITE, Catalog
from kv_server.spec.checks import from_octets

V = from_octets(b"v")
R, W = READ, WRITE

LINES: list[tuple[str, list[Any], dict[bytes, Any], list[tuple[bytes, int]]]] = [
    ("SET k v", [b"k", V], {}, [(b"k", W)]),
    ("set k v ex 10 NX", [b"k", V], {b"ttl": 10_000, b"if_absent": True}, [(b"k", W)]),
    ("SET k v XX PX 10", [b"k", V], {b"ttl": 10, b"if_present": True}, [(b"k", W)]),
    ("SET k v PXAT 1700000000000", [b"k", V], {b"expires_at": 1_700_000_000_000}, [(b"k", W)]),
    ("SET k v EXAT 1700000000 IFEQ v", [b"k", V], {b"expires_at": 1_700_000_000_000, b"if_value": V}, [(b"k", W)]),
    ("SET k v KEEPTTL", [b"k", V], {b"keep_ttl": True, b"ttl": None, b"if_absent": False}, [(b"k", W)]),
    ("ZADD z 1 a", [b"z", [1, b"a"]], {}, [(b"z", W)]),
    (
        "ZADD z nx CH GT 1.5 a +inf b",
        [b"z", [1.5, b"a"], [float("inf"), b"b"]],
        {b"condition": b"NX", b"comparison": b"GT", b"ch": True},
        [(b"z", W)],
    ),
    ("ZRANGE z 0 -1", [b"z", b"0", b"-1"], {}, [(b"z", R)]),
    (
        "ZRANGE z (1 +inf BYSCORE LIMIT 1 2 REV WITHSCORES",
        [b"z", b"(1", b"+inf"],
        {b"by": b"BYSCORE", b"limit": [1, 2], b"rev": True},
        [(b"z", R)],
    ),
    ("ZUNIONSTORE t 2 a b", [b"t", [b"a", b"b"]], {}, [(b"t", W), (b"a", R), (b"b", R)]),
    (
        "ZUNIONSTORE t 2 a b AGGREGATE max WEIGHTS 2 0.5",
        [b"t", [b"a", b"b"]],
        {b"weights": [2, 0.5], b"aggregate": b"MAX"},
        [(b"t", W), (b"a", R), (b"b", R)],
    ),
    ("SINTERCARD 2 a b LIMIT 5", [[b"a", b"b"]], {b"limit": 5}, [(b"a", R), (b"b", R)]),
    ("LMPOP 2 a b left COUNT 3", [[b"a", b"b"], b"LEFT"], {b"count": 3}, [(b"a", W), (b"b", W)]),
    ("LPOP l", [b"l"], {}, [(b"l", W)]),
    ("LPOP l 0", [b"l", 0], {}, [(b"l", W)]),
    ("BLPOP a b 0.25", [b"a", b"b"], {b"timeout": 250}, [(b"a", W), (b"b", W)]),
    ("HEXPIRE h 60 FIELDS 2 f g", [b"h", 60_000], {b"fields": [b"f", b"g"]}, [(b"h", W)]),
    ("HEXPIRE h 60 LT FIELDS 1 f", [b"h", 60_000], {b"fields": [b"f"], b"condition": b"LT"}, [(b"h", W)]),
    ("EVAL return 0", [b"return", []], {}, []),
    ("EVAL return 2 a b x y", [b"return", [b"a", b"b"], b"x", b"y"], {}, [(b"a", W), (b"b", W)]),
    ("EVAL return 0 x", [b"return", [], b"x"], {}, []),
    (
        "SORT l BY w_* LIMIT 0 5 GET # GET o_* DESC ALPHA STORE t",
        [b"l"],
        {
            b"by": b"w_*", b"limit": [0, 5], b"gets": [b"#", b"o_*"], b"order": b"DESC", b"alpha": True, b"store": b"t",
        },
        [(b"l", R), (b"t", R)],
    ),
    (
        "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC COUNT 3 ANY WITHDIST",
        [b"g"],
        {b"from_position": [15, 37], b"radius": [200, b"KM"], b"order": b"ASC", b"count": 3, b"any": True},
        [(b"g", R)],
    ),
    (
        "GEOSEARCH g FROMMEMBER m BYBOX 4 3 m",
        [b"g"],
        {b"from_member": b"m", b"box": [4, 3, b"M"]},
        [(b"g", R)],
    ),
]  # fmt: skip

USAGE = {
    "ZADD": "ZADD key [NX | XX] [GT | LT] [CH] score member [score member ...]",
    "ZRANGE": "ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    "ZUNIONSTORE": "ZUNIONSTORE target numkeys key [key ...]"
    " [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    "SINTERCARD": "SINTERCARD numkeys key [key ...] [LIMIT limit]",
    "LMPOP": "LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    "LPOP": "LPOP key [count]",
    "BLPOP": "BLPOP key [key ...] timeout",
    "HEXPIRE": "HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    "EVAL": "EVAL script numkeys [key ...] [arg ...]",
    "SORT": "SORT key [BY pattern] [LIMIT offset count]"
    " [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE target]",
    "SET": "SET key value"
    " [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]"
    " [NX | XX | IFEQ value] [GET]",
}


@pytest.mark.parametrize(("line", "args", "options", "keys"), LINES, ids=[row[0] for row in LINES])
def test_both_doors_bind_the_same_call(
    hard: Catalog, line: str, args: list[Any], options: dict[bytes, Any], keys: list[tuple[bytes, int]]
) -> None:
    words = line.encode().split()
    called = hard.find_text(words)
    bound = called.bind_text(words)
    assert bound[:3] == called.bind_typed(args, options)[:3]
    assert called.keys(bound) == keys
    assert called.run(None, bound) == called.call(None, args, options)
    assert called.arity == len(words) or len(words) >= -called.arity > 0


@pytest.mark.parametrize("word", USAGE)
def test_the_usage_line_is_the_one_redis_has(hard: Catalog, word: str) -> None:
    assert hard[word].usage == USAGE[word]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SET k", "wrong number of arguments for 'set' command"),
        ("SET k v EX", "syntax error"),
        ("SET k v EX ten", "value is not an integer or out of range"),
        ("SET k v EX 0", "invalid expire time in 'set' command"),
        ("SET k v EX 9223372036854775", "invalid expire time in 'set' command"),
        ("SET k v EX 5 PX 5", "syntax error"),
        ("SET k v EX 5 KEEPTTL", "syntax error"),
        ("SET k v NX XX", "syntax error"),
        ("SET k v NX NX", "syntax error"),
        ("SET k v GET GET", "syntax error"),
        ("SET k v SOON", "syntax error"),
        ("ZADD z", "wrong number of arguments for 'zadd' command"),
        ("ZADD z 1", "wrong number of arguments for 'zadd' command"),
        ("ZADD z NX CH", "syntax error"),
        ("ZADD z 1 a 2", "syntax error"),
        ("ZADD z NX XX 1 a", "syntax error"),
        ("ZADD z one a", "value is not a valid float"),
        ("ZRANGE z 0 1 LIMIT 0", "syntax error"),
        ("ZRANGE z 0 1 WITHSCORES WITHSCORES", "syntax error"),
        ("ZUNIONSTORE t 0 a", "numkeys should be greater than 0"),
        ("ZUNIONSTORE t 3 a b", "Number of keys can't be greater than number of args"),
        ("ZUNIONSTORE t 2 a b WEIGHTS 1", "syntax error"),
        ("ZUNIONSTORE t 2 a b AGGREGATE avg", "syntax error"),
        ("LMPOP 1 a up", "syntax error"),
        ("LMPOP 2 a LEFT", "syntax error"),
        ("LPOP l 1 2", "syntax error"),
        ("LPOP l -1", "value is out of range, must be positive"),
        ("BLPOP a", "wrong number of arguments for 'blpop' command"),
        ("BLPOP a soon", "timeout is not a float or out of range"),
        ("BLPOP a -1", "timeout is negative"),
        ("BLPOP a inf", "timeout is out of range"),
        ("HEXPIRE h 60 FIELD 1 f", "syntax error"),
        ("HEXPIRE h 60 FIELDS 2 f", "Number of fields can't be greater than number of args"),
        ("HEXPIRE h 60 NX XX FIELDS 1 f", "syntax error"),
        ("EVAL return -1", "Number of keys can't be negative"),
        ("EVAL return 1", "Number of keys can't be greater than number of args"),
        ("GEOSEARCH g FROMMEMBER m BYRADIUS 5", "wrong number of arguments for 'geosearch' command"),
        ("GEOSEARCH g FROMMEMBER m FROMLONLAT 1 2", "syntax error"),
        ("GEOSEARCH g FROMMEMBER m BYRADIUS 5 leagues", "syntax error"),
        ("GEOSEARCH g FROMLONLAT 1 2 ASC ANY", "exactly one of BYRADIUS or BYBOX can be specified for geosearch"),
    ],
)
def test_a_refusal_has_the_text_redis_has(hard: Catalog, line: str, message: str) -> None:
    words = line.encode().split()
    with pytest.raises(InvalidArgument) as caught:
        hard.find_text(words).bind_text(words)
    assert caught.value.message == message


def test_a_token_may_call_another_command(hard: Catalog) -> None:
    bound = hard["SET"].bind_text(b"SET k v GET EX 5".split())
    assert bound[:3] == hard["GETSET"].bind_typed([b"k", V], {b"ttl": 5000})[:3]
    assert hard["SET"].call_text(None, b"SET k v GET".split()) == b"old"
    assert hard["SET"].call_text(None, b"SET k v".split()) == b"OK"
    assert hard["SET"].call(None, [b"k", V], {}) == 1


def test_a_view_changes_the_shape_of_the_reply_on_the_text_door_only(hard: Catalog) -> None:
    assert hard["ZRANGE"].call_text(None, b"ZRANGE z 0 1".split()) == [b"a"]
    assert hard["ZRANGE"].call_text(None, b"ZRANGE z 0 1 withscores".split()) == [(b"a", 1.0)]
    assert hard["ZRANGE"].call(None, [b"z", b"0", b"1"], {}) == [(1.0, b"a")]
    search = hard["GEOSEARCH"].call_text
    around = b"GEOSEARCH g FROMMEMBER m BYRADIUS 1 m".split()
    assert search(None, around) == [b"a"]
    assert search(None, [*around, b"WITHDIST"]) == [(b"a", 1.5)]
    assert search(None, [*around, b"WITHDIST", b"WITHCOORD"]) == [(b"a", 1.5, (13.0, 38.0))]


def test_a_view_may_depend_on_a_parameter_that_was_not_given(hard: Catalog) -> None:
    pop = hard["LPOP"].call_text
    assert pop(None, [b"LPOP", b"l"]) == b"a"
    assert pop(None, [b"LPOP", b"l", b"1"]) == [b"a"]
    assert hard["LPOP"].call(None, [b"l"], {}) == [b"\xa1a"]
    assert hard["LPOP"].call(None, [b"l", None], None) == [b"\xa1a"]


def test_a_repeated_token_is_bounded(hard: Catalog) -> None:
    words = [b"SORT", b"l", *[b"GET", b"#"] * 65_536]
    assert len(hard["SORT"].bind_text(words).options["gets"]) == 65_536
    with pytest.raises(TooLarge, match="gets: more than 65,536 elements"):
        hard["SORT"].bind_text([*words, b"GET", b"#"])

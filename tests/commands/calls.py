"""Arguments for every data command, chosen so that calls meet: few keys, few values, deadlines that coincide."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st

NAMESPACES = (b"0", b"other", b"\xff{n}")
KEYS = (b"a", b"{t}a", b"", b"b", b"{t}b", b"x{t}y{u}", b"{}t", b"\xff\xfe{", "é".encode())
LOCKS = (b"l", b"a", b"{t}a")


class Ref(NamedTuple):
    """Stands for something of the world as it is when the call is made: a version, a value, a token, a time."""

    kind: str
    offset: int = 0


def ref(kind: str, *offsets: int) -> st.SearchStrategy[Any]:
    return st.sampled_from([Ref(kind, offset) for offset in offsets or (0,)])


keys = st.sampled_from(KEYS[:3] * 3 + KEYS)
namespaces = st.sampled_from(NAMESPACES[:1] * 3 + NAMESPACES)
times = st.sampled_from([datetime(1970, 1, 1, tzinfo=UTC), datetime(2031, 5, 6, 7, 8, 9, 120, tzinfo=UTC)])
ints = st.sampled_from([0, 1, -1, 5, 127, 128, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**70)]) | st.integers(-300, 300)
floats = st.sampled_from([0.0, -0.0, 1.0, 0.1, -2.5, 1e300, 1.7e308, float("inf"), float("nan")])
decimals = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "1.0",
        "1.10",
        "-3E+5",
        "0.1",
        "1E-30",
        "Infinity",
        "NaN",
        "sNaN",
        "1234567890123456789012345678901.5",
    ]
).map(Decimal)
texts = st.sampled_from(["", "5", "-12", "05", "9223372036854775807", "9223372036854775808", "plain", "é", "x" * 300])
octets = st.sampled_from([b"", b"7", b"\xff", b"\xc3", b"\xa9", b"raw", b"y" * 40])
scalars = st.none() | st.booleans() | ints | floats | decimals | texts | octets | times
containers = st.sampled_from(
    [[], {}, [1, 1.0, True, "1", b"1", Decimal(1)], {"a": {"b": [None, 2**60, b"\xff"]}, "é": float("inf")}, [[]]]
)
values = scalars | containers | st.lists(scalars, max_size=3)
some_text = texts | octets | scalars
spans = st.sampled_from([1, 5, 20, 100, 15_000])
when = {
    "ttl": spans,
    "expires_at": ref("now", -10, 0, 1, 5, 20, 100),
}
versions = st.just(0) | ref("version", 0, 1)
wanted = values | ref("value")


def one_of(choices: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Options of which a call may have one: none, or one of *choices*."""
    made = [st.just({})]
    made += [strategy.map(lambda chosen, name=name: {name: chosen}) for name, strategy in choices.items()]
    return st.one_of(made)


def call(*args: Any, **options: Any) -> st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Positional arguments, and options each of which may be left out."""
    return st.tuples(st.tuples(*args), st.fixed_dictionaries({}, optional=options))


def with_groups(*args: Any, groups: list[dict[str, Any]]) -> st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Positional arguments, and at most one option of each of *groups*."""
    merged = st.tuples(*map(one_of, groups)).map(
        lambda parts: {name: arg for part in parts for name, arg in part.items()}
    )
    return st.tuples(st.tuples(*args), merged)


def tail(element: Any, most: int = 3, before: tuple[Any, ...] = (), **options: Any) -> st.SearchStrategy[Any]:
    """One or more of *element* after *before*."""
    many = st.lists(element, min_size=1, max_size=most).map(tuple)
    args = st.tuples(st.tuples(*before), many).map(lambda both: both[0] + both[1])
    return st.tuples(args, st.fixed_dictionaries({}, optional=options))


flag = st.booleans()
tokens = st.just(0) | ref("token", 0, 1)
locks = st.sampled_from(LOCKS)
held = st.tuples(locks, ref("token", 0))
writing = [
    when | {"keep_ttl": st.just(True)},
    {"if_absent": st.just(True), "if_present": st.just(True), "if_version": versions, "if_value": wanted},
    {"lease": held},
]
where = [
    {"if_new": st.just(True), "if_expiring": st.just(True)},
    {"if_longer": st.just(True), "if_shorter": st.just(True)},
]
steps = ints | floats | decimals
bounds = st.sampled_from(
    [0, 10, -10, 2**62, 2**63, 1.5, -1.5, float("nan"), Decimal("2.5"), Decimal("NaN"), Decimal("sNaN")]
)
counting: dict[str, Any] = {
    "by": steps, "minimum": bounds, "maximum": bounds, "clamp": flag, "ttl_if_new": spans,
}  # fmt: skip
pairs = st.tuples(keys, values)
places = st.sampled_from([0, 1, 2, -1, -2, 5, -100, 100, 2**62, -(2**62)])
offsets = st.sampled_from([0, 1, 3, 40, -1, 2**40])
lease = st.sampled_from([1, 5, 20, 100, 15_000, 86_400_000, 86_400_001])

CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "GET": call(keys),
    "GETENTRY": call(keys),
    "SET": with_groups(keys, values, groups=writing),
    "GETSET": with_groups(keys, values, groups=writing),
    "GETDEL": call(keys),
    "GETEX": with_groups(keys, groups=[when | {"persist": st.just(True)}]),
    "APPEND": call(keys, some_text),
    "GETRANGE": call(keys, places, places),
    "SETRANGE": call(keys, offsets, some_text),
    "STRLEN": call(keys),
    "MGET": tail(keys),
    "MSET": tail(pairs, ttl=spans),
    "MSETNX": tail(pairs, ttl=spans),
    "INCR": call(keys, **counting) | call(keys),
    "DECR": call(keys, **counting) | call(keys),
    "DEL": tail(keys) | call(keys, if_version=versions, if_value=wanted) | tail(keys, if_version=versions),
    "EXISTS": tail(keys),
    "TYPE": call(keys),
    "EXPIRE": with_groups(keys, spans, groups=where),
    "EXPIREAT": with_groups(keys, ref("now", -10, 0, 1, 5, 20, 100), groups=where),
    "TTL": call(keys),
    "EXPIRETIME": call(keys),
    "PERSIST": call(keys),
    "RENAME": call(keys, keys),
    "RENAMENX": call(keys, keys),
    "COPY": call(keys, keys, replace=flag),
    "MOVE": call(keys, namespaces),
    "RANDOMKEY": call(),
    "SCAN": call(
        st.just(0),
        count=st.sampled_from([1, 2, 100]),
        match=st.sampled_from(["*", "a*", "?", "{t}*", "[ab]", "\\{*"]),
        type=st.sampled_from(["int", "str", "list", "null", "nothing"]),
    ),
    "KEYS": call(st.sampled_from(["*", "a*", "?", "{t}*", "[ab]", "\\{*"])),
    "DBSIZE": call(),
    "NAMESPACE LIST": call(),
    "NAMESPACE STATS": call(namespaces),
    "NAMESPACE DROP": call(namespaces),
    "FLUSHDB": call(),
    "LOCK": call(
        locks,
        ttl=lease,
        wait=st.sampled_from([0, 1, 20, 100, 60_000]),
        shared=st.just(True),
        limit=st.sampled_from([1, 2, 3]),
    ),
    "UNLOCK": call(locks, tokens),
    "EXTEND": tail(st.tuples(locks, tokens), before=(lease,)),
    "LOCKS": call(),
    "LEASES": call(),
    "BREAK": call(locks, token=tokens) | call(locks),
}

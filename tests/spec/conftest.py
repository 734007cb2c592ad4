"""The hardest command lines Redis has, declared for the kit's own tests: only their form matters, not what they do."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import pytest

from kv_server.spec import (
    BLOCKS,
    FAST,
    GROWS,
    OPTIONAL,
    PAIRS,
    READ,
    SLOW,
    TAKES,
    WRITE,
    Catalog,
    Count,
    Counted,
    Duration,
    Float,
    Int,
    Key,
    Label,
    Name,
    Octets,
    Pattern,
    Same,
    Size,
    SourceKey,
    Text,
    Time,
    Timeout,
    Token,
    Unit,
    Value,
    Version,
    View,
    command,
)  # fmt: skip
from kv_server.spec.resp_kinds import OK, Simple

SINCE = "0.1"
COST = "O(1)"


class Scored(NamedTuple):
    score: Float
    member: Name


class Limit(NamedTuple):
    offset: Int
    count_: Int


class Position(NamedTuple):
    longitude: Float
    latitude: Float


class Radius(NamedTuple):
    radius: Float
    unit: Literal["M", "KM", "FT", "MI"]


class Box(NamedTuple):
    width: Float
    height: Float
    unit: Literal["M", "KM", "FT", "MI"]


class Found(NamedTuple):
    member: Name
    distance: float
    position: Position


def done(reply: object) -> Simple:
    return OK


def members(pairs: list[Any]) -> list[Name]:
    return [pair[1] for pair in pairs]


def scores(pairs: list[Any]) -> Annotated[list[tuple[Name, Float]], PAIRS]:
    return [(pair[1], pair[0]) for pair in pairs]


def first(values: list[Any]) -> Value | None:
    return values[0] if values else None


def found_members(found: list[Any]) -> list[Name]:
    return [each.member for each in found]


def places(found: list[Any]) -> list[tuple[Name, Position]]:
    return [(each.member, each.position) for each in found]


def distances(found: list[Any]) -> list[tuple[Name, Float]]:
    return [(each.member, each.distance) for each in found]


def whole(found: list[Any]) -> list[Found]:
    return found


@command(
    WRITE | GROWS | FAST, group="string", since=SINCE, cost=COST,
    views=(View("done", done),), selects={"GET": "GETSET"},
    exclusive=(("ttl", "expires_at", "keep_ttl"), ("if_absent", "if_present", "if_value")),
)  # fmt: skip
def set_(
    tx: Any,
    key: Key,
    value: Value,
    /,
    *,
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    expires_at: Annotated[Time | None, Token("EXAT", 1000), Token("PXAT")] = None,
    keep_ttl: Annotated[bool, Token("KEEPTTL")] = False,
    if_absent: Annotated[bool, Token("NX")] = False,
    if_present: Annotated[bool, Token("XX")] = False,
    if_value: Annotated[Value | None, Token("IFEQ")] = None,
) -> Version:
    """Store *value* at *key*."""
    return 1


@command(WRITE | GROWS | FAST, group="string", since=SINCE, cost=COST, exclusive=(("ttl", "expires_at", "keep_ttl"),))
def getset(
    tx: Any,
    key: Key,
    value: Value,
    /,
    *,
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    expires_at: Annotated[Time | None, Token("EXAT", 1000), Token("PXAT")] = None,
    keep_ttl: Annotated[bool, Token("KEEPTTL")] = False,
    if_absent: Annotated[bool, Token("NX")] = False,
    if_present: Annotated[bool, Token("XX")] = False,
    if_value: Annotated[Value | None, Token("IFEQ")] = None,
) -> Value | None:
    """Store *value* at *key* and return what was there."""
    return b"\xa3old"


@command(WRITE | GROWS | FAST, group="zset", since=SINCE, cost="O(log n) a member")
def zadd(
    tx: Any,
    key: Key,
    /,
    *items: Scored,
    condition: Literal["NX", "XX"] | None = None,
    comparison: Literal["GT", "LT"] | None = None,
    ch: bool = False,
) -> int:
    """Add members to the sorted set at *key*, or move those already there."""
    return len(items)


@command(
    READ, group="zset", since=SINCE, cost="O(log n + m)",
    views=(View("members", members), View("scores", scores, tokens=("WITHSCORES",))),
)  # fmt: skip
def zrange(
    tx: Any,
    key: Key,
    start: Octets,
    stop: Octets,
    /,
    *,
    by: Literal["BYSCORE", "BYLEX"] | None = None,
    rev: bool = False,
    limit: Limit | None = None,
) -> list[Scored]:
    """Return members of the sorted set at *key* from *start* to *stop*."""
    return [Scored(1.0, b"a")]


@command(WRITE | SLOW, group="zset", since=SINCE, cost="O(n log n)")
def zunionstore(
    tx: Any,
    target: Key,
    keys: Counted[SourceKey],
    /,
    *,
    weights: Annotated[tuple[Float, ...] | None, Token("WEIGHTS"), Same("keys")] = None,
    aggregate: Annotated[Literal["SUM", "MIN", "MAX"], Token("AGGREGATE")] = "SUM",
) -> int:
    """Store the union of sorted sets at *target*."""
    return 0


@command(READ | SLOW, group="set", since=SINCE, cost="O(n)")
def sintercard(tx: Any, keys: Counted[SourceKey], /, *, limit: Annotated[Size, Token("LIMIT")] = 0) -> int:
    """Return how many members sets have in common."""
    return 0


@command(WRITE | FAST, group="list", since=SINCE, cost="O(keys)")
def lmpop(
    tx: Any, keys: Counted[Key], where: Literal["LEFT", "RIGHT"], /, *, count: Annotated[Count, Token("COUNT")] = 1
) -> tuple[Key, list[Value]] | None:
    """Pop values off the first list that has some."""
    return None


@command(
    WRITE | FAST, group="list", since=SINCE, cost="O(count)",
    views=(View("one", first, without="count"),),
)  # fmt: skip
def lpop(tx: Any, key: Key, count: Size = 1, /) -> list[Value]:
    """Pop values off the head of the list at *key*."""
    return [b"\xa1a"] * count


@command(WRITE | BLOCKS | TAKES, group="list", since=SINCE, cost="O(keys)")
def blpop(tx: Any, /, *keys: Key, timeout: Annotated[Timeout, Unit(1000)]) -> tuple[Key, Value] | None:
    """Pop the head of the first list that has one, waiting for it."""
    return None


@command(WRITE | FAST, group="hash", since=SINCE, cost="O(fields)")
def hexpire(
    tx: Any,
    key: Key,
    ttl: Annotated[Duration, Unit(1000), Label("seconds")],
    /,
    *,
    condition: Literal["NX", "XX", "GT", "LT"] | None = None,
    fields: Annotated[Counted[Name], Token("FIELDS")],
) -> list[int]:
    """Let fields of the hash at *key* expire."""
    return [1 for _ in fields]


@command(WRITE | SLOW, group="script", since=SINCE, cost="O(script)")
def eval_(tx: Any, script: Text, keys: Annotated[Counted[Key], OPTIONAL], /, *args: Annotated[Octets, OPTIONAL]) -> Any:
    """Run *script*."""
    return [script, keys, args]


@command(READ | SLOW, group="keys", since=SINCE, cost="O(n log n)")
def sort(
    tx: Any,
    key: Key,
    /,
    *,
    by: Annotated[Pattern | None, Token("BY")] = None,
    limit: Limit | None = None,
    gets: Annotated[tuple[Pattern, ...], Token("GET")] = (),
    order: Literal["ASC", "DESC"] | None = None,
    alpha: bool = False,
    store: Annotated[Key | None, Token("STORE"), Label("target")] = None,
) -> list[Value | None]:
    """Return what is at *key* in order."""
    return []


@command(
    READ | SLOW, group="geo", since=SINCE, cost="O(n)",
    one_of=(("from_member", "from_position"), ("radius", "box")),
    views=(
        View("members", found_members),
        View("places", places, tokens=("WITHCOORD",)),
        View("distances", distances, tokens=("WITHDIST",)),
        View("both", whole, tokens=("WITHCOORD", "WITHDIST")),
    ),
)  # fmt: skip
def geosearch(
    tx: Any,
    key: SourceKey,
    /,
    *,
    from_member: Annotated[Name | None, Token("FROMMEMBER")] = None,
    from_position: Annotated[Position | None, Token("FROMLONLAT")] = None,
    radius: Annotated[Radius | None, Token("BYRADIUS")] = None,
    box: Annotated[Box | None, Token("BYBOX")] = None,
    order: Literal["ASC", "DESC"] | None = None,
    count: Annotated[Count | None, Token("COUNT")] = None,
    any_: Annotated[bool, Token("ANY")] = False,
) -> list[Found]:
    """Return members near a place."""
    return [Found(b"a", 1.5, Position(13.0, 38.0))]


CATALOG = Catalog(
    (set_, getset, zadd, zrange, zunionstore, sintercard, lmpop, lpop, blpop, hexpire, eval_, sort, geosearch)
)


@pytest.fixture(scope="session")
def hard() -> Catalog:
    """The sample as a catalog."""
    return CATALOG

"""Sorted sets: names, each with a score, in the order of the scores; where those tie, of the bytes of the names."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument
from kv_server.commands.sets import check_draws
from kv_server.commands.zset_forms import AS_MEMBERS, WITH_SCORES, Scored, member_of_one, number, scored
from kv_server.engine.tx import Tx
from kv_server.model.glob import matches
from kv_server.model.ranking import Pair
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, RESP_DOOR, WRITE, View
from kv_server.spec.types import (
    NATIVE,
    TELLS,
    Count,
    Cursor,
    Float,
    Int,
    Key,
    Name,
    Octets,
    Pattern,
    SourceKey,
    TakenKey,
    Token,
)

DEFAULT_PAGE: Final = 10


class Ranked(NamedTuple):
    """Where a member stands, from 0, and its score."""

    rank: int
    score: Float


class ScorePage(NamedTuple):
    """One page of a walk over a sorted set; `cursor` 0 says that the walk is complete."""

    cursor: int
    items: list[Scored]


class Where(NamedTuple):
    """Which scores a change may give."""

    if_absent: bool
    if_present: bool
    if_greater: bool
    if_less: bool


ALWAYS: Final = Where(False, False, False, False)


def rank_alone(ranked: Ranked | None) -> int | None:
    return None if ranked is None else ranked.rank


def rank_and_score(ranked: Ranked | None) -> tuple[int, Float] | None:
    return ranked


def page_of_scores(page: ScorePage) -> tuple[Octets, list[Octets]]:
    """Text clients get all of it as text, side by side."""
    return b"%d" % page.cursor, [word for score, member in page.items for word in (member, spelled(score))]


def spelled(score: float) -> bytes:
    if 1e16 <= abs(score) < 1e17:
        return b"%d" % score
    return repr(score).removesuffix(".0").encode()


RANKS: Final = (View("rank", rank_alone), View("score", rank_and_score, tokens=("WITHSCORE",)))


@command(
    WRITE | GROWS | FAST,
    group="zset",
    since="0.1",
    cost="O(log size) a member",
    doors=NATIVE_DOOR,
    exclusive=(("if_absent", "if_present"), ("if_absent", "if_greater", "if_less")),
    handle="add",
)
def zadd(
    tx: Tx,
    key: Key,
    /,
    *items: Scored,
    if_absent: bool = False,
    if_present: bool = False,
    if_greater: bool = False,
    if_less: bool = False,
    changed: bool = False,
) -> int:
    """Give members of the sorted set at *key* the scores in *items*; return how many were added.

    *if_absent* only adds, *if_present* only changes; *if_greater*, *if_less*: a member that is there gets a greater,
    a lower score only. With *changed* those that got another score count too.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zadd("board", (80, "bob"), (10, "cid"), if_greater=True, changed=True)
    2
    """
    where = Where(if_absent, if_present, if_greater, if_less)
    return put_scores(tx, key, [(number(score, "score"), member) for score, member in items], where, changed)


@command(
    WRITE | GROWS | FAST,
    group="zset",
    since="0.1",
    cost="O(log size) a member",
    name="ZADD",
    doors=RESP_DOOR,
    method=None,
)
def zadd_on_resp(
    tx: Tx,
    key: Key,
    /,
    *items: Scored,
    nx: bool = False,
    xx: bool = False,
    gt: bool = False,
    lt: bool = False,
    ch: bool = False,
    incr: Annotated[bool, TELLS] = False,
) -> object:
    """Add members or change their scores, as natively; with *incr* do what natively `ZINCRBY` does, with conditions."""
    if nx and xx:
        raise InvalidArgument("XX and NX options at the same time are not compatible")
    if (gt and lt) or (nx and (gt or lt)):
        raise InvalidArgument("GT, LT, and/or NX options at the same time are not compatible")
    where = Where(nx, xx, gt, lt) if nx or xx or gt or lt else ALWAYS
    if not incr:
        return put_scores(tx, key, items, where, ch)
    if len(items) != 1:
        raise InvalidArgument("INCR option supports a single increment-element pair")
    score, member = items[0]
    return add_to_score(tx, key, score, member, where)


@command(
    WRITE | GROWS | FAST,
    group="zset",
    since="0.1",
    cost="O(log size)",
    exclusive=(("if_absent", "if_present"), ("if_absent", "if_greater", "if_less")),
    handle="increment",
    nothing_with=("if_absent", "if_present", "if_greater", "if_less"),
    event="zincr",
)
def zincrby(
    tx: Tx,
    key: TakenKey,
    increment: Float,
    member: Name,
    /,
    *,
    if_absent: Annotated[bool, NATIVE] = False,
    if_present: Annotated[bool, NATIVE] = False,
    if_greater: Annotated[bool, NATIVE] = False,
    if_less: Annotated[bool, NATIVE] = False,
) -> Float | None:
    """Add *increment* to the score of *member* of the sorted set at *key*, and return the sum.

    A member that is absent counts as 0. Where a condition, as of `ZADD`, does not hold, nothing is returned.

    >>> await client.zincrby("board", 5, "ann"), await client.zincrby("board", 2.5, "ann")
    (5.0, 7.5)
    >>> await client.zincrby("board", 1, "bob", if_present=True) is None
    True
    """
    where = Where(if_absent, if_present, if_greater, if_less)
    return add_to_score(tx, key, number(increment, "increment"), member, where)


@command(
    WRITE | FAST, group="zset", since="0.1", cost="O(log size) a member", handle={"zset": "remove", "geo": "remove"}
)
def zrem(tx: Tx, key: Key, /, *members: Name) -> int:
    """Remove *members* from the sorted set at *key* and return how many were there.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zrem("board", "bob", "absent")
    1
    """
    asked = list(dict.fromkeys(members))
    scores = tx.zset_scores(key, asked)
    gone = [member for member, score in zip(asked, scores, strict=True) if score is not None]
    if gone:
        tx.zset_drop(key, gone)
    return len(gone)


@command(READ | FAST, group="zset", since="0.1", cost="O(1)", handle={"zset": "size", "geo": "size"})
def zcard(tx: Tx, key: SourceKey, /) -> int:
    """Return how many members the sorted set at *key* has.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zcard("board")
    2
    """
    return tx.zset_len(key)


@command(READ | FAST, group="zset", since="0.1", cost="O(1)", handle="score")
def zscore(tx: Tx, key: SourceKey, member: Name, /) -> Float | None:
    """Return the score of *member* of the sorted set at *key*; nothing if it is not there.

    >>> await client.zadd("board", {"ann": 70})
    1
    >>> await client.zscore("board", "ann"), await client.zscore("board", "absent")
    (70.0, None)
    """
    return tx.zset_score(key, member)


@command(READ | FAST, group="zset", since="0.1", cost="O(members)", handle="scores")
def zmscore(tx: Tx, key: SourceKey, /, *members: Name) -> list[Float | None]:
    """Return the scores of *members* of the sorted set at *key*, nothing for those that are not there.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zmscore("board", "bob", "absent")
    [55.0, None]
    """
    return tx.zset_scores(key, members)


@command(READ | FAST, group="zset", since="0.1", cost="O(log size)", views=RANKS, handle="rank")
def zrank(tx: Tx, key: SourceKey, member: Name, /) -> Ranked | None:
    """Return how many members of the sorted set at *key* stand before *member*, and its score.

    It is nothing if *member* is not there.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zrank("board", "ann")
    Ranked(rank=1, score=70.0)
    """
    found = tx.zset_rank(key, member)
    return None if found is None else Ranked(*found)


@command(READ | FAST, group="zset", since="0.1", cost="O(log size)", views=RANKS, handle="reverse_rank")
def zrevrank(tx: Tx, key: SourceKey, member: Name, /) -> Ranked | None:
    """Return how many members of the sorted set at *key* stand behind *member*, and its score, as `ZRANK`.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zrevrank("board", "ann")
    Ranked(rank=0, score=70.0)
    """
    found = tx.zset_rank(key, member)
    return None if found is None else Ranked(tx.zset_len(key) - 1 - found[0], found[1])


@command(
    READ,
    group="zset",
    since="0.1",
    cost="O(count)",
    views=(AS_MEMBERS, WITH_SCORES, View("one", member_of_one, without="count")),
    handle="random",
)
def zrandmember(tx: Tx, key: SourceKey, count: Int = 1, /) -> list[Scored]:
    """Return up to *count* random members of the sorted set at *key*, all different, with their scores.

    A negative *count* asks for exactly so many draws, among which a member may come again.

    >>> await client.zadd("board", {"ann": 70})
    1
    >>> await client.zrandmember("board")
    Scored(score=70.0, member='ann')
    """
    check_draws(count)
    return scored(tx.zset_sample(key, count) if count >= 0 else tx.zset_draws(key, -count))


@command(READ, group="zset", since="0.1", cost="O(count)", views=(View("page", page_of_scores),), handle="scan")
def zscan(
    tx: Tx,
    key: SourceKey,
    cursor: Cursor,
    /,
    *,
    match: Annotated[Pattern | None, Token("MATCH")] = None,
    count: Annotated[Count, Token("COUNT")] = DEFAULT_PAGE,
) -> ScorePage:
    """Return a page of members with their scores and the cursor of the next page, as `SSCAN`.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zscan("board", 0, match="a*", count=100)
    ScorePage(cursor=0, items=[Scored(score=70.0, member='ann')])
    >>> sorted([member async for score, member in client.sorted_set("board").scan()])
    ['ann', 'bob']
    """
    following, pairs = tx.zset_page(key, cursor, count)
    if match is not None:
        pairs = [pair for pair in pairs if matches(match, pair[1])]
    return ScorePage(following, scored(pairs))


def put_scores(tx: Tx, key: bytes, items: list[Pair] | tuple[Scored, ...], where: Where, changed: bool) -> int:
    """Give each member its score where that is allowed, and return how many were added, or added or changed."""
    if len(items) == 1:
        score, member = items[0]
        old = tx.zset_score(key, member)
        if old == score or not admits(where, old, score):
            return 0
        tx.zset_put(key, [(score, member)])
        return 1 if changed or old is None else 0
    scores: dict[bytes, float] = {}
    added = altered = 0
    for score, member in items:
        old = scores.get(member)
        if old is None:
            old = tx.zset_score(key, member)
        if old == score or not admits(where, old, score):
            continue
        if old is None:
            added += 1
        else:
            altered += 1
        scores[member] = score
    if scores:
        tx.zset_put(key, [(score, member) for member, score in scores.items()])
    return added + altered if changed else added


def add_to_score(tx: Tx, key: bytes, increment: float, member: bytes, where: Where) -> float | None:
    """Add to a score where that is allowed, and return the sum."""
    old = tx.zset_score(key, member)
    total = increment if old is None else old + increment
    if total != total:
        raise InvalidArgument("resulting score is not a number (NaN)")
    if not admits(where, old, total):
        return None
    if old is None or total != old:
        tx.zset_put(key, [(total, member)])
    return total


def admits(where: Where, old: float | None, score: float) -> bool:
    """Whether a member with the *old* score, or none, may get *score*."""
    if old is None:
        return not where.if_present
    return not (where.if_absent or (where.if_greater and score <= old) or (where.if_less and score >= old))

"""Ranges of sorted sets, by rank, by score or by name: returned, counted, copied, removed.

Natively `ZRANGE` is the one word for all of them; the older words of Redis stand for some of its forms.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from kv_protocol.errors import InvalidArgument
from kv_server.commands.zset_forms import AS_MEMBERS, WITH_SCORES, Limit, Scored, scored, store_scores
from kv_server.engine.tx import Tx
from kv_server.model.ranking import Pair
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_float, text_int
from kv_server.spec.command import GROWS, READ, RESP_DOOR, SLOW, WRITE
from kv_server.spec.types import Bound, Int, Key, Label, SourceKey

By = Literal["BYSCORE", "BYLEX"]
Low = Annotated[Bound, Label("min")]
High = Annotated[Bound, Label("max")]
FORMS: Final = (AS_MEMBERS, WITH_SCORES)


@command(READ, group="zset", since="0.1", cost="O(log size + returned)", views=FORMS, handle="range")
def zrange(
    tx: Tx,
    key: SourceKey,
    start: Bound,
    stop: Bound,
    /,
    *,
    by: By | None = None,
    rev: bool = False,
    limit: Limit | None = None,
) -> list[Scored]:
    """Return a range of the sorted set at *key*, its ends included, each member with its score.

    Ranks count from 0, negative ones from the end. With *by* BYSCORE the ends are scores: numbers, or text such as
    `(5` to leave 5 itself out, `-inf`, `+inf`. With BYLEX they are names, `[a` or `(a` without a itself, `-`, `+`; that
    needs all scores to be equal. *rev* turns the order, and which end comes first. *limit* leaves out and bounds.

    >>> await client.zadd("board", {"ann": 70, "bob": 55, "cid": 90})
    3
    >>> await client.zrange("board", 0, 0, rev=True)
    [Scored(score=90.0, member='cid')]
    >>> [each.member for each in await client.zrange("board", "(55", "+inf", by="BYSCORE")]
    ['ann', 'cid']
    """
    return scored(find(tx, key, start, stop, by, rev, limit))


@command(
    WRITE | GROWS | SLOW, group="zset", since="0.1", cost="O(log size + stored)", handle="store_range",
    event="zrangestore",
)  # fmt: skip
def zrangestore(
    tx: Tx,
    target: Key,
    source: SourceKey,
    start: Annotated[Bound, Label("min")],
    stop: Annotated[Bound, Label("max")],
    /,
    *,
    by: By | None = None,
    rev: bool = False,
    limit: Limit | None = None,
) -> int:
    """Store at *target* what `ZRANGE` returns of *source*, in the place of whatever is there; return how many that are.

    Where nothing was found, *target* is deleted.

    >>> await client.zadd("board", {"ann": 70, "bob": 55, "cid": 90})
    3
    >>> await client.zrangestore("top", "board", -2, -1)
    2
    """
    found = find(tx, source, start, stop, by, rev, limit)
    return store_scores(tx, target, {member: score for score, member in found})


@command(
    READ, group="zset", since="0.1", cost="O(log size + returned)", doors=RESP_DOOR, method=None, views=FORMS
)  # fmt: skip
def zrevrange(tx: Tx, key: SourceKey, start: Bound, stop: Bound, /) -> list[Scored]:
    """Return members by rank from the end: `ZRANGE` with REV."""
    return scored(find(tx, key, start, stop, None, True, None))


@command(
    READ, group="zset", since="0.1", cost="O(log size + returned)", doors=RESP_DOOR, method=None, views=FORMS
)  # fmt: skip
def zrangebyscore(tx: Tx, key: SourceKey, low: Low, high: High, /, *, limit: Limit | None = None) -> list[Scored]:
    """Return members by score: `ZRANGE` with BYSCORE."""
    return scored(find(tx, key, low, high, "BYSCORE", False, limit))


@command(
    READ, group="zset", since="0.1", cost="O(log size + returned)", doors=RESP_DOOR, method=None, views=FORMS
)  # fmt: skip
def zrevrangebyscore(tx: Tx, key: SourceKey, high: High, low: Low, /, *, limit: Limit | None = None) -> list[Scored]:
    """Return members by score from the highest: `ZRANGE` with BYSCORE and REV."""
    return scored(find(tx, key, high, low, "BYSCORE", True, limit))


@command(
    READ, group="zset", since="0.1", cost="O(log size + returned)", doors=RESP_DOOR, method=None, views=(AS_MEMBERS,)
)
def zrangebylex(tx: Tx, key: SourceKey, low: Low, high: High, /, *, limit: Limit | None = None) -> list[Scored]:
    """Return members by name: `ZRANGE` with BYLEX."""
    return scored(find(tx, key, low, high, "BYLEX", False, limit))


@command(
    READ, group="zset", since="0.1", cost="O(log size + returned)", doors=RESP_DOOR, method=None, views=(AS_MEMBERS,)
)
def zrevrangebylex(tx: Tx, key: SourceKey, high: High, low: Low, /, *, limit: Limit | None = None) -> list[Scored]:
    """Return members by name from the last: `ZRANGE` with BYLEX and REV."""
    return scored(find(tx, key, high, low, "BYLEX", True, limit))


@command(READ, group="zset", since="0.1", cost="O(log size)", handle="count")
def zcount(tx: Tx, key: SourceKey, low: Low, high: High, /) -> int:
    """Return how many members of the sorted set at *key* score from *low* to *high*, as `ZRANGE` reads them.

    >>> await client.zadd("board", {"ann": 70, "bob": 55, "cid": 90})
    3
    >>> await client.zcount("board", 60, "+inf")
    2
    """
    start, stop = score_ranks(tx, key, low, high)
    return max(stop - start, 0)


@command(READ, group="zset", since="0.1", cost="O(log size)", handle="count_by_name")
def zlexcount(tx: Tx, key: SourceKey, low: Low, high: High, /) -> int:
    """Return how many members of the sorted set at *key*, all of one score, are from *low* to *high* by name.

    >>> await client.zadd("names", {"ann": 0, "bob": 0, "cid": 0})
    3
    >>> await client.zlexcount("names", "[b", "+")
    2
    """
    start, stop = name_ranks(tx, key, low, high)
    return max(stop - start, 0)


@command(
    WRITE, group="zset", since="0.1", cost="O(log size + removed)", handle="remove_by_rank",
    event="zremrangebyrank",
)  # fmt: skip
def zremrangebyrank(tx: Tx, key: Key, start: Int, stop: Int, /) -> int:
    """Remove the members of the ranks from *start* to *stop*, both included, and return how many there were.

    >>> await client.zadd("board", {"ann": 70, "bob": 55, "cid": 90})
    3
    >>> await client.zremrangebyrank("board", 0, 1)
    2
    """
    return remove(tx, key, *ranks(tx.zset_len(key), start, stop))


@command(
    WRITE, group="zset", since="0.1", cost="O(log size + removed)", handle="remove_by_score",
    event="zremrangebyscore",
)  # fmt: skip
def zremrangebyscore(tx: Tx, key: Key, low: Low, high: High, /) -> int:
    """Remove the members that score from *low* to *high*, and return how many there were.

    >>> await client.zadd("board", {"ann": 70, "bob": 55, "cid": 90})
    3
    >>> await client.zremrangebyscore("board", "-inf", "(70")
    1
    """
    return remove(tx, key, *score_ranks(tx, key, low, high))


@command(
    WRITE, group="zset", since="0.1", cost="O(log size + removed)", handle="remove_by_name",
    event="zremrangebylex",
)  # fmt: skip
def zremrangebylex(tx: Tx, key: Key, low: Low, high: High, /) -> int:
    """Remove the members, all of one score, from *low* to *high* by name, and return how many there were.

    >>> await client.zadd("names", {"ann": 0, "bob": 0, "cid": 0})
    3
    >>> await client.zremrangebylex("names", "-", "(b")
    1
    """
    return remove(tx, key, *name_ranks(tx, key, low, high))


def find(
    tx: Tx, key: bytes, start: Bound, stop: Bound, by: By | None, rev: bool, limit: Limit | None
) -> list[Pair]:  # fmt: skip
    """What `ZRANGE` asks for, in the order it asks for."""
    if by is None:
        if limit is not None and limit.count_ != -1:
            raise InvalidArgument("syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        low, high = rank_of(start), rank_of(stop)
        size = tx.zset_len(key)
        first, end = ranks(size, low, high)
        if rev:
            first, end = size - end, size - first
    else:
        lowest, highest = (stop, start) if rev else (start, stop)
        choose = score_ranks if by == "BYSCORE" else name_ranks
        first, end = bounded(*choose(tx, key, lowest, highest), rev, limit)
    found = tx.zset_slice(key, first, end)
    if rev:
        found.reverse()
    return found


def bounded(first: int, end: int, rev: bool, limit: Limit | None) -> tuple[int, int]:
    """The ranks from *first* up to *end* that a limit leaves."""
    if limit is None:
        return first, end
    offset, count = limit
    if offset < 0:
        return 0, 0
    if rev:
        end -= offset
        return (first if count < 0 else max(first, end - count)), end
    first += offset
    return first, end if count < 0 else min(end, first + count)


def rank_of(bound: Bound) -> int:
    if type(bound) is bytes:
        return text_int(bound)
    if type(bound) is int and -(2**63) <= bound < 2**63:
        return bound
    raise InvalidArgument("value is not an integer or out of range")


def ranks(size: int, start: int, stop: int) -> tuple[int, int]:
    """Ranks as one may write them, both included, as the first and the one after the last."""
    first = max(start + size if start < 0 else start, 0)
    last = stop + size if stop < 0 else stop
    end = min(last + 1, size)
    return (first, end) if first < end else (0, 0)


def score_ranks(tx: Tx, key: bytes, low: Bound, high: Bound) -> tuple[int, int]:
    """The first rank from *low* on, and the first behind *high*."""
    (start, exclusive), (stop, open_end) = score_edge(low), score_edge(high)
    return (
        tx.zset_rank_of_score(key, start, beyond=exclusive),
        tx.zset_rank_of_score(key, stop, beyond=not open_end),
    )


def score_edge(bound: Bound) -> tuple[float, bool]:
    """A score, and whether it is left out itself."""
    try:
        if type(bound) is bytes:
            exclusive = bound[:1] == b"("
            return text_float(bound[exclusive:]), exclusive
        score = float(bound)
    except (InvalidArgument, OverflowError):
        score = float("nan")
    if score != score:
        raise InvalidArgument("min or max is not a float")
    return score, False


def name_ranks(tx: Tx, key: bytes, low: Bound, high: Bound) -> tuple[int, int]:
    """The first rank from the name *low* on, and the first behind *high*."""
    start, stop = name_edge(low), name_edge(high)
    return name_rank(tx, key, start, is_end=False), name_rank(tx, key, stop, is_end=True)


def name_edge(bound: Bound) -> bytes:
    """An end of a range of names as it is written, which is checked."""
    if type(bound) is not bytes or not (bound in (b"-", b"+") or bound[:1] in (b"[", b"(")):
        raise InvalidArgument("min or max not valid string range item")
    return bound


def name_rank(tx: Tx, key: bytes, edge: bytes, *, is_end: bool) -> int:
    """The first rank behind *edge*, or, where a range begins, the first that is in it."""
    size = tx.zset_len(key)
    if edge == b"-":
        return 0
    if edge == b"+":
        return size
    exclusive = edge[:1] == b"("
    return tx.zset_rank_of_member(key, edge[1:], beyond=exclusive is not is_end)


def remove(tx: Tx, key: bytes, first: int, end: int) -> int:
    """Take out what has the ranks from *first* up to *end*."""
    gone = [member for _, member in tx.zset_slice(key, first, end)]
    if gone:
        tx.zset_drop(key, gone)
    return len(gone)

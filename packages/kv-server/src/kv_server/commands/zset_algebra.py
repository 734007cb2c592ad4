"""Sorted sets combined: unions, intersections and differences, returned, stored or counted.

A set may take part too; its members score 1. Sources are combined from the smallest on, so sums round as in Redis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import filterfalse, islice
from math import isnan
from operator import add
from typing import Annotated, Final, Literal, TypeAlias

from kv_server.commands.zset_forms import AS_MEMBERS, WITH_SCORES, Scored, number, scored, store_scores
from kv_server.engine.effects.zsets import ScoreSource
from kv_server.engine.tx import Tx
from kv_server.model.ranking import in_order
from kv_server.spec.catalog import command
from kv_server.spec.command import GROWS, READ, SLOW, WRITE
from kv_server.spec.types import Counted, Float, Key, Same, Size, SourceKey, Token

Weights: TypeAlias = Annotated[tuple[Float, ...] | None, Token("WEIGHTS"), Same("keys")]
Aggregate: TypeAlias = Annotated[Literal["SUM", "MIN", "MAX"], Token("AGGREGATE")]
Weighted: TypeAlias = tuple[ScoreSource, float]
FORMS: Final = (AS_MEMBERS, WITH_SCORES)


JOINS: Final[Mapping[str, Callable[[float, float], float]]] = {"SUM": add, "MIN": min, "MAX": max}


@command(READ | SLOW, group="zset", since="0.1", cost="O(n log n), n members of all", views=FORMS, handle="union")
def zunion(
    tx: Tx, keys: Counted[SourceKey], /, *, weights: Weights = None, aggregate: Aggregate = "SUM"
) -> list[Scored]:
    """Return every member of the sorted sets at *keys*, in the order of their combined scores.

    The scores of a source are multiplied by its weight; what several have of one member is combined by *aggregate*.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zunion(["may", "june"], weights=[1, 2])
    [Scored(score=1.0, member='ann'), Scored(score=8.0, member='bob')]
    """
    return ranked(union(tx, keys, weights, aggregate))


@command(
    READ | SLOW,
    group="zset",
    since="0.1",
    cost="O(n * keys + n log n), n of the smallest",
    views=FORMS,
    handle="intersection",
)
def zinter(
    tx: Tx, keys: Counted[SourceKey], /, *, weights: Weights = None, aggregate: Aggregate = "SUM"
) -> list[Scored]:
    """Return the members that the sorted sets at all of *keys* have in common, with scores combined as by `ZUNION`.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zinter(["may", "june"], aggregate="MAX")
    [Scored(score=3.0, member='bob')]
    """
    return ranked(intersection(tx, keys, weights, aggregate))


@command(READ | SLOW, group="zset", since="0.1", cost="O(n * keys), n of the first", views=FORMS, handle="difference")
def zdiff(tx: Tx, keys: Counted[SourceKey], /) -> list[Scored]:
    """Return the members of the first sorted set that no other of *keys* has, with their scores.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zdiff(["may", "june"])
    [Scored(score=1.0, member='ann')]
    """
    return ranked(difference(tx, keys))


@command(
    WRITE | GROWS | SLOW, group="zset", since="0.1", cost="O(n log n), n members of all", handle="store_union",
    event="zunionstore",
)  # fmt: skip
def zunionstore(
    tx: Tx,
    target: Key,
    keys: Counted[SourceKey],
    /,
    *,
    weights: Weights = None,
    aggregate: Aggregate = "SUM",
) -> int:
    """Store at *target* what `ZUNION` would return, in the place of whatever is there, and return how many that are.

    Where nothing is left, *target* is deleted.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zunionstore("both", ["may", "june"])
    2
    """
    return store_scores(tx, target, union(tx, keys, weights, aggregate))


@command(
    WRITE | GROWS | SLOW,
    group="zset",
    since="0.1",
    cost="O(n * keys + n log n), n of the smallest",
    handle="store_intersection",
    event="zinterstore",
)
def zinterstore(
    tx: Tx,
    target: Key,
    keys: Counted[SourceKey],
    /,
    *,
    weights: Weights = None,
    aggregate: Aggregate = "SUM",
) -> int:
    """Store at *target* what `ZINTER` would return, as `ZUNIONSTORE`.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zinterstore("both", ["may", "june"])
    1
    """
    return store_scores(tx, target, intersection(tx, keys, weights, aggregate))


@command(
    WRITE | GROWS | SLOW,
    group="zset",
    since="0.1",
    cost="O(n * keys + n log n), n of the first",
    handle="store_difference",
    event="zdiffstore",
)
def zdiffstore(tx: Tx, target: Key, keys: Counted[SourceKey], /) -> int:
    """Store at *target* what `ZDIFF` would return, as `ZUNIONSTORE`.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zdiffstore("gone", ["may", "june"])
    1
    """
    return store_scores(tx, target, difference(tx, keys))


@command(READ | SLOW, group="zset", since="0.1", cost="O(n * keys), n of the smallest", handle="intersection_size")
def zintercard(tx: Tx, keys: Counted[SourceKey], /, *, limit: Annotated[Size, Token("LIMIT")] = 0) -> int:
    """Return how many members the sorted sets at all of *keys* have in common; with a *limit*, counting stops there.

    >>> await client.zadd("may", {"ann": 1, "bob": 2}), await client.zadd("june", {"bob": 3})
    (2, 1)
    >>> await client.zintercard(["may", "june"])
    1
    """
    first, *rest = sorted([tx.score_source(key).held for key in keys], key=len)
    common: Iterable[bytes] = first
    for held in rest:
        common = filter(held.__contains__, common)
    return sum(1 for _ in islice(common, limit or None))


def ranked(scores: dict[bytes, float]) -> list[Scored]:
    return scored(in_order(scores.values(), zip(scores.values(), scores, strict=True)))


def weighted(tx: Tx, keys: Sequence[bytes], weights: Sequence[float] | None) -> list[Weighted]:
    """What is at *keys*, each with its weight, the smallest first."""
    factors = [1.0] * len(keys) if weights is None else [number(weight, "weights") for weight in weights]
    pairs = list(zip(map(tx.score_source, keys), factors, strict=True))
    return sorted(pairs, key=lambda pair: len(pair[0].held))


def times(scores: Iterable[float], weight: float) -> Iterable[float]:
    """All of *scores* times *weight*."""
    return scores if weight == 1 else numbers([score * weight for score in scores])


def numbers(scores: list[float]) -> list[float]:
    """*scores*, where what is no number, as 0 times infinity and the sum of both infinities are, counts as 0."""
    return [0.0 if isnan(score) else score for score in scores] if any(map(isnan, scores)) else scores


def joined(both: list[bytes], aggregate: str, mine: Iterable[float], theirs: Iterable[float]) -> dict[bytes, float]:
    """The members that *both* have, with their scores combined."""
    return dict(zip(both, numbers(list(map(JOINS[aggregate], mine, theirs))), strict=True))


def union(tx: Tx, keys: Sequence[bytes], weights: Sequence[float] | None, aggregate: str) -> dict[bytes, float]:
    union: dict[bytes, float] = {}
    for source, weight in weighted(tx, keys, weights):
        members, found = source.whole()
        scores = dict(zip(members, times(found, weight), strict=True))
        if not union:
            union = scores
            continue
        both = list(filter(union.__contains__, scores))
        common = joined(both, aggregate, map(union.__getitem__, both), map(scores.__getitem__, both))
        union |= scores
        union |= common
    return union


def intersection(tx: Tx, keys: Sequence[bytes], weights: Sequence[float] | None, aggregate: str) -> dict[bytes, float]:
    (first, factor), *rest = weighted(tx, keys, weights)
    members, found = first.whole()
    common = dict(zip(members, times(found, factor), strict=True))
    for source, weight in rest:
        both = list(filter(source.held.__contains__, common))
        common = joined(both, aggregate, map(common.__getitem__, both), times(source.scores_of(both), weight))
    return common


def difference(tx: Tx, keys: Sequence[bytes]) -> dict[bytes, float]:
    first, *rest = map(tx.score_source, keys)
    members: Iterable[bytes] = first.held
    for source in rest:
        members = filterfalse(source.held.__contains__, members)
    left = list(members)
    return dict(zip(left, first.scores_of(left), strict=True))

"""Sorted sets combined: unions, intersections and differences, returned, stored or counted.

A set may take part too; its members score 1. Sources are combined from the smallest on, so sums round as in Redis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


@command(READ | SLOW, group="zset", since="0.1", cost="O(n log n), n members of all", views=FORMS)
def zunion(
    tx: Tx, keys: Counted[SourceKey], /, *, weights: Weights = None, aggregate: Aggregate = "SUM"
) -> list[Scored]:
    """Return every member of the sorted sets at *keys*, in the order of their combined scores.

    The scores of a source are multiplied by its weight; what several have of one member is combined by *aggregate*.
    """
    return ranked(union(tx, keys, weights, aggregate))


@command(READ | SLOW, group="zset", since="0.1", cost="O(n * keys + n log n), n of the smallest", views=FORMS)
def zinter(
    tx: Tx, keys: Counted[SourceKey], /, *, weights: Weights = None, aggregate: Aggregate = "SUM"
) -> list[Scored]:
    """Return the members that the sorted sets at all of *keys* have in common, with scores combined as by `ZUNION`."""
    return ranked(intersection(tx, keys, weights, aggregate))


@command(READ | SLOW, group="zset", since="0.1", cost="O(n * keys), n of the first", views=FORMS)
def zdiff(tx: Tx, keys: Counted[SourceKey], /) -> list[Scored]:
    """Return the members of the first sorted set that no other of *keys* has, with their scores."""
    return ranked(difference(tx, keys))


@command(WRITE | GROWS | SLOW, group="zset", since="0.1", cost="O(n log n), n members of all")
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
    """
    return store_scores(tx, target, union(tx, keys, weights, aggregate))


@command(WRITE | GROWS | SLOW, group="zset", since="0.1", cost="O(n * keys + n log n), n of the smallest")
def zinterstore(
    tx: Tx,
    target: Key,
    keys: Counted[SourceKey],
    /,
    *,
    weights: Weights = None,
    aggregate: Aggregate = "SUM",
) -> int:
    """Store at *target* what `ZINTER` would return, as `ZUNIONSTORE`."""
    return store_scores(tx, target, intersection(tx, keys, weights, aggregate))


@command(WRITE | GROWS | SLOW, group="zset", since="0.1", cost="O(n * keys + n log n), n of the first")
def zdiffstore(tx: Tx, target: Key, keys: Counted[SourceKey], /) -> int:
    """Store at *target* what `ZDIFF` would return, as `ZUNIONSTORE`."""
    return store_scores(tx, target, difference(tx, keys))


@command(READ | SLOW, group="zset", since="0.1", cost="O(n * keys), n of the smallest")
def zintercard(tx: Tx, keys: Counted[SourceKey], /, *, limit: Annotated[Size, Token("LIMIT")] = 0) -> int:
    """Return how many members the sorted sets at all of *keys* have in common; with a *limit*, counting stops there."""
    first, *rest = sorted([tx.score_source(key).places for key in keys], key=len)
    counted = 0
    for member in first:
        if all(member in places for places in rest):
            counted += 1
            if counted == limit:
                break
    return counted


def ranked(scores: dict[bytes, float]) -> list[Scored]:
    return scored(in_order(zip(scores.values(), scores, strict=True)))


def weighted(tx: Tx, keys: Sequence[bytes], weights: Sequence[float] | None) -> list[Weighted]:
    """What is at *keys*, each with its weight, the smallest first."""
    factors = [1.0] * len(keys) if weights is None else [number(weight, "weights") for weight in weights]
    pairs = list(zip(map(tx.score_source, keys), factors, strict=True))
    return sorted(pairs, key=lambda pair: len(pair[0].places))


def times(scores: dict[bytes, float], weight: float) -> dict[bytes, float]:
    """All of *scores* times *weight*."""
    return scores if weight == 1 else numbers({member: score * weight for member, score in scores.items()})


def numbers(scores: dict[bytes, float]) -> dict[bytes, float]:
    """*scores*, where what is no number, as 0 times infinity and the sum of both infinities are, counts as 0."""
    for member in [member for member, score in scores.items() if score != score]:
        scores[member] = 0.0
    return scores


def union(tx: Tx, keys: Sequence[bytes], weights: Sequence[float] | None, aggregate: str) -> dict[bytes, float]:
    join = JOINS[aggregate]
    union: dict[bytes, float] = {}
    for source, weight in weighted(tx, keys, weights):
        scores = times(source.scores(), weight)
        both = {member: join(union[member], scores[member]) for member in union.keys() & scores.keys()}
        union = numbers(union | scores | both)
    return union


def intersection(tx: Tx, keys: Sequence[bytes], weights: Sequence[float] | None, aggregate: str) -> dict[bytes, float]:
    join = JOINS[aggregate]
    (first, factor), *rest = weighted(tx, keys, weights)
    common = times(first.scores(), factor)
    for source, weight in rest:
        place_of, values = source.places.get, source.values
        theirs = {member: values[place] for member in common if (place := place_of(member)) is not None}
        theirs = times(theirs, weight)
        common = numbers({member: join(common[member], score) for member, score in theirs.items()})
    return common


def difference(tx: Tx, keys: Sequence[bytes]) -> dict[bytes, float]:
    first, *rest = map(tx.score_source, keys)
    scores = first.scores()
    for source in rest:
        scores = {member: score for member, score in scores.items() if member not in source.places}
    return scores

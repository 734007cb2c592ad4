"""Searching places around a point: which there are is settled at once, and how far each is when it is looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice
from math import inf
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from kv_server.commands.geo_forms import Found, Position
from kv_server.engine.tx import Tx
from kv_server.model.geo import Area, decode_all, number_of, ranges
from kv_server.model.geo_cells import Cell, cells
from kv_server.model.ranking import Pair
from kv_server.spec.reply import Stretch
from kv_server.spec.resp_kinds import LONG

__all__ = ["Order", "Search", "search"]

Order = Literal["ASC", "DESC"]
Fact: TypeAlias = tuple[float, int, bytes, int, Position]
"""Of a place: by what it is ordered, how many others were met before, member, number and where it is."""

_AT_ONCE: Final = 1_024  # so many are looked at before it is asked whether that is enough
_TOGETHER: Final = 4  # cells that are put in order at once


class Search(NamedTuple):
    """What to look for, and how much of it is wanted in which order."""

    area: Area
    meters: float
    """Of the unit of distances."""
    order: Order | None
    most: int | None
    first_found: bool


class Nearby(Stretch[Found]):
    """What a search met, of which some are in *cells* that all belong to the area, others were looked at."""

    def __init__(self, asked: Search, parts: list[tuple[float, Cell, list[Fact] | None]]) -> None:
        found = sum(len(cell.pairs if facts is None else facts) for _, cell, facts in parts)
        super().__init__(range(found if asked.most is None else min(found, asked.most)), self.found)
        self.asked = asked
        self.parts = parts

    def __iter__(self) -> Iterator[Found]:
        return islice(map(self.found, self.in_order()), len(self))

    def __getitem__(self, at: Any) -> Any:
        return list(self)[at]

    def found(self, fact: Fact) -> Found:
        away, _, member, number, place = fact
        return Found(member, abs(away) / self.asked.meters, number, place)

    def in_order(self) -> Iterator[Fact]:
        """All of them. Those that are nearer than the next cell can be are in order whatever that holds."""
        parts, order = self.parts, self.asked.order
        if order is not None:
            parts = sorted(parts, key=lambda part: part[0])
        waiting: list[Fact] = []
        for start in range(0, len(parts), _TOGETHER):
            for _, cell, facts in parts[start : start + _TOGETHER]:
                waiting += facts_of(self.asked, cell.pairs, cell.at) if facts is None else facts
            done = len(waiting)
            if order is not None:
                following = parts[start + _TOGETHER][0] if start + _TOGETHER < len(parts) else inf
                waiting.sort()
                done = bisect_left(waiting, (following,))
            yield from waiting[:done]
            del waiting[:done]


def search(tx: Tx, key: bytes, asked: Search | None) -> list[Found]:
    """What lies in the area, in the order and number that were asked for."""
    if asked is None:
        return []
    if asked.most is not None and asked.order is None and not asked.first_found:
        asked = asked._replace(order="ASC")
    if asked.first_found:
        return first_found(tx, key, asked)
    met = [(first, end, pairs) for first, end in ranges(asked.area) if (pairs := places(tx, key, first, end))]
    everything = list(chain.from_iterable(pairs for _, _, pairs in met))
    if asked.area.radius is None or len(everything) <= LONG:
        return found(asked, facts_of(asked, everything, 0))
    several = nearby(asked, met)
    return cast(list[Found], several if len(several) > LONG else list(several))


def nearby(asked: Search, met: Iterable[tuple[int, int, list[Pair]]]) -> Nearby:
    parts: list[tuple[float, Cell, list[Fact] | None]] = []
    before, radius = 0, cast(float, asked.area.radius)
    for first, end, pairs in met:
        for cell in cells(asked.area, first, end, pairs, before):
            facts = (
                None if cell.most <= radius else facts_of(asked, cell.pairs, cell.at) if cell.least <= radius else []
            )
            if facts is None or facts:
                parts.append((-cell.most if asked.order == "DESC" else cell.least, cell, facts))
        before += len(pairs)
    return Nearby(asked, parts)


def first_found(tx: Tx, key: bytes, asked: Search) -> list[Found]:
    """The first that turn up, as many as are wanted."""
    facts: list[Fact] = []
    before = 0
    for first, end in ranges(asked.area):
        pairs = places(tx, key, first, end)
        for at in range(0, len(pairs), _AT_ONCE):
            facts += facts_of(asked, pairs[at : at + _AT_ONCE], before + at)
            if len(facts) >= cast(int, asked.most):
                return found(asked, facts[: asked.most])
        before += len(pairs)
    return found(asked, facts)


def places(tx: Tx, key: bytes, first: int, end: int) -> list[Pair]:
    """Members with numbers from *first* up to *end*, which is left out."""
    start = tx.zset_rank_of_score(key, first, beyond=False)
    return tx.zset_slice(key, start, tx.zset_rank_of_score(key, end, beyond=False))


def facts_of(asked: Search, pairs: list[Pair], before: int) -> list[Fact]:
    """Those of *pairs* that lie in the area; *before* so many others."""
    numbers = [number_of(score) for score, _ in pairs]
    there = decode_all(numbers)
    sign = -1.0 if asked.order == "DESC" else 1.0
    facts = zip(asked.area.distances(there), count(before), pairs, numbers, there, strict=False)
    return [
        (away * sign, at, member, number, cast(Position, place))
        for away, at, (_, member), number, place in facts
        if away is not None
    ]


def found(asked: Search, facts: list[Fact]) -> list[Found]:
    if asked.order is not None:
        facts.sort()
    meters = asked.meters
    return [Found(member, abs(away) / meters, number, place) for away, _, member, number, place in facts[: asked.most]]

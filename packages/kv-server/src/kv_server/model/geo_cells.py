"""Many places by cells of the map: what is known of a cell, how near and how far it is, need not be asked of each
place in it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from kv_server.model.geo import Area
from kv_server.model.ranking import Pair

__all__ = ["Cell", "cells"]

_FEW: Final = 128  # places that no cell is parted for


class Cell(NamedTuple):
    """Places of one cell, and how many meters they are away from the middle of an area, at least and at most."""

    least: float
    most: float
    at: int
    """How many places come before them."""
    pairs: list[Pair]


def cells(area: Area, first: int, end: int, pairs: list[Pair], before: int) -> Iterator[Cell]:
    """The cells of *pairs*, which are all the places with numbers from *first* up to *end*; so many come *before*."""
    rest = [(first, end, 0, len(pairs))]
    while rest:
        first, end, start, stop = rest.pop()
        quarter = (end - first) // 4
        if start == stop:
            continue
        if stop - start <= _FEW or not quarter:
            yield Cell(*area.away(first, end), before + start, pairs[start:stop])
            continue
        for number in range(end - quarter, first - 1, -quarter):
            begin = bisect_left(pairs, (number,), start, stop)
            rest.append((number, number + quarter, begin, stop))
            stop = begin

"""The calls on small collections, and on one element of large ones, that `data_types.py` measures."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from attrs import frozen
from data_cases import ELEMENT, Calls, Word, portions

AT_ONCE: Final = 200  # calls on one element each that are sent together


@frozen
class Small:
    """Calls that are timed together and count as *units*; *limit_us* is how long one may take."""

    name: str
    calls: Callable[[int, int], Calls]
    before: Callable[[int], Calls] = lambda size: []
    units: int = 1
    limit_us: float | None = None


def members(name: str, first: int, count: int) -> list[Word]:
    return ["SADD", name, *map(ELEMENT.format, range(first, first + count))]


def scores(name: str, first: int, count: int) -> Calls:
    return [
        ["ZADD", name, *(word for at in part for word in (at * 7919 % 1_000_003, ELEMENT.format(at)))]
        for part in portions(count, first)
    ]


def same(*calls: list[Word]) -> Callable[[int, int], Calls]:
    return lambda size, number: list(calls)


def each(make: Callable[[int, random.Random], list[Word]]) -> Callable[[int, int], Calls]:
    """Many calls, each on another element."""

    def made(size: int, number: int) -> Calls:
        dice = random.Random(number)
        return [make(size, dice) for _ in range(AT_ONCE)]

    return made


THREE: Final[Calls] = [["SET", "a", 1], ["INCR", "a"], ["GET", "a"]]
WATCHED: Final[list[Word]] = [f"watched:{number}" for number in range(100)]
ELEMENTS: Final[list[Word]] = [ELEMENT.format(at) for at in range(100)]

SMALL: Final = (
    Small(
        "SINTER of 10,000 and 10,000",
        same(["SINTER", "s:x", "s:y"]),
        lambda size: [members("s:x", 0, 10_000), members("s:y", 5_000, 10_000)],
        limit_us=5_000,
    ),
    Small(
        "ZINTERSTORE of 10,000 and 10,000",
        same(["ZINTERSTORE", "out", 2, "z:x", "z:y"]),
        lambda size: [*scores("z:x", 0, 10_000), *scores("z:y", 5_000, 10_000)],
        limit_us=10_000,
    ),
    Small(
        "HGETALL of 100",
        same(["HGETALL", "h"]),
        lambda size: [["HSET", "h", *(word for element in ELEMENTS for word in (element, "value"))]],
        limit_us=500,
    ),
    Small(
        "LRANGE of 100",
        same(["LRANGE", "l", 0, -1]),
        lambda size: [["DEL", "l"], ["RPUSH", "l", *ELEMENTS]],
        limit_us=500,
    ),
    Small("three calls", same(*THREE)),
    Small("three calls in a transaction", same(["MULTI"], *THREE, ["EXEC"])),
    Small("WATCH, one of 100 keys", same(["WATCH", *WATCHED], ["UNWATCH"]), units=len(WATCHED), limit_us=100),
)

GROWING: Final = (
    Small("ZADD", each(lambda size, dice: ["ZADD", f"z:{size}", dice.random(), f"new:{dice.randrange(10**9)}"])),
    Small("ZRANK", each(lambda size, dice: ["ZRANK", f"z:{size}", ELEMENT.format(dice.randrange(size))])),
    Small(
        "ZRANGE of 10 by rank",
        each(lambda size, dice: ["ZRANGE", f"z:{size}", (at := dice.randrange(size)), at + 9]),
    ),
    Small(
        "ZRANGE of 10 by score",
        each(
            lambda size, dice: ["ZRANGE", f"z:{size}", dice.randrange(size), "inf", "BYSCORE", "LIMIT", 0, 10],
        ),
    ),
    Small("ZREM", each(lambda size, dice: ["ZREM", f"z:{size}", ELEMENT.format(dice.randrange(size))])),
)
"""On one element of a sorted set, small or large."""

"""What `data_types.py` measures: the collections it fills both servers with, slow commands, and calls on small ones."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from attrs import frozen

Word: TypeAlias = "str | int | float | Dumped"
Calls: TypeAlias = list[list[Word]]

PORTION: Final = 500  # elements of one call that fills
OTHER: Final = 1  # the database of many keys
ELEMENT: Final = "member:{:08}"
KEY: Final = "key:{:08}"


@frozen
class Dumped:
    """Stands for what DUMP says of *key*."""

    key: str


@frozen
class Slow:
    """A command at its slowest: its calls, those to make before each time, and for how long others may notice it."""

    name: str
    calls: Callable[[int], Calls]
    before: Callable[[int], Calls] = lambda size: []
    linger_s: Callable[[int], float] = lambda size: 0.0


def portions(size: int, first: int = 0) -> Iterator[range]:
    for start in range(first, first + size, PORTION):
        yield range(start, min(start + PORTION, first + size))


def filling(size: int) -> Iterator[list[Word]]:
    """The calls that make all collections of *size* elements: `x` and `y` overlap by half."""
    dice = random.Random(1)
    for name, first in (("x", 0), ("y", size // 2)):
        for part in portions(size, first):
            yield ["SADD", f"set:{name}", *map(ELEMENT.format, part)]
            yield ["ZADD", f"zset:{name}", *(word for at in part for word in (at * 7919 % size, ELEMENT.format(at)))]
    for part in portions(size):
        yield ["RPUSH", "list:x", *map(ELEMENT.format, part)]
        yield ["RPUSH", "list:numbers", *(at * 7919 % size for at in part)]
        yield ["HSET", "hash:x", *(word for at in part for word in (ELEMENT.format(at), KEY.format(at)))]
        places = [(f"{dice.uniform(-179, 179):.5f}", f"{dice.uniform(-84, 84):.5f}", ELEMENT.format(at)) for at in part]
        yield ["GEOADD", "geo:x", *(word for place in places for word in place)]
        for at in part:
            yield ["XADD", "stream:x", f"1-{at + 1}", "field", ELEMENT.format(at)]
    for name in ("x", "y"):
        yield ["SETRANGE", f"string:{name}", 16 * size - 1, name]
        yield ["SET", f"text:{name}", "".join(dice.choice("acgt") for _ in range(1_000))]
    yield from keys(size)


def keys(size: int, *options: Word) -> Iterator[list[Word]]:
    """The calls that make many keys in a database of their own."""
    yield ["SELECT", OTHER]
    for at in range(size):
        yield ["SET", KEY.format(at), "value", *options]
    yield ["SELECT", 0]


def call(*words: Word) -> Callable[[int], Calls]:
    return lambda size: [list(words)]


def elsewhere(*words: Word) -> Callable[[int], Calls]:
    return lambda size: [["SELECT", OTHER], list(words), ["SELECT", 0]]


def half(*words: Word) -> Callable[[int], Calls]:
    """A call whose last word is half of the elements."""
    return lambda size: [[*words, size // 2]]


def anew(key: str) -> Callable[[int], Calls]:
    """A copy at `out` that shares nothing with *key*."""
    return call("RESTORE", "out", 0, Dumped(key), "REPLACE")


def read(*words: str) -> Slow:
    return Slow(words[0], call(*words))


def stored(*words: Word) -> Slow:
    """A command that makes `out` anew."""
    return Slow(str(words[0]), call(*words), call("UNLINK", "out"))


COLLECTIONS: Final = ("set:x", "zset:x", "list:x", "hash:x", "stream:x", "string:x")


def freeing(size: int) -> float:
    """For so many seconds what was dropped may be being freed, which others may notice too."""
    return 0.2 + size / 2_000_000


def expiring(size: int) -> float:
    """Until so many seconds from now keys can be set that are to expire together."""
    return 4 + size / 20_000


SLOW: Final = (
    read("SMEMBERS", "set:x"),
    read("SUNION", "set:x", "set:y"),
    read("SINTER", "set:x", "set:y"),
    read("SDIFF", "set:x", "set:y"),
    stored("SUNIONSTORE", "out", "set:x", "set:y"),
    stored("SINTERSTORE", "out", "set:x", "set:y"),
    Slow("SPOP of half", half("SPOP", "out"), anew("set:x")),
    read("ZUNION", "2", "zset:x", "zset:y", "WITHSCORES"),
    stored("ZUNIONSTORE", "out", 2, "zset:x", "zset:y"),
    stored("ZINTERSTORE", "out", 2, "zset:x", "zset:y"),
    read("ZRANGE", "zset:x", "0", "-1", "WITHSCORES"),
    Slow("ZREMRANGEBYRANK of half", half("ZREMRANGEBYRANK", "out", 0), anew("zset:x")),
    read("LRANGE", "list:x", "0", "-1"),
    read("LREM", "list:x", "0", "absent"),
    Slow("LPOP of half", half("LPOP", "out"), anew("list:x")),
    read("HGETALL", "hash:x"),
    read("XRANGE", "stream:x", "-", "+"),
    Slow("XTRIM", call("XTRIM", "out", "MAXLEN", 10), anew("stream:x")),
    read("SORT", "list:numbers"),
    Slow("SORT ALPHA", call("SORT", "set:x", "ALPHA")),
    read("GEOSEARCH", "geo:x", "FROMLONLAT", "0", "0", "BYRADIUS", "30000", "KM", "ASC"),
    read("LCS", "text:x", "text:y"),
    read("BITCOUNT", "string:x"),
    stored("BITOP", "XOR", "out", "string:x", "string:y"),
    Slow("KEYS *", elsewhere("KEYS", "*")),
    Slow("KEYS key:*1*", elsewhere("KEYS", "key:*1*")),
    *(Slow(f"COPY {key[:-2]}", call("COPY", key, "out"), call("UNLINK", "out")) for key in COLLECTIONS),
    *(Slow(f"DUMP {key[:-2]}", call("DUMP", key)) for key in COLLECTIONS),
    *(
        Slow(f"RESTORE {key[:-2]}", call("RESTORE", "out", 0, Dumped(key)), call("UNLINK", "out"))
        for key in COLLECTIONS
    ),
    *(
        Slow(f"{word} {key[:-2]}", call(word, "out"), anew(key), freeing)
        for key in COLLECTIONS
        for word in ("DEL", "UNLINK")
    ),
    Slow("SET over zset", call("SET", "out", "x"), anew("zset:x"), freeing),
    Slow("PEXPIRE zset", call("PEXPIRE", "out", 1), anew("zset:x"), freeing),
    Slow(
        "expiry of all keys",
        elsewhere("EXISTS", "none"),
        lambda size: [*keys(size, "PXAT", int((time.time() + expiring(size)) * 1e3))],
        lambda size: expiring(size) + 2,
    ),
    Slow("FLUSHALL", call("FLUSHALL"), linger_s=lambda size: 8 * freeing(size)),
)
"""In this order: the last ones leave nothing behind."""

"""What data takes: bytes of memory for each key or element, by shape, in kv and in Redis; keeps the table in README.md.

    capacity.py [--keys N] [--native DIR] [--quick]

A server is started for each shape and told to hold so many of it; what its memory has grown by is divided.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import builds
from attrs import frozen
from figures import KV, REDIS, Figures, as_markdown, memory_row
from line import Call, line
from pages import replace
from processes import Server, kv, redis

KEYS: Final = 1_000_000

Calls = Iterator[Call]


@frozen
class Shape:
    """Calls that make so many elements, and how many of them count as one."""

    name: str
    calls: Callable[[int], Calls]
    unit: int = 1


def strings(size: int, *options: bytes) -> Callable[[int], Calls]:
    def calls(keys: int) -> Calls:
        for number in range(keys):
            yield b"SET", b"key:%012d" % number, b"%0*d" % (size, number), *options

    return calls


def hashes(keys: int) -> Calls:
    for number in range(keys // 5):
        fields = (word for at in range(5) for word in (b"field%d" % at, b"%010d" % number))
        yield b"HSET", b"key:%012d" % number, *fields


def sets(keys: int) -> Calls:
    for number in range(keys // 5):
        yield b"SADD", b"key:%012d" % number, *(b"%d:%010d" % (at, number) for at in range(5))


def lists(keys: int) -> Calls:
    for number in range(keys // 100):
        yield b"RPUSH", b"key:%012d" % number, *(b"%010d" % at for at in range(100))


def one(word: bytes, *before: bytes) -> Callable[[int], Calls]:
    """One large collection."""

    def calls(keys: int) -> Calls:
        for start in range(0, keys, 100):
            words: list[bytes] = []
            for at in range(start, start + 100):
                words += [each % at if b"%" in each else each for each in before]
            yield word, b"key", *words

    return calls


def streams(keys: int) -> Calls:
    for number in range(keys):
        yield b"XADD", b"key", b"*", b"user", b"%010d" % number


JUDGED: Final = (
    Shape("a key with a value of 100 bytes", strings(100)),
    Shape("the same that expires", strings(100, b"EX", b"100000")),
    Shape("a hash of 5 fields", hashes, 5),
    Shape("a set of 5 members", sets, 5),
    Shape("a list of 100 elements", lists, 100),
    Shape("a sorted set of a million members, for each", one(b"ZADD", b"%d", b"member%010d")),
)
OTHERS: Final = (
    Shape("a key with a value of 10 bytes", strings(10)),
    Shape("a key with a value of 1,000 bytes", strings(1000)),
    Shape("a hash of a million fields, for each", one(b"HSET", b"field%010d", b"%020d")),
    Shape("a set of a million members, for each", one(b"SADD", b"member%010d")),
    Shape("a stream, for each entry of one field", streams),
)


def measure_memory(figures: Figures, build: builds.Build, shapes: tuple[Shape, ...], keys: int) -> None:
    """Nothing of this depends on what else the machine does, so once is enough."""
    starts: dict[str, Callable[[], AbstractContextManager[Server]]] = {
        KV: functools.partial(kv, build=build),
        REDIS: redis,
    }
    for shape in shapes:
        for side, start in starts.items():
            bytes_ = grown(start, shape.calls(keys)) / (keys / shape.unit)
            figures.add(memory_row(shape.name), side, {"bytes": bytes_})


def grown(start: Callable[[], AbstractContextManager[Server]], calls: Calls) -> int:
    """By how much the memory of a server grows that takes *calls*."""
    with start() as server, line(server) as told:
        told.call(b"PING")
        before = server.resident()
        told.send(calls)
        server.settle()
        return server.resident() - before


def main() -> int:
    parser = argparse.ArgumentParser(prog="capacity.py", description="Measure what data takes in kv and in Redis.")
    parser.add_argument("--keys", type=int, default=KEYS, help=f"how many keys or elements of each shape ({KEYS:,})")
    parser.add_argument("--native", metavar="DIR", help="the build to measure, as for run.py")
    parser.add_argument("--quick", action="store_true", help="few keys, to see that it works; keeps nothing")
    options = parser.parse_args()
    build, figures = builds.native(options.native), Figures()
    measure_memory(figures, build, (*JUDGED, *OTHERS), KEYS // 20 if options.quick else options.keys)
    rows = []
    for row, sides in figures.rounds.items():
        mine, peer = (sides[side][0]["bytes"] for side in (KV, REDIS))
        rows.append((row.removeprefix(memory_row("")), f"{mine:.0f}", f"{peer:.0f}", f"{mine / peer:.2f}"))
    table = as_markdown(("bytes of memory", "kv", "Redis", "kv ÷ Redis"), rows)
    print(table)
    if not options.quick:
        replace("capacity", f"{build.version()}.\n\n{table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

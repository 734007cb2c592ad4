"""What data takes: bytes of memory for each key or element, by shape, in kv and in Redis; keeps the table in README.md.

    capacity.py [--keys N]

A server is started for each shape and told to hold so many of it; what its memory has grown by is divided.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
from processes import HERE, Server, kv, redis

KEYS: Final = 100_000
BATCH: Final = 1_000
ELEMENTS: Final = 1_000_000

Calls = Iterator[tuple[bytes, ...]]


def strings(size: int, *options: bytes) -> Callable[[int], Calls]:
    def calls(keys: int) -> Calls:
        for number in range(keys):
            yield b"SET", b"key:%012d" % number, b"%0*d" % (size, number), *options

    return calls


def hashes(keys: int) -> Calls:
    for number in range(keys // 5):
        yield (
            b"HSET",
            b"key:%012d" % number,
            *(word for at in range(5) for word in (b"field%d" % at, b"%010d" % number)),
        )


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


SHAPES: Final[dict[str, Callable[[int], Calls]]] = {
    "a key with a value of 10 bytes": strings(10),
    "a key with a value of 100 bytes": strings(100),
    "the same that expires": strings(100, b"EX", b"100000"),
    "a key with a value of 1,000 bytes": strings(1000),
    "a hash of 5 fields, for each field": hashes,
    "a set of 5 members, for each": sets,
    "a list of 100 elements, for each": lists,
    "a hash of a million fields, for each": one(b"HSET", b"field%010d", b"%020d"),
    "a set of a million members, for each": one(b"SADD", b"member%010d"),
    "a sorted set of a million members, for each": one(b"ZADD", b"%d", b"member%010d"),
    "a stream, for each entry of one field": streams,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="capacity.py", description="Measure what data takes in kv and in Redis.")
    parser.add_argument("--keys", type=int, default=KEYS, help=f"how many of each shape ({KEYS})")
    keys = parser.parse_args().keys
    rows = []
    for name, calls in SHAPES.items():
        count = ELEMENTS * keys // KEYS if "million" in name else keys
        figures = [grown(start, calls, count) / count for start in (kv, redis)]
        rows.append(f"| {name} | {figures[0]:.0f} | {figures[1]:.0f} | {figures[0] / figures[1]:.2f} |")
        print(rows[-1], file=sys.stderr, flush=True)
    show(["| bytes of memory | kv | Redis | kv ÷ Redis |", "|---|---|---|---|", *rows])
    return 0


def grown(
    start: Callable[[], contextlib.AbstractContextManager[Server]], calls: Callable[[int], Calls], keys: int
) -> int:
    """By how much the memory of a server grows that takes *calls*."""
    with start() as server, socket.create_connection(("127.0.0.1", server.port)) as line:
        answers = line.makefile("rb")
        send(line, answers, [(b"PING",)])
        before = resident(server)
        waiting: list[tuple[bytes, ...]] = []
        for call in calls(keys):
            waiting.append(call)
            if len(waiting) >= BATCH:
                send(line, answers, waiting)
                waiting = []
        send(line, answers, waiting)
        return resident(server) - before


def send(line: socket.socket, answers: object, calls: list[tuple[bytes, ...]]) -> None:
    line.sendall(
        b"".join(b"*%d\r\n" % len(call) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in call) for call in calls)
    )
    for _ in calls:
        said = answers.readline()  # type: ignore[attr-defined]
        assert said[:1] != b"-", said
        if said[:1] == b"$":
            answers.read(int(said[1:]) + 2)  # type: ignore[attr-defined]


def resident(server: Server) -> int:
    return int(psutil.Process(server.pid).memory_info().rss)


def show(table: list[str]) -> None:
    """Write the table into README.md."""
    begin, end = "<!-- capacity: written by capacity.py -->", "<!-- end of capacity -->"
    page = Path(HERE) / "README.md"
    before, _, rest = page.read_text("utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n" + "\n".join(table) + f"\n{end}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())

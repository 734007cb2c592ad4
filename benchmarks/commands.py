"""The part of a round that redis-benchmark drives: what one command costs either server, at P1, P16 and P64."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Final

from attrs import Factory, define, frozen
from figures import Figures, command_row
from generator import KEYS, Generator, Load, redis_benchmark
from line import Call, line
from processes import Server

FEW: Final = 50  # calls: one of each connection, to see what connecting costs
PACES: Final = {1: 40_000, 16: 300_000, 64: 500_000}
PORTIONS: Final = 5
ELEMENTS: Final = 100  # of one call that fills

Prepare = Callable[[Server, Generator], None]


def nothing(server: Server, load: Generator) -> None:
    """What is there will do."""


def all_keys(server: Server, load: Generator) -> None:
    load.fill(server)


def without(key: bytes) -> Prepare:
    def prepare(server: Server, load: Generator) -> None:
        with line(server) as told:
            told.call(b"UNLINK", key)

    return prepare


@frozen
class Case:
    """A command as redis-benchmark is told of it: the name of a test of its own, or the words.

    *before* comes before a stretch, *again* also after every so many calls as there are keys, and *most* says how many
    calls there can be.
    """

    name: str
    words: tuple[str, ...]
    before: Prepare = nothing
    again: bool = False
    most: Call = ()


def own(name: str, before: Prepare = nothing, *, again: bool = False, most: Call = ()) -> Case:
    return Case(name, ("-t", name.lower()), before, again, most)


def words(text: str, before: Prepare = nothing, *, again: bool = False) -> Case:
    return Case(text.split()[0], tuple(text.split()), before, again)


MAIN: Final = (
    own("GET"),
    own("SET"),
    own("INCR"),
    words("DEL key:__rand_int__", all_keys, again=True),
)
OTHERS: Final = (
    own("MSET", all_keys),
    own("LPUSH", without(b"mylist")),
    own("RPUSH"),
    own("LPOP", most=(b"LLEN", b"mylist")),
    own("HSET", without(b"mylist")),
    words("HGET myhash element:__rand_int__"),
    words("HINCRBY counts element:__rand_int__ 1"),
    own("SADD", without(b"myset"), again=True),
    own("ZADD"),
    words("EXPIRE key:__rand_int__ 100000"),
)
"""In this order: lists grow before they shrink, and what expires is written anew at the end."""


def fill(server: Server, load: Generator) -> None:
    """Give *server* all that the cases expect: every key, every counter, and every element of the collections."""
    load.fill(server)
    load.fill(server, "incr")
    with line(server) as told:
        told.send(collections())


def collections() -> Iterator[Call]:
    for first in range(0, KEYS, ELEMENTS):
        elements = [b"element:%012d" % at for at in range(first, first + ELEMENTS)]
        yield b"HSET", b"myhash", *(word for each in elements for word in (each, b"x" * 100))
        yield b"HSET", b"counts", *(word for each in elements for word in (each, b"0"))
        yield b"ZADD", b"myzset", *(word for at, each in enumerate(elements, first) for word in (b"%d" % at, each))


@define
class Commands:
    """Runs the cases on both servers, each with as many calls as the slower one lately did in the time there is."""

    load: Generator
    servers: dict[str, Server]
    paces: dict[str, float] = Factory(dict)

    def round(self, figures: Figures, pipelines: tuple[int, ...], seconds: float) -> None:
        """All cases; the main ones for *seconds*, the others for a third of it."""
        connecting = {name: connecting_s(server) for name, server in self.servers.items()}
        for server in self.servers.values():
            self.load.fill(server)
        for case in (*MAIN, *OTHERS):
            spent = seconds if case in MAIN else seconds / 3
            for pipeline in pipelines:
                self._measure(figures, case, pipeline, spent, connecting)
        for server in self.servers.values():
            self.load.fill(server)

    def _measure(
        self, figures: Figures, case: Case, pipeline: int, seconds: float, connecting: dict[str, float]
    ) -> None:
        row = command_row(case.name, pipeline)
        calls = max(KEYS // 10, int(seconds * self.paces.get(row, PACES[pipeline])))
        rates = []
        for name, server in self.servers.items():
            told = self._stretch(case, server, pipeline, calls, connecting[name]).figures()
            figures.add(row, name, told)
            rates.append(told["ops_s"])
        self.paces[row] = min(rates)

    def _stretch(self, case: Case, server: Server, pipeline: int, calls: int, connecting: float) -> Load:
        """So many calls, in portions if what they need has to be made again and again. Connecting is not counted."""
        if case.most:
            with line(server) as told:
                calls = min(calls, int(told.call(*case.most)))
        portion = min(calls, KEYS) if case.again else calls
        loads = []
        for _ in range(min(PORTIONS, round(calls / portion))):
            case.before(server, self.load)
            server.settle()
            loads.append(redis_benchmark(server, case.words, pipeline, portion, connecting_s=connecting))
        return functools.reduce(operator.add, loads)


def connecting_s(server: Server) -> float:
    """What CPU time it takes a server that redis-benchmark comes and goes."""
    return min(redis_benchmark(server, ("PING",), 1, FEW).cpu_s for _ in range(5))

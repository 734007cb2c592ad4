"""What kv has to reach beside its peers, and what it does: the table of floors and goals, with a verdict each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen
from capacity import JUDGED
from figures import (
    ALWAYS_CONNECTIONS,
    ASYNCIO,
    BARE,
    BLOCKING,
    INTERVAL,
    KINDS,
    KV,
    PLAIN,
    REDIS,
    SAVING,
    SNAPSHOT,
    STARTING,
    Summary,
    always_row,
    client_row,
    collector_row,
    command_row,
    large_row,
    memory_row,
    port_row,
)  # fmt: skip

Read = Callable[[Summary], float]
"""What a measure comes to; raises `KeyError` where it was not measured."""

HEADS: Final = ("what", "measured", "floor", "goal", "")
NAMED: Final = 5
MAIN: Final = ("GET", "SET", "INCR", "DEL")
OTHERS: Final = ("LPUSH", "RPUSH", "LPOP", "HSET", "HGET", "HINCRBY", "SADD", "MSET", "EXPIRE")


@frozen
class Measure:
    name: str
    read: Read


@frozen
class Bound:
    """Measures that have the same floor and goal; *unit* stands behind each number. *least*: more is better."""

    measures: tuple[Measure, ...]
    floor: float
    goal: float | None = None
    name: str = ""
    unit: str = ""
    least: bool = False

    def values(self, summary: Summary) -> dict[str, float]:
        """Of what was measured."""
        found = {}
        for measure in self.measures:
            try:
                found[measure.name] = measure.read(summary)
            except KeyError:
                continue
        return found

    def reaches(self, value: float, limit: float) -> bool:
        return value >= limit if self.least else value <= limit

    def told(self, summary: Summary) -> str:
        """All values, or if they are many the best and the worst."""
        values = self.values(summary)
        if not values:
            return f"{self.name} not measured".strip()
        if len(values) > NAMED:
            best, *_, worst = sorted(values, key=values.__getitem__, reverse=self.least)
            text = f"{number(values[best])}{self.unit} ({best}) to {number(values[worst])}{self.unit} ({worst})"
        else:
            text = ", ".join(f"{name} {number(value)}{self.unit}".strip() for name, value in values.items())
        return f"{self.name} {text}".strip()

    def limit(self, value: float | None) -> str:
        return "" if value is None else f"{'≥' if self.least else '≤'} {value:g}{self.unit}"

    def short(self, summary: Summary) -> list[str]:
        """What misses the floor."""
        return [
            f"{self.name} {name} {number(value)}{self.unit}".strip().replace("  ", " ")
            for name, value in self.values(summary).items()
            if not self.reaches(value, self.floor)
        ]

    def arrived(self, summary: Summary) -> bool:
        """Everything has reached the goal."""
        values = self.values(summary).values()
        return bool(values) and self.goal is not None and all(self.reaches(value, self.goal) for value in values)


@frozen
class Goal:
    """A line of the table."""

    what: str
    bounds: tuple[Bound, ...]

    def short(self, summary: Summary) -> list[str]:
        return [each for bound in self.bounds for each in bound.short(summary)]

    def cells(self, summary: Summary) -> tuple[str, ...]:
        measured = any(bound.values(summary) for bound in self.bounds)
        verdict = "goal" if all(bound.arrived(summary) for bound in self.bounds) else "pass" if measured else ""
        if short := self.short(summary):
            more = f" and {len(short) - NAMED} more" if len(short) > NAMED else ""
            verdict = f"**short**: {', '.join(short[:NAMED])}{more}"
        return (
            self.what,
            "; ".join(bound.told(summary) for bound in self.bounds) if measured else "not measured",
            "; ".join(bound.limit(bound.floor) for bound in self.bounds),
            "; ".join(filter(None, (bound.limit(bound.goal) for bound in self.bounds))),
            verdict,
        )


def number(value: float) -> str:
    """As many digits as say something."""
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 0.1
        else f"{value:.2g}"
    )


def value(row: str, side: str, figure: str, how: str = "median") -> Read:
    return lambda summary: summary[row][side][figure][how]


def ratio(row: str, side: str, peer: str, figure: str, how: str = "median") -> Read:
    mine, other = value(row, side, figure, how), value(row, peer, figure, how)
    return lambda summary: mine(summary) / other(summary)


def commands(names: Iterable[str], pipelines: Iterable[int], figure: str) -> tuple[Measure, ...]:
    several = list(pipelines)
    return tuple(
        Measure(
            f"{name} P{pipeline}" if len(several) > 1 else name, ratio(command_row(name, pipeline), KV, REDIS, figure)
        )
        for pipeline in several
        for name in names
    )


def ports(side: str, pipelines: Iterable[int]) -> tuple[Measure, ...]:
    return tuple(
        Measure(f"{name} P{pipeline}", ratio(port_row(name, pipeline), side, REDIS, "cpu_us"))
        for pipeline in pipelines
        for name in ("GET", "SET")
    )


def client(side: str, peer: str, floors: tuple[float, float], goals: tuple[float, float]) -> tuple[Bound, ...]:
    return tuple(
        Bound((Measure("", ratio(client_row(tasks), side, peer, "ops_s")),), floor, goal, f"{peer} {tasks}", least=True)
        for tasks, floor, goal in zip((100, 1000), floors, goals, strict=True)
    )


def faces(tasks: int, peer: str, figure: str) -> tuple[Measure, ...]:
    sides = {"trio": KV, "asyncio": ASYNCIO}
    return tuple(Measure(name, ratio(client_row(tasks), side, peer, figure)) for name, side in sides.items())


def memory(shape: int, floor: float, goal: float, name: str = "") -> Bound:
    row = memory_row(JUDGED[shape].name)
    return Bound((Measure(name, ratio(row, KV, REDIS, "bytes")),), floor, goal)


def growth(summary: Summary) -> float:
    """How much more than Redis kv slows down by more keys."""
    mine, other = (
        value(large_row(few=False), side, "cpu_us")(summary) / value(large_row(few=True), side, "cpu_us")(summary)
        for side in (KV, REDIS)
    )
    return mine / other


def slower(summary: Summary) -> float:
    """By how much p99 rises while a snapshot is written."""
    quiet, busy = (value(SNAPSHOT, KV, f"{when}_p99_ms", "lowest")(summary) for when in ("quiet", "busy"))
    return busy / quiet


LONGEST: Final = Measure("", value(SNAPSHOT, KV, "busy_longest_ms", "lowest"))

GOALS: Final = (
    Goal("redis-benchmark GET SET INCR DEL at P1: server CPU per op / Redis", (
        Bound(commands(MAIN, [1], "cpu_us"), 1.1, 0.95),
    )),
    Goal("the same at P16: ops/s; CPU per op", (
        Bound(commands(MAIN, [16], "ops_s"), 1.2, 1.6, "ops/s", least=True),
        Bound(commands(MAIN, [16], "cpu_us"), 0.75, 0.55, "CPU"),
    )),
    Goal("the same at P64: ops/s; CPU per op", (
        Bound(commands(MAIN, [64], "ops_s"), 1.3, 2.0, "ops/s", least=True),
        Bound(commands(MAIN, [64], "cpu_us"), 0.65, 0.45, "CPU"),
    )),
    Goal("native port GET SET: CPU per op / Redis on RESP, P16 and P64", (
        Bound(ports(KV, [16, 64]), 0.6, 0.4),
    )),
    Goal(f"{' '.join(OTHERS)}: CPU per op / Redis at P1; P16 and P64", (
        Bound(commands(OTHERS, [1], "cpu_us"), 1.15, 1.0, "P1:"),
        Bound(commands(OTHERS, [16, 64], "cpu_us"), 0.95, 0.7),
    )),
    Goal("ZADD at P16 and P64: CPU per op / Redis", (
        Bound(commands(["ZADD"], [16, 64], "cpu_us"), 0.8, 0.5),
    )),
    Goal("plain build, native port GET SET: CPU per op / Redis at P1; P16", (
        Bound(ports(PLAIN, [1]), 2.0, 1.6),
        Bound(ports(PLAIN, [16]), 3.5, 2.5),
    )),
    Goal("trio client, sessions on, 100 and 1000 tasks: ops/s / redis-py with hiredis; / valkey-glide", (
        *client(KV, "redis-py", (8, 12), (12, 18)),
        *client(KV, "glide", (3.5, 3.5), (5, 5)),
    )),
    Goal("asyncio client, the same", (
        *client(ASYNCIO, "redis-py", (6, 8), (10, 10)),
        *client(ASYNCIO, "glide", (2.5, 2.5), (4, 4)),
    )),
    Goal("batches of 100: ops/s / redis-py pipeline; / glide", (
        Bound(faces(0, "redis-py", "ops_s"), 8, 12, "redis-py", least=True),
        Bound(faces(0, "glide", "ops_s"), 3.5, 5, "glide", least=True),
    )),
    Goal("one sequential task: p50 / redis-py on asyncio", (
        Bound(faces(1, "redis-py", "p50_ms"), 0.8, 0.5),
    )),
    Goal("1000 tasks: p99 / redis-py with a pool of 50", (
        Bound(faces(1000, "redis-py", "p99_ms"), 0.03, 0.01),
    )),
    Goal("memory per key / Redis (16-byte key, 100-byte value, 1M): plain; all with TTL", (
        memory(0, 0.95, 0.88), memory(1, 0.85, 0.75),
    )),
    Goal("memory / Redis: hash of 5 fields; set of 5; list of 100; zset of 1M members", (
        memory(2, 1.0, 0.9, "hash"), memory(3, 0.5, 0.3, "set"),
        memory(4, 1.1, 1.0, "list"), memory(5, 0.9, 0.75, "zset"),
    )),
    Goal("full collector pause with 1M keys of any type", (
        Bound(tuple(Measure(kind, value(collector_row(kind), KV, "pause_ms")) for kind in KINDS), 5, 1, unit=" ms"),
    )),
    Goal("snapshot of 1M keys: longest pause; CPU / Redis BGSAVE", (
        Bound((LONGEST,), 3, 1, unit=" ms"),
        Bound((Measure("", ratio(SAVING, KV, REDIS, "cpu_s")),), 0.6, 0.3),
    )),
    Goal("start with 1M keys from a snapshot / Redis RDB: CPU, time", (
        Bound((Measure("", ratio(STARTING, KV, REDIS, "cpu_s")),), 1.0, 0.7, "CPU"),
        Bound((Measure("", ratio(STARTING, KV, REDIS, "start_s")),), 1.0, 0.7, "time"),
    )),
    Goal("GET at P16, 10M keys / 10k keys: CPU per op, by what Redis's own grows", (
        Bound((Measure("", growth),), 1.2, 1.0),
    )),
)  # fmt: skip
"""What is wanted of a server and a client that are compiled."""

ALSO: Final = (
    *(
        Goal(f"{always_row(count)}: ops/s / Redis", (
            Bound((Measure("", ratio(always_row(count), KV, REDIS, "ops_s")),), floor, least=True),
        ))
        for count, floor in zip(ALWAYS_CONNECTIONS, (0.9, 1.0, 1.0), strict=True)
    ),
    Goal(f"{INTERVAL}: CPU per op without a log / with one", (
        Bound((Measure("", ratio(INTERVAL, BARE, KV, "cpu_us")),), 0.85, least=True),
    )),
    Goal("snapshot of 1M keys: p99 under load / p99 without", (
        Bound((Measure("", slower),), 2.0),
    )),
    Goal("blocking client: ops/s / redis-py", (
        Bound((Measure("", ratio(BLOCKING, KV, "redis-py", "ops_s")),), 1.2, least=True),
    )),
)  # fmt: skip
"""Floors beside these."""

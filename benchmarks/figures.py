"""What was measured: one record a round for each side of each row, what they come to, and tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final, TypeAlias

from attrs import Factory, define, frozen

KV: Final = "kv"
PLAIN: Final = "kv, plain"
SESSION: Final = "kv, session"
ASYNCIO: Final = "kv, asyncio"
UVLOOP: Final = "kv, uvloop"
REDIS: Final = "Redis"
FACES: Final = (KV, ASYNCIO, UVLOOP)
PEERS: Final = ("redis-py", "coredis", "glide")
PIPELINES: Final = (1, 16, 64)
TASKS: Final = (1, 100, 1000, 0)
ALWAYS_CONNECTIONS: Final = (1, 50, 1000)
KINDS: Final = ("strings", "strings that expire", "hashes", "lists", "sets", "sorted sets", "streams")

BLOCKING: Final = "client, blocking, 1 thread"
EXPIRY: Final = "notice of an expiry"
BARE: Final = "kv, no log"
INTERVAL: Final = "log, interval, SET P16"
STARTING: Final = "start, 1M keys"
SNAPSHOT: Final = "snapshot, 1M keys, under load"
SAVING: Final = "snapshot, 1M keys, CPU"

Summary: TypeAlias = "dict[str, dict[str, dict[str, dict[str, float]]]]"
"""Row, side, figure -> median, lowest, highest."""


def command_row(name: str, pipeline: int) -> str:
    return f"redis-benchmark, {name} P{pipeline}"


def port_row(operation: str, pipeline: int) -> str:
    return f"native port, {operation.upper()} P{pipeline}"


def client_row(tasks: int) -> str:
    return f"client, {tasks} task{'s' * (tasks > 1)}" if tasks else "client, batches of 100"


def memory_row(shape: str) -> str:
    return f"memory, {shape}"


def collector_row(kind: str) -> str:
    return f"collector, 1M {kind}"


def always_row(connections: int) -> str:
    return f"log, always, SET, {connections} connection{'s' * (connections > 1)}"


def large_row(*, few: bool) -> str:
    return f"GET P16, {'10k' if few else '10M'} keys"


@define
class Figures:
    """The records of all rounds, by row and side."""

    rounds: dict[str, dict[str, list[dict[str, float]]]] = Factory(dict)

    def add(self, row: str, side: str, record: dict[str, float]) -> None:
        self.rounds.setdefault(row, {}).setdefault(side, []).append(record)

    def best(self, row: str, side: str, figure: str) -> float:
        """The lowest: what disturbs a measurement only ever adds to it."""
        return min(record[figure] for record in self.rounds[row][side])

    def disturbance(self) -> float:
        """How much of the time servers under load were kept waiting for their CPU by other programs."""
        shares = [
            record["server_waited"]
            for sides in self.rounds.values()
            for records in sides.values()
            for record in records
            if "server_waited" in record
        ]
        return sum(shares) / len(shares) if shares else 0.0

    def summary(self) -> Summary:
        return {
            row: {side: {figure: spread(records, figure) for figure in records[0]} for side, records in sides.items()}
            for row, sides in self.rounds.items()
        }


def spread(records: list[dict[str, float]], figure: str) -> dict[str, float]:
    values = [record[figure] for record in records]
    told = {"median": median(values), "lowest": min(values), "highest": max(values)}
    return {name: float(f"{value:.4g}") for name, value in told.items()}


@frozen
class Line:
    """One line of a table that compares. *passed* is None where no floor is set."""

    what: str
    kv: str
    peer: str
    ratio: str
    floor: str = ""
    passed: bool | None = None

    def cells(self) -> tuple[str, ...]:
        verdict = {None: "", True: "pass", False: "**short**"}[self.passed]
        return self.what, self.kv, self.peer, self.ratio, self.floor, verdict


LINE_HEADS: Final = ("what", "kv", "peer", "kv ÷ peer", "floor", "")


def as_markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def as_text(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [heads, *rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(heads))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in lines)
    return "\n".join("  ".join(row).rstrip() for row in padded)

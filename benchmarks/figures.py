"""What was measured: one record a round for each side of each row; and the table made of it, with its floors."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from attrs import Factory, define, frozen

PIPELINES: Final = (1, 16, 64)
OPERATIONS: Final = ("get", "set", "incr")
TASKS: Final = (1, 10, 100, 1000, 0)
PEERS: Final = ("redis-py", "coredis", "glide")

KV: Final = "kv"
ASYNCIO: Final = "kv, asyncio"
UVLOOP: Final = "kv, uvloop"
FACES: Final = (KV, ASYNCIO, UVLOOP)
BLOCKING: Final = "client, blocking, 1 thread"
SESSION: Final = "kv, session"
REDIS: Final = "Redis"
REDIS_BENCHMARK: Final = "Redis, redis-benchmark"
EXPIRY: Final = "notice of an expiry"

ALWAYS_CONNECTIONS: Final = (1, 50, 1000)
BARE: Final = "kv, no log"
INTERVAL: Final = "log, interval, SET P16"
STARTING: Final = "start, 1M keys"
SNAPSHOT: Final = "snapshot, 1M keys"

SERVER_FLOORS: Final = {1: 2.0, 16: 3.5}
"""By pipeline: kv's server CPU time for an operation is at most this many times that of Redis."""

CLIENT_FLOORS: Final = {(KV, 100, "redis-py"): 6.0, (ASYNCIO, 100, "redis-py"): 5.0}
"""By face, tasks and peer: kv's client does at least this many times the operations of the peer's."""

BLOCKING_FLOOR: Final = 1.2
"""The same for a program that asks one thing after another, of redis-py without asyncio."""

ALWAYS_FLOORS: Final = {1: 0.9, 50: 1.0, 1000: 1.0}
"""By connections: with every write synced kv does at least this many times the operations of Redis."""

LOG_COST: Final = 0.85
"""With a log that is synced in intervals kv does at least this many times the operations it does without one."""

START_FLOOR: Final = 3.0
"""kv needs at most this many times the CPU time of Redis until it serves what a snapshot holds."""

PAUSE_FLOOR_MS: Final = 20.0
"""A snapshot keeps nobody waiting for longer."""

SLOWER_FLOOR: Final = 2.0
"""While a snapshot is written, p99 under load is less than this many times what it is otherwise."""

HEADS: Final = ("what", "kv", "peer", "kv ÷ peer", "floor", "")


@define
class Figures:
    """The records of all rounds, by row and side."""

    rounds: dict[str, dict[str, list[dict[str, float]]]] = Factory(dict)

    def add(self, row: str, side: str, record: dict[str, float]) -> None:
        self.rounds.setdefault(row, {}).setdefault(side, []).append(record)

    def has(self, row: str) -> bool:
        return row in self.rounds

    def median(self, row: str, side: str, figure: str) -> float:
        return median(record[figure] for record in self.rounds[row][side])

    def best(self, row: str, side: str, figure: str) -> float:
        """The lowest: what disturbs a measurement only ever adds to it."""
        return min(record[figure] for record in self.rounds[row][side])

    def lowest(self, row: str, side: str, figure: str) -> float:
        return min(record[figure] for record in self.rounds[row][side])

    def ratio(self, row: str, side: str, peer: str, figure: str) -> float:
        return self.median(row, side, figure) / self.median(row, peer, figure)

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

    def summary(self) -> dict[str, Any]:
        """Median, lowest and highest of every figure, by row and side."""
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
    """One line of the table. *passed* is None where no floor is set."""

    what: str
    kv: str
    peer: str
    ratio: str
    floor: str = ""
    passed: bool | None = None

    def cells(self) -> tuple[str, ...]:
        verdict = {None: "", True: "pass", False: "**short**"}[self.passed]
        return self.what, self.kv, self.peer, self.ratio, self.floor, verdict


def server_row(operation: str, pipeline: int) -> str:
    return f"server, {operation.upper()} P{pipeline}"


def client_row(tasks: int) -> str:
    return f"client, {tasks} task{'s' * (tasks > 1)}" if tasks else "client, batches of 100"


def always_row(connections: int) -> str:
    return f"log, always, SET, {connections} connection{'s' * (connections > 1)}"


def lines(figures: Figures) -> list[Line]:
    """The table about what is in memory, as far as it was measured."""
    table = []
    for operation in OPERATIONS:
        for pipeline in PIPELINES:
            if figures.has(server_row(operation, pipeline)):
                table += [server_line(figures, operation, pipeline, side) for side in (KV, SESSION)]
    for tasks in TASKS:
        if figures.has(client_row(tasks)):
            table += [client_line(figures, tasks, face, peer) for face in FACES for peer in PEERS]
    if figures.has(BLOCKING):
        table.append(blocking_line(figures))
    if figures.has(EXPIRY):
        table.append(expiry_line(figures))
    return table


def durable_lines(figures: Figures) -> list[Line]:
    """The table about what is kept, if it was measured."""
    if not figures.has(SNAPSHOT):
        return []
    table = [always_line(figures, count) for count in ALWAYS_CONNECTIONS]
    return [*table, interval_line(figures), start_line(figures), pause_line(figures), slower_line(figures)]


def server_line(figures: Figures, operation: str, pipeline: int, side: str) -> Line:
    row = server_row(operation, pipeline)
    mine, peer, other = (figures.median(row, name, "cpu_us") for name in (side, REDIS, REDIS_BENCHMARK))
    ratio, limit = mine / peer, SERVER_FLOORS.get(pipeline)
    return Line(
        row + (", with session" if side == SESSION else ""),
        f"{mine:.2f} µs",
        f"Redis {peer:.2f} µs ({other:.2f})",
        f"CPU {ratio:.2f} ({mine / other:.2f})",
        "" if limit is None else f"≤ {limit}",
        None if limit is None else ratio <= limit,
    )


def client_line(figures: Figures, tasks: int, face: str, peer: str) -> Line:
    row = client_row(tasks)
    faster, cpu, slowest = (figures.ratio(row, face, peer, figure) for figure in ("ops_s", "cpu_us", "p99_ms"))
    limit = CLIENT_FLOORS.get((face, tasks, peer))
    return Line(
        row + face.removeprefix(KV),
        client_cell(figures, row, face),
        f"{peer} {client_cell(figures, row, peer)}",
        f"ops/s {faster:.2f}, CPU {cpu:.2f}, p99 {slowest:.2f}",
        "" if limit is None else f"≥ {limit}",
        None if limit is None else faster >= limit,
    )


def blocking_line(figures: Figures) -> Line:
    faster, cpu, middle = (figures.ratio(BLOCKING, KV, "redis-py", name) for name in ("ops_s", "cpu_us", "p50_ms"))
    return Line(
        BLOCKING,
        client_cell(figures, BLOCKING, KV),
        f"redis-py {client_cell(figures, BLOCKING, 'redis-py')}",
        f"ops/s {faster:.2f}, CPU {cpu:.2f}, p50 {middle:.2f}",
        f"≥ {BLOCKING_FLOOR}",
        faster >= BLOCKING_FLOOR,
    )


def client_cell(figures: Figures, row: str, side: str) -> str:
    names = ("ops_s", "cpu_us", "p50_ms", "p99_ms")
    rate, cpu, middle, slowest = (figures.median(row, side, name) for name in names)
    return f"{rate / 1000:.1f}k/s, {cpu:.1f} µs, {middle:.2f} / {slowest:.2f} ms"


def expiry_line(figures: Figures) -> Line:
    middle, slowest = (figures.ratio(EXPIRY, KV, REDIS, figure) for figure in ("p50_ms", "p99_ms"))
    ratio = f"p50 {middle:.3g}, p99 {slowest:.3g}"
    return Line(EXPIRY, expiry_cell(figures, KV), f"Redis {expiry_cell(figures, REDIS)}", ratio)


def expiry_cell(figures: Figures, side: str) -> str:
    middle, slowest, told = (figures.median(EXPIRY, side, figure) for figure in ("p50_ms", "p99_ms", "told"))
    least = ("≥ " * (told < share) for share in (0.5, 0.99))  # who was not told counts with the time it was waited for
    return f"{next(least)}{middle:.2f} / {next(least)}{slowest:.2f} ms"


def always_line(figures: Figures, connections: int) -> Line:
    row, limit = always_row(connections), ALWAYS_FLOORS[connections]
    faster, cpu = (figures.ratio(row, KV, REDIS, figure) for figure in ("ops_s", "cpu_us"))
    mine, peer = (rate_cell(figures, row, side) for side in (KV, REDIS))
    return Line(row, mine, f"Redis {peer}", f"ops/s {faster:.2f}, CPU {cpu:.2f}", f"≥ {limit}", faster >= limit)


def interval_line(figures: Figures) -> Line:
    """Judged by CPU time, which is what a server under full load has."""
    mine, bare = (rate_cell(figures, INTERVAL, side) for side in (KV, BARE))
    share = figures.ratio(INTERVAL, BARE, KV, "cpu_us")
    return Line(INTERVAL, mine, f"no log {bare}", f"by CPU {share:.2f}", f"≥ {LOG_COST}", share >= LOG_COST)


def rate_cell(figures: Figures, row: str, side: str) -> str:
    return f"{figures.median(row, side, 'ops_s') / 1000:.1f}k/s, {figures.median(row, side, 'cpu_us'):.1f} µs"


def start_line(figures: Figures) -> Line:
    cpu, spent = (figures.ratio(STARTING, KV, REDIS, figure) for figure in ("cpu_s", "start_s"))
    mine, peer = (
        f"CPU {figures.median(STARTING, side, 'cpu_s'):.2f} s, {figures.median(STARTING, side, 'start_s'):.2f} s"
        for side in (KV, REDIS)
    )
    return Line(
        STARTING, mine, f"Redis {peer}", f"CPU {cpu:.2f}, time {spent:.2f}", f"≤ {START_FLOOR}", cpu <= START_FLOOR
    )


def pause_line(figures: Figures) -> Line:
    """Judged by the quietest round: what other programs do only adds to a pause."""
    longest, peer = (figures.lowest(SNAPSHOT, side, "busy_longest_ms") for side in (KV, REDIS))
    what, limit = f"{SNAPSHOT}, longest pause", f"≤ {PAUSE_FLOOR_MS:.0f} ms"
    return Line(
        what, f"{longest:.1f} ms", f"Redis {peer:.1f} ms", f"{longest / peer:.2f}", limit, longest <= PAUSE_FLOOR_MS
    )


def slower_line(figures: Figures) -> Line:
    """The same."""
    cells, ratios = [], []
    for side in (KV, REDIS):
        quiet, busy = (figures.lowest(SNAPSHOT, side, f"{when}_p99_ms") for when in ("quiet", "busy"))
        cells.append(f"{quiet:.2f} → {busy:.2f} ms")
        ratios.append(busy / quiet)
    ratio, limit = f"x {ratios[0]:.2f} (Redis x {ratios[1]:.2f})", f"< x {SLOWER_FLOOR}"
    what = f"{SNAPSHOT}, p99 under load"
    return Line(what, cells[0], f"Redis {cells[1]}", ratio, limit, ratios[0] < SLOWER_FLOOR)


def as_markdown(table: list[Line]) -> str:
    rows = [HEADS, ("---",) * len(HEADS), *(line.cells() for line in table)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def as_text(table: list[Line]) -> str:
    rows = [HEADS, *(line.cells() for line in table)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in padded)

"""Measures the data types: how long the slowest commands keep other clients waiting, what calls on collections cost.

README.md says how to read what it prints. It speaks Redis's protocol to kv and to a Redis, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import signal
import sys
import time
from typing import Final

import builds
from data_cases import SLOW
from data_small import AT_ONCE, GROWING, SMALL
from figures import KV, LINE_HEADS, REDIS, Figures, Line, as_markdown, as_text
from pages import replace
from processes import HERE, Child, Server, child, kv, redis
from run import DISTURBED, machine, say, stop

SIZES: Final = (100_000, 1_000_000)
SPREAD: Final = (10_000, 1_000_000)
QUICK_SIZE: Final = 10_000
PATIENCE_MS: Final = 20.0
"""Nobody waits longer for a command on 100,000 elements; with more, for no longer than Redis keeps him waiting."""

GROWTH: Final = 3.0
"""A call on one element of the largest sorted set costs at most so many times what it costs in the smallest."""

TRANSACTION_US: Final = 500.0
CROWD: Final = 1_000
SETTLE_S: Final = 0.01
NAMES: Final = {10_000: "10k", 100_000: "100k", 1_000_000: "1M"}


def main() -> int:
    options = read_options()
    signal.signal(signal.SIGTERM, stop)
    build, figures = builds.native(options.native), Figures()
    try:
        for size in options.sizes:
            measure_pauses(figures, build, size, options.rounds)
        measure_small(figures, build, options.rounds, options.spread, options.times)
    except builds.Unavailable as missing:
        say(str(missing))
        return 2
    pauses, small = pause_lines(figures, options.sizes), small_lines(figures, options.spread)
    print(*(as_text(LINE_HEADS, [line.cells() for line in table]) for table in (pauses, small)), sep="\n\n")
    if figures.disturbance() > DISTURBED:
        say(f"other programs kept the servers waiting {figures.disturbance():.0%} of the time: trust CPU time alone")
    if not options.quick:
        keep(figures, {"pauses": pauses, "costs": small}, options.rounds, build)
    short = [line for line in (*pauses, *small) if line.passed is False]
    for line in short:
        say(f"short of its floor: {line.what}, {line.kv}, {line.peer}, floor {line.floor}")
    return 1 if options.check and short else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="data_types.py", description="Measure kv's data types against those of Redis."
    )
    parser.add_argument("--rounds", type=int, help="how often each row is measured (3)")
    parser.add_argument("--quick", action="store_true", help="small collections, once; keeps nothing")
    parser.add_argument("--native", metavar="DIR", help="the build to measure, as for run.py")
    parser.add_argument("--check", action="store_true", help="fail if a floor is missed")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.sizes = (QUICK_SIZE,) if options.quick else SIZES
    options.spread = (QUICK_SIZE, 10 * QUICK_SIZE) if options.quick else SPREAD
    options.times = 20 if options.quick else 200
    return options


def keep(figures: Figures, tables: dict[str, list[Line]], rounds: int, build: builds.Build) -> None:
    """Write the tables into README.md and everything measured into data_types.json."""
    facts = machine() | {"build": build.version()}
    results = {
        "machine": facts,
        "rounds": rounds,
        "disturbance": round(figures.disturbance(), 4),
        "figures": figures.summary(),
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda innermost: " ".join(innermost[0].split()), text)
    (HERE / "data_types.json").write_text(text + "\n", "utf-8")
    caption = (
        f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['python']}, Redis {facts['versions']['redis-server']}; "
        f"{facts['build']}; the best of {rounds}. "
        f"Other programs kept the servers waiting for their CPU {figures.disturbance():.0%} of the time."
    )
    for title, table in tables.items():
        replace(title, f"{caption}\n\n{as_markdown(LINE_HEADS, [line.cells() for line in table])}")


# ---- how long others wait
def measure_pauses(figures: Figures, build: builds.Build, size: int, rounds: int) -> None:
    for name, server in ((KV, kv(build=build)), (REDIS, redis())):
        with contextlib.ExitStack() as stack:
            started = stack.enter_context(server)
            caller = stack.enter_context(child("caller.py", str(started.port)))
            pinger = stack.enter_context(child("pinger.py", str(started.port), str(started.pid)))
            say(f"{name}, collections of {size:,}")
            caller.ask(what="fill", size=size)
            for number, slow in enumerate(SLOW):
                for _ in range(1 if slow.linger_s(size) > 1 else rounds):
                    record = one_pause(started, caller, pinger, number, size)
                    figures.add(pause_row(slow.name, size), name, record)


def one_pause(server: Server, caller: Child, pinger: Child, number: int, size: int) -> dict[str, float]:
    """Run one slow command while another client sends PING: the longest of these, and what CPU time all of it took."""
    caller.ask(what="before", case=number, size=size)
    pinger.ask(begin=True)
    time.sleep(SETTLE_S)
    before, began = server.times_s(), time.perf_counter()
    spent = caller.ask(what="slow", case=number, size=size)
    time.sleep(SLOW[number].linger_s(size) + SETTLE_S)
    after, ended = server.times_s(), time.perf_counter()
    return {
        **pinger.ask(end=True),
        **spent,
        "cpu_ms": (after[0] - before[0]) * 1e3,
        "server_waited": (after[1] - before[1]) / (ended - began),
    }


def pause_row(name: str, size: int) -> str:
    return f"{name}, {NAMES[size]}"


def pause_lines(figures: Figures, sizes: tuple[int, ...]) -> list[Line]:
    return [pause_line(figures, pause_row(slow.name, size)) for slow in SLOW for size in sizes]


def pause_line(figures: Figures, row: str) -> Line:
    mine, peer = (figures.best(row, side, "pause_ms") for side in (KV, REDIS))
    cells = [
        f"{figures.best(row, side, 'pause_ms'):.1f} ms ({figures.best(row, side, 'longest_ms'):.1f})"
        for side in (KV, REDIS)
    ]
    limit = max(PATIENCE_MS, peer)
    return Line(row, cells[0], f"Redis {cells[1]}", f"{mine / peer:.2f}", f"≤ {limit:.0f} ms", mine <= limit)


# ---- what calls cost
def measure_small(figures: Figures, build: builds.Build, rounds: int, spread: tuple[int, int], times: int) -> None:
    with contextlib.ExitStack() as stack:
        servers = {KV: stack.enter_context(kv(build=build)), REDIS: stack.enter_context(redis())}
        callers = {name: stack.enter_context(child("caller.py", str(server.port))) for name, server in servers.items()}
        for name, caller in callers.items():
            say(f"{name}, sorted sets of up to {spread[1]:,}")
            caller.ask(what="prepare", sizes=spread)
        for _ in range(rounds):
            for name, caller in callers.items():
                for number, small in enumerate(SMALL):
                    record = one_small(servers[name], caller, number, 0, times, small.units)
                    figures.add(small.name, name, record)
                for number, small in enumerate(GROWING, len(SMALL)):
                    for size in spread:
                        record = one_small(servers[name], caller, number, size, max(times // 20, 5), AT_ONCE)
                        figures.add(f"{small.name}, {NAMES[size]}", name, record)
                figures.add(f"{CROWD:,} transactions at once", name, caller.ask(what="crowd", size=CROWD))


def one_small(server: Server, caller: Child, number: int, size: int, times: int, units: int) -> dict[str, float]:
    before, began = server.times_s(), time.perf_counter()
    best = caller.ask(what="small", case=number, size=size, times=times)
    after, ended = server.times_s(), time.perf_counter()
    return {
        "cpu_us": (after[0] - before[0]) * 1e6 / times / units,
        "best_us": best["best_us"] / units,
        "server_waited": (after[1] - before[1]) / (ended - began),
    }


def small_lines(figures: Figures, spread: tuple[int, int]) -> list[Line]:
    plain, wrapped = (small.name for small in SMALL if small.limit_us is None)
    return [
        *(cost_line(figures, small.name, small.limit_us) for small in SMALL if small.limit_us is not None),
        transaction_line(figures, plain, wrapped),
        crowd_line(figures),
        *(growth_line(figures, small.name, *spread) for small in GROWING),
    ]


def cost_line(figures: Figures, row: str, limit_us: float) -> Line:
    mine, peer = (figures.best(row, side, "cpu_us") for side in (KV, REDIS))
    cells = [
        f"{figures.best(row, side, 'cpu_us'):.1f} µs, {figures.best(row, side, 'best_us'):.1f} µs"
        for side in (KV, REDIS)
    ]
    return Line(row, cells[0], f"Redis {cells[1]}", f"CPU {mine / peer:.2f}", f"≤ {limit_us:.0f} µs", mine <= limit_us)


def transaction_line(figures: Figures, plain: str, wrapped: str) -> Line:
    mine, peer = (figures.best(wrapped, side, "cpu_us") - figures.best(plain, side, "cpu_us") for side in (KV, REDIS))
    return Line(
        "what a transaction adds",
        f"{mine:.1f} µs",
        f"Redis {peer:.1f} µs",
        f"CPU {mine / peer:.2f}",
        f"≤ {TRANSACTION_US:.0f} µs",
        mine <= TRANSACTION_US,
    )


def crowd_line(figures: Figures) -> Line:
    row = f"{CROWD:,} transactions at once"
    mine, peer = (figures.best(row, side, "spent_ms") for side in (KV, REDIS))
    return Line(row, f"{mine:.0f} ms", f"Redis {peer:.0f} ms", f"{mine / peer:.2f}")


def growth_line(figures: Figures, name: str, smallest: int, largest: int) -> Line:
    """How much more a call costs in the largest sorted set than in the smallest."""
    cost = {
        side: [figures.best(f"{name}, {NAMES[size]}", side, "cpu_us") for size in (smallest, largest)]
        for side in (KV, REDIS)
    }
    mine, peer = (large / small for small, large in (cost[KV], cost[REDIS]))
    cells = [f"{small:.2f} → {large:.2f} µs" for small, large in (cost[KV], cost[REDIS])]
    what = f"{name}, {NAMES[smallest]} → {NAMES[largest]}"
    return Line(
        what, cells[0], f"Redis {cells[1]}", f"grows x {mine:.2f}, Redis x {peer:.2f}", f"x ≤ {GROWTH}", mine <= GROWTH
    )


if __name__ == "__main__":
    sys.exit(main())

"""Runs the benchmarks: starts kv and its peers, measures all parts in turn, judges them, keeps tables and a chart.

README.md says how to run it and how to read what it prints.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import builds
from capacity import JUDGED, KEYS, measure_memory
from commands import Commands, fill
from durable import durable
from figures import KINDS, KV, PIPELINES, PLAIN, REDIS, SESSION, TASKS, Figures, as_text, collector_row
from generator import Generator, generator
from goals import ALSO, GOALS, HEADS
from processes import CPUS, SERVER, Server, child, kv, redis
from results import Results
from rows import large, measure_clients, measure_expiry, measure_ports

PARTS: Final = ("commands", "ports", "clients", "durable", "memory", "collector", "large", "expiry")
SHARED: Final = {"commands", "ports", "clients", "expiry"}
"""These have their servers in common."""

ONCE: Final = ("expiry",)
"""Comes after the others, since it leaves keys that expire."""

DISTURBED: Final = 0.05
EXPIRING_KEYS: Final = 100_000
QUICK_PIPELINES: Final = (1, 16)
QUICK_TASKS: Final = (1, 100, 0)
NEEDED: Final = {
    "redis": "redis",
    "hiredis": "hiredis",
    "glide": "valkey-glide",
    "coredis": "coredis",
    "uvloop": "uvloop",
}
LIBRARIES: Final = ("kv-server", "kv-client", "trio", "msgpack", *NEEDED.values())

Round = Callable[[Figures], None]
"""Measures each row of a part once."""


def main() -> int:
    options = read_options()
    signal.signal(signal.SIGTERM, stop)
    try:
        results = measured(options)
    except builds.Unavailable as missing:
        say(str(missing))
        return 2
    print(as_text(HEADS, results.table(GOALS)), as_text(HEADS, results.table(ALSO)), sep="\n\n")
    for part, waited in results.disturbances().items():
        if waited > DISTURBED:
            say(f"{part}: other programs kept the servers waiting {waited:.0%} of the time: trust CPU time alone")
    if not options.quick:
        results.keep()
    short = {goal.what: goal.short(results.summary()) for goal in (*GOALS, *ALSO)}
    for what, missed in short.items():
        if missed:
            say(f"short of its floor: {what}: {', '.join(missed)}")
    return 1 if options.check and any(short.values()) else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Measure kv against its peers, in one interleaved run.")
    parser.add_argument("--rounds", type=int, help="how often each row is measured; medians are taken (5)")
    parser.add_argument("--seconds", type=float, help="how long the longest measurements take, others a third (3)")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rows, to see that it works; keeps nothing")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure a part; the others stay as they were")
    parser.add_argument("--skip-large", action="store_true", help="leave out what needs 6 GB of memory")
    parser.add_argument("--native", metavar="DIR", help="where the native build is (made in build/native if it can be)")
    parser.add_argument("--plain", metavar="DIR", help="where the plain build is (the sources of this repository)")
    parser.add_argument("--check", action="store_true", help="fail if a floor is missed")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.3 if options.quick else 3.0)
    wanted = set(options.only or PARTS) - ({"large"} if options.skip_large else set())
    options.parts = tuple(part for part in PARTS if part in wanted)
    return options


def stop(signum: int, frame: object) -> NoReturn:
    """Leave by way of every `with`, so that no process stays behind."""
    raise SystemExit(128 + signum)


def measured(options: argparse.Namespace) -> Results:
    """Measure the parts: those of rounds in turn, then those that are measured once, then the one that needs room."""
    need_peers()
    facts = machine()
    native, plain = builds.native(options.native), builds.plain(options.plain)
    facts["builds"] = {"native": native.version(), "plain": plain.version()}
    say(f"native rows: {facts['builds']['native']}; plain rows: {facts['builds']['plain']}")
    results = Results(facts, options.seconds)
    size = KEYS // 20 if options.quick else KEYS
    once: dict[str, Round] = {
        "memory": lambda figures: measure_memory(figures, native, JUDGED, size),
        "collector": lambda figures: measure_collector(figures, native, size),
    }
    with generator() as load:
        with contextlib.ExitStack() as stack:
            turns = rounds_of(options, stack, load, native, plain)
            last = {part: turns.pop(part) for part in ONCE if part in turns}
            take_turns(results, turns, options.rounds)
            take_turns(results, last, 1)
        take_turns(results, {part: once[part] for part in options.parts if part in once}, 1)
        if "large" in options.parts:
            with large(load, native, quick=options.quick) as many:
                take_turns(results, {"large": partial(many.round, seconds=options.seconds / 3)}, options.rounds)
    return results


def take_turns(results: Results, parts: dict[str, Round], rounds: int) -> None:
    """One round of each part, and again."""
    figures = {part: Figures() for part in parts}
    for number in range(rounds):
        for part, measure in parts.items():
            began = time.monotonic()
            measure(figures[part])
            say(f"{part}: {number + 1} of {rounds}, {time.monotonic() - began:.0f} s")
    for part in parts:
        results.add(part, figures[part], rounds)


def rounds_of(
    options: argparse.Namespace,
    stack: contextlib.ExitStack,
    load: Generator,
    native: builds.Build,
    plain: builds.Build,
) -> dict[str, Round]:
    """The parts that are measured in turns, with their servers started and filled."""
    found: dict[str, Round] = {}
    pipelines = QUICK_PIPELINES if options.quick else PIPELINES
    if SHARED & set(options.parts):
        servers = dict(start(stack, load, native, plain))
        pair = {side: servers[side] for side in (KV, REDIS)}
        third = options.seconds / 3
        found["commands"] = partial(Commands(load, pair).round, pipelines=pipelines, seconds=options.seconds)
        found["ports"] = lambda figures: measure_ports(figures, load, servers, pipelines, third)
        tasks = QUICK_TASKS if options.quick else TASKS
        found["clients"] = lambda figures: measure_clients(
            figures, native, servers[KV], servers[REDIS], tasks, options.seconds
        )
        keys = EXPIRING_KEYS // 20 if options.quick else EXPIRING_KEYS
        found["expiry"] = lambda figures: measure_expiry(
            figures, native, load, servers[KV], servers[REDIS], third, keys
        )
    if "durable" in options.parts:
        kept = stack.enter_context(durable(load, native, quick=options.quick))
        found["durable"] = partial(kept.round, seconds=options.seconds)
    return {part: found[part] for part in options.parts if part in found}


def start(
    stack: contextlib.ExitStack, load: Generator, native: builds.Build, plain: builds.Build
) -> Iterator[tuple[str, Server]]:
    """Both builds and Redis, holding the same."""
    ours, bare, theirs = (stack.enter_context(each) for each in (kv(build=native), kv(build=plain), redis()))
    for server in (ours, bare, theirs):
        fill(server, load)
    yield from ((KV, ours), (SESSION, ours), (PLAIN, bare), (REDIS, theirs))


def measure_collector(figures: Figures, build: builds.Build, keys: int) -> None:
    """A process for each type."""
    for kind in KINDS:
        with child("collector.py", build=build, side=SERVER) as program:
            figures.add(collector_row(kind), KV, program.ask(kind=kind, keys=keys))


def need_peers() -> None:
    """Raises `Unavailable` if a library is missing that kv is compared with."""
    missing = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise builds.Unavailable(
            f"{', '.join(missing)}: missing; pip install -r requirements/bench.txt, or run `nox -s bench`"
        )


def machine() -> dict[str, Any]:
    """What the figures depend on, without names or places."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found[1] if found else model
    with redis():
        peer = subprocess.run(["redis-server", "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"v=(\S+)", peer)
    versions = {"redis-server": version[1] if version else "unknown"}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "pinned": CPUS is not None,
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": versions,
    }


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

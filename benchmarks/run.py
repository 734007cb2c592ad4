"""Runs the benchmarks: starts the peers, measures all rows in turn, prints one table of ratios, keeps it in README.md.

README.md says how to run it and how to read what it prints.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn

from durable import durable
from figures import PIPELINES, TASKS, Figures, Line, as_markdown, as_text, durable_lines, lines
from generator import CONNECTIONS, KEYS, VALUE_BYTES, Generator, generator
from processes import CPUS, HERE, Server, Unavailable, kv, redis
from rows import measure_clients, measure_expiry, measure_servers

IN_MEMORY: Final = ("server", "clients", "expiry")
PARTS: Final = (*IN_MEMORY, "durable")
DISTURBED: Final = 0.05
QUICK_ROUNDS: Final = 2
QUICK_SECONDS: Final = 0.3
QUICK_PIPELINES: Final = (1, 16)
QUICK_TASKS: Final = (1, 100, 0)
LIBRARIES: Final = (
    "kv-server",
    "kv-client",
    "trio",
    "uvloop",
    "msgpack",
    "redis",
    "hiredis",
    "coredis",
    "valkey-glide",
)


def main() -> int:
    options = read_options()
    signal.signal(signal.SIGTERM, stop)
    began = time.monotonic()
    figures = Figures()
    try:
        with generator() as load, kv() as ours, redis() as theirs, contextlib.ExitStack() as stack:
            load.fill(ours, "native")
            load.fill(theirs, "resp")
            kept = stack.enter_context(durable(load, quick=options.quick)) if "durable" in options.parts else None
            for number in range(options.rounds):
                say(f"round {number + 1} of {options.rounds}")
                one_round(figures, options, load, ours, theirs)
                if kept is not None:
                    kept.round(figures, options.seconds)
            facts = machine(load.kind)
    except Unavailable as missing:
        say(str(missing))
        return 2
    tables = {"table": lines(figures), "durable": durable_lines(figures)}
    table = [line for each in tables.values() for line in each]
    print(as_text(table))
    say(f"{time.monotonic() - began:.0f} s")
    if figures.disturbance() > DISTURBED:
        say(f"other programs kept the servers waiting {figures.disturbance():.0%} of the time: trust CPU time alone")
    if not options.quick:
        settings = {"rounds": options.rounds, "seconds": options.seconds}
        if options.parts == PARTS:
            keep(figures, table, facts, settings)
        for name, parts in (("table", IN_MEMORY), ("durable", PARTS[-1:])):
            if set(parts) <= set(options.parts):
                show(name, tables[name], figures, facts, settings)
    short = [line for line in table if line.passed is False]
    for line in short:
        say(f"short of its floor: {line.what}, {line.ratio}, floor {line.floor}")
    return 1 if options.check and short else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Measure kv against its peers, in one interleaved run.")
    parser.add_argument("--rounds", type=int, help="how often each row is measured; medians are taken (5)")
    parser.add_argument("--seconds", type=float, help="how long each measurement takes (1)")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rows, to see that it works; keeps nothing")
    parser.add_argument("--only", choices=PARTS, action="append", dest="parts", help="measure a part")
    parser.add_argument("--check", action="store_true", help="fail if a floor is missed")
    options = parser.parse_args()
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else 5)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else 1.0)
    options.parts = tuple(part for part in PARTS if part in (options.parts or PARTS))
    return options


def stop(signum: int, frame: object) -> NoReturn:
    """Leave by way of every `with`, so that no process stays behind."""
    raise SystemExit(128 + signum)


def one_round(figures: Figures, options: argparse.Namespace, load: Generator, ours: Server, theirs: Server) -> None:
    if "server" in options.parts:
        pipelines = QUICK_PIPELINES if options.quick else PIPELINES
        measure_servers(figures, load, ours, theirs, pipelines, options.seconds)
    if "clients" in options.parts:
        measure_clients(figures, ours, theirs, QUICK_TASKS if options.quick else TASKS, options.seconds)
    if "expiry" in options.parts:
        measure_expiry(figures, load, ours, theirs, options.seconds)


def machine(generator: str) -> dict[str, Any]:
    """What the figures depend on, without names or places."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found[1] if found else model
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
        "generator": generator,
    }


def keep(figures: Figures, table: list[Line], facts: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write everything measured into results.json."""
    results = {
        "machine": facts,
        "settings": settings | {"connections": CONNECTIONS, "keys": KEYS, "value_bytes": VALUE_BYTES},
        "disturbance": round(figures.disturbance(), 4),
        "table": [line.cells() for line in table],
        "figures": figures.summary(),
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda innermost: " ".join(innermost[0].split()), text)
    (HERE / "results.json").write_text(text + "\n", "utf-8")


def show(name: str, table: list[Line], figures: Figures, facts: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write the *table* called *name* into README.md."""
    begin, end = f"<!-- {name}: written by run.py -->", f"<!-- end of {name} -->"
    page = HERE / "README.md"
    before, _, rest = page.read_text("utf-8").partition(begin)
    after = rest.partition(end)[2]
    caption = (
        f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['python']}, Redis {facts['versions']['redis-server']}; "
        f"medians of {settings['rounds']} rounds of {settings['seconds']:g} s. "
        f"Other programs kept the servers waiting for their CPU {figures.disturbance():.0%} of the time."
    )
    page.write_text(f"{before}{begin}\n{caption}\n\n{as_markdown(table)}\n{end}{after}", "utf-8")


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`kv stat`, `kv latency`, `kv health`: what a server does, how long it takes, whether it answers."""

import sys
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from kv_client.shell._flags import count, flags, seconds, seconds_of, shown_bytes, ticks, update
from kv_client.shell._line import Line
from kv_client.shell._notation import written
from kv_client.shell._replies import write_line
from kv_client.shell._target import Target
from kv_protocol.errors import KvError

__all__ = ["Figures", "health", "latency", "stat"]

_HEADING = "  calls/s       in/s      out/s      memory  clients       keys   locks  waiting   lag ms"
_MOST_TRIPS = 100_000


class Figures(NamedTuple):
    """What INFO said at a moment; rates are those since another one."""

    at: float
    said: Mapping[str, Mapping[str, Any]]

    @classmethod
    def now(cls, line: Line) -> "Figures":
        said = line.call("INFO")
        return cls(perf_counter(), said)

    def of(self, section: str, name: str) -> Any:
        return self.said.get(section, {}).get(name, 0)

    def rate(self, before: "Figures", section: str, name: str) -> float:
        span = self.at - before.at
        grown = self.of(section, name) - before.of(section, name)
        return grown / span if span > 0 else 0.0

    def row(self, before: "Figures") -> dict[str, Any]:
        """What one line of `kv stat` says."""
        return {
            "calls_per_s": round(self.rate(before, "engine", "calls")),
            "bytes_in_per_s": round(self.rate(before, "clients", "bytes_received")),
            "bytes_out_per_s": round(self.rate(before, "clients", "bytes_sent")),
            "memory": self.of("process", "memory"),
            "clients": self.of("clients", "connections"),
            "keys": self.of("engine", "keys"),
            "locks": self.of("engine", "locks"),
            "waiting": self.of("engine", "waiting_calls"),
            "lag_ms": self.of("loop", "lag_ms"),
        }


def stat(words: Sequence[str], target: Target) -> int:
    """Write a line of figures each second."""
    parser = flags("stat", "A line each second: calls, bytes, memory, clients, keys, locks, waiting calls, lag.")
    parser.add_argument("--count", type=count, help="stop after so many lines")
    parser.add_argument("--interval", type=seconds, default=1.0, help="seconds between lines (%(default)s)")
    given = parser.parse_args(words)
    with Line(target) as line:
        before = Figures.now(line)
        for number in ticks(given.interval, None if given.count is None else given.count + 1):
            if not number:
                continue
            now = Figures.now(line)
            row = now.row(before)
            before = now
            if given.json:
                write_line(written(row))
                continue
            if (number - 1) % 20 == 0:
                write_line(_HEADING)
            write_line(
                f"{row['calls_per_s']:>9,} {shown_bytes(row['bytes_in_per_s']):>10} "
                f"{shown_bytes(row['bytes_out_per_s']):>10} {shown_bytes(row['memory']):>11} {row['clients']:>8,} "
                f"{row['keys']:>10,} {row['locks']:>7,} {row['waiting']:>8,} {row['lag_ms']:>8.2f}"
            )
    return 0


def latency(words: Sequence[str], target: Target) -> int:
    """Measure round trips until enough, or interrupted."""
    parser = flags("latency", "Measure how long PING takes there and back, until Ctrl-C.")
    parser.add_argument("--count", type=count, help="stop after so many round trips")
    parser.add_argument("--interval", type=seconds, default=0.01, help="seconds between them (%(default)s)")
    given = parser.parse_args(words)
    trips: list[float] = []
    with Line(target) as line:
        try:
            for number in ticks(given.interval, given.count):
                start = perf_counter()
                line.call("PING")
                trips.append((perf_counter() - start) * 1000)
                if number % 25 == 0 and not given.json:
                    update(_summary(trips))
                if len(trips) > _MOST_TRIPS:
                    del trips[: _MOST_TRIPS // 2]
        except KeyboardInterrupt:
            if not trips:
                raise
    update("")
    write_line(written(_measures(trips)) if given.json else _summary(trips))
    return 0


def _measures(trips: list[float]) -> dict[str, float]:
    ordered = sorted(trips)
    found = {
        "min_ms": ordered[0],
        "avg_ms": sum(ordered) / len(ordered),
        "p50_ms": seconds_of(ordered, 0.5),
        "p99_ms": seconds_of(ordered, 0.99),
        "max_ms": ordered[-1],
    }
    return {"trips": len(ordered), **{name: round(ms, 4) for name, ms in found.items()}}


def _summary(trips: list[float]) -> str:
    said = _measures(trips)
    parts = [f"{name.removesuffix('_ms')} {ms:.3f}" for name, ms in said.items() if name != "trips"]
    return f"{', '.join(parts)} ms ({said['trips']:,} round trips)"


def health(words: Sequence[str], target: Target) -> int:
    """Say whether the server answers; the exit status says so too."""
    parser = flags("health", "Ask the server once: exit status 0 if it answers, 1 if it refuses, 3 if nobody is there.")
    given = parser.parse_args(words)
    start = perf_counter()
    try:
        with Line(target) as line:
            line.call("PING")
    except KvError as error:
        if given.json:
            sys.stdout.write(written({"ok": False, "server": target.address.place, "code": error.code}) + "\n")
        raise
    ms = round((perf_counter() - start) * 1000, 3)
    if given.json:
        write_line(written({"ok": True, "server": target.address.place, "ms": ms}))
    else:
        write_line(f"ok: {target.address.place} answers, connected and asked in {ms:.1f} ms")
    return 0

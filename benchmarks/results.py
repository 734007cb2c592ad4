"""Everything that was measured, as kept in results.json: by part, with what it was measured under; and tables of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import Factory, define
from chart import drawn
from figures import FACES, KV, PEERS, PLAIN, REDIS, SESSION, Figures, Summary, as_markdown
from generator import CONNECTIONS, KEYS, VALUE_BYTES
from goals import ALSO, GOALS, HEADS, Goal, number
from pages import replace
from processes import HERE

FILE: Final = HERE / "results.json"
CHART: Final = HERE / "chart.svg"
LIMIT: Final = 0.95

Figure = dict[str, dict[str, float]]


@define
class Results:
    """*facts* are those of the machine and of what runs on it; measured in stretches of up to so many seconds."""

    facts: dict[str, Any]
    seconds: float
    parts: dict[str, dict[str, Any]] = Factory(dict)

    def add(self, part: str, figures: Figures, rounds: int) -> None:
        """*part* was measured anew."""
        about = {"rounds": rounds, "seconds": self.seconds, "waited": round(figures.disturbance(), 4)}
        self.parts[part] = about | {"rows": figures.summary()}

    def summary(self) -> Summary:
        return {row: sides for part in self.parts.values() for row, sides in part["rows"].items()}

    def disturbances(self) -> dict[str, float]:
        """By part, how much of the time servers were kept waiting for their CPU by other programs."""
        return {part: told["waited"] for part, told in self.parts.items()}

    def table(self, goals: Sequence[Goal]) -> list[tuple[str, ...]]:
        summary = self.summary()
        return [goal.cells(summary) for goal in goals]

    def keep(self) -> None:
        """Write it into results.json, the tables into README.md, and the chart.

        Parts that were not measured stay as they were measured on the same machine with the same programs.
        """
        before = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
        if before.get("machine") == self.facts:
            self.parts = before["parts"] | self.parts
        kept = {
            "machine": self.facts,
            "settings": {"connections": CONNECTIONS, "keys": KEYS, "value_bytes": VALUE_BYTES},
            "table": self.table(GOALS),
            "also": self.table(ALSO),
            "parts": self.parts,
        }
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda innermost: " ".join(innermost[0].split()), text)
        FILE.write_text(text + "\n", "utf-8")
        self.show()

    def show(self) -> None:
        summary, caption = self.summary(), self._caption()
        replace("goals", f"{caption}\n\n{as_markdown(HEADS, self.table(GOALS))}")
        replace("also", as_markdown(HEADS, self.table(ALSO)))
        replace("details", "\n\n".join(details(summary)))
        CHART.write_text(drawn(summary, caption), "utf-8")

    def _caption(self) -> str:
        facts, built = self.facts, self.facts["builds"]
        turns = [part for part in self.parts.values() if part["rounds"] > 1] or self.parts.values()
        under = {f"{part['rounds']} rounds of up to {part['seconds']:g} s" for part in turns}
        waited = max(self.disturbances().values(), default=0.0)
        return (
            f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['python']}, Redis {facts['versions']['redis-server']}; "
            f"{built['native']} and {built['plain']}; medians of {' or '.join(sorted(under))}. "
            f"Other programs kept the servers waiting for their CPU at most {waited:.0%} of the time."
        )


def details(summary: Summary) -> list[str]:
    """Tables of what the ratios are made of, as far as it was measured."""
    kinds: list[tuple[str, str, Sequence[str], Callable[[Figure], str]]] = [
        ("redis-benchmark, ", "CPU per op, ops/s", (KV, REDIS), loaded),
        ("native port, ", "CPU per op, ops/s", (KV, SESSION, PLAIN, REDIS), loaded),
        ("client, ", "ops/s, CPU per op, p50 / p99", (*FACES, *PEERS), called),
        ("log, ", "CPU per op, ops/s", (KV, "kv, no log", REDIS), loaded),
        ("start, ", "CPU, time", (KV, REDIS), timed("cpu_s", "start_s")),
        ("snapshot, 1M keys, under", "p99 before → meanwhile, longest", (KV, REDIS), paused),
        ("snapshot, 1M keys, CPU", "CPU, time", (KV, REDIS), timed("cpu_s", "spent_s")),
        ("memory, ", "bytes each", (KV, REDIS), lambda told: number(told["bytes"]["median"])),
        ("collector, ", "pause", (KV,), lambda told: f"{number(told['pause_ms']['median'])} ms"),
        ("GET P16, ", "CPU per op, ops/s", (KV, REDIS), loaded),
        ("notice of an expiry", "late, p50 / p99", (KV, REDIS), late),
    ]
    tables = []
    for begin, heading, sides, cell in kinds:
        rows = {row: found for row, found in summary.items() if row.startswith(begin)}
        if rows:
            heads = (f"{heading}", *sides)
            cells = [
                (row, *(cell(found[side]) if side in found else "" for side in sides)) for row, found in rows.items()
            ]
            tables.append(as_markdown(heads, cells))
    return tables


def loaded(told: Figure) -> str:
    """Marked with a plus where the sender was busier than the server, which could have done more."""
    more = told["sender_busy"]["median"] > max(LIMIT, told["server_busy"]["median"])
    return f"{told['cpu_us']['median']:.2f} µs, {told['ops_s']['median'] / 1000:.1f}{'+' * more} k/s"


def called(told: Figure) -> str:
    rate, cpu, middle, slowest = (told[name]["median"] for name in ("ops_s", "cpu_us", "p50_ms", "p99_ms"))
    return f"{rate / 1000:.1f} k/s, {cpu:.1f} µs, {middle:.2f} / {slowest:.2f} ms"


def timed(cpu: str, spent: str) -> Callable[[Figure], str]:
    return lambda told: f"{told[cpu]['median']:.2f} s, {told[spent]['median']:.2f} s"


def paused(told: Figure) -> str:
    """Of the quietest round: what other programs do only adds to a pause."""
    quiet, busy, longest = (told[name]["lowest"] for name in ("quiet_p99_ms", "busy_p99_ms", "busy_longest_ms"))
    return f"{quiet:.2f} → {busy:.2f} ms, {longest:.1f} ms"


def late(told: Figure) -> str:
    least = ("≥ " * (told["told"]["median"] < share) for share in (0.5, 0.99))  # who was not told counts as waiting
    return " / ".join(f"{next(least)}{told[name]['median']:.2f}" for name in ("p50_ms", "p99_ms")) + " ms"

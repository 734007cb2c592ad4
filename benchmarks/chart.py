"""The chart of README.md: kv beside its peers in three panels, as SVG whose colours do on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen
from capacity import JUDGED
from figures import ASYNCIO, KV, PIPELINES, REDIS, Summary, client_row, command_row, memory_row
from goals import Read, number, ratio

WIDTH: Final = 760
LABELS: Final = 120
BAR: Final = 9
GAP: Final = 8
HEAD: Final = 40
LEGEND: Final = 20
SPARE: Final = 60
INK: Final = "#768390"
COLOURS: Final = ("#4c9bf5", "#1f6feb", "#8957e5")
FONT: Final = "font-family='system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif'"
SHAPES: Final = ("key", "key that expires", "hash of 5", "set of 5", "list of 100", "zset of 1M")


@frozen
class Panel:
    """Groups of bars; each bar of a group has a colour, which *legend* explains. *line* is what 1 stands for."""

    title: str
    line: str
    legend: tuple[str, ...]
    groups: tuple[tuple[str, tuple[Read, ...]], ...]

    @property
    def head(self) -> int:
        return HEAD + (LEGEND if self.legend else 0)

    @property
    def height(self) -> int:
        return self.head + sum(len(bars) * (BAR + 1) + GAP for _, bars in self.groups)


def cpu(name: str) -> tuple[str, tuple[Read, ...]]:
    return name, tuple(ratio(command_row(name, pipeline), KV, REDIS, "cpu_us") for pipeline in PIPELINES)


def ops(name: str, side: str, tasks: int) -> tuple[str, tuple[Read, ...]]:
    return name, tuple(ratio(client_row(tasks), side, peer, "ops_s") for peer in ("redis-py", "glide"))


PANELS: Final = (
    Panel(
        "Server: CPU time for an operation, Redis = 1. Shorter is better",
        "Redis",
        tuple(f"{pipeline} request{'s' * (pipeline > 1)} under way" for pipeline in PIPELINES),
        tuple(map(cpu, ("GET", "SET", "INCR", "DEL", "HSET", "LPUSH", "SADD", "ZADD"))),
    ),
    Panel(
        "Python client: operations a second, as many times those of its peers. Longer is better",
        "peer",
        ("redis-py with hiredis", "valkey-glide"),
        (
            ops("trio, 100 tasks", KV, 100),
            ops("trio, 1000 tasks", KV, 1000),
            ops("asyncio, 100", ASYNCIO, 100),
            ops("asyncio, 1000", ASYNCIO, 1000),
            ops("batches of 100", KV, 0),
        ),
    ),
    Panel(
        "Memory, Redis = 1. Shorter is better",
        "Redis",
        (),
        tuple(
            (name, (ratio(memory_row(shape.name), KV, REDIS, "bytes"),))
            for name, shape in zip(SHAPES, JUDGED, strict=True)
        ),
    ),
)


def drawn(summary: Summary, caption: str) -> str:
    """The chart of what was measured, with *caption* for those who cannot see it."""
    height = sum(panel.height for panel in PANELS) + GAP
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'",
        f" role='img' {FONT}>",
        f"<title>kv beside Redis, redis-py and valkey-glide</title><desc>{escape(caption)}</desc>",
    ]
    top = 0
    for panel in PANELS:
        parts += panel_parts(panel, summary, top)
        top += panel.height
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel_parts(panel: Panel, summary: Summary, top: int) -> Iterator[str]:
    found = {
        (group, at): read_or_none(read, summary)
        for group, (_, bars) in enumerate(panel.groups)
        for at, read in enumerate(bars)
    }
    most = max([1.15, *(each for each in found.values() if each is not None)])
    scale = (WIDTH - LABELS - SPARE) / most
    yield text(0, top + 18, panel.title, 13, weight="600")
    place = LABELS
    for colour, word in zip(COLOURS, panel.legend, strict=False):
        yield f"<rect x='{place}' y='{top + 28}' width='10' height='10' rx='2' fill='{colour}'/>"
        yield text(place + 14, top + 37, word, 11)
        place += 34 + 6 * len(word)
    line, y = LABELS + scale, top + panel.head
    end = top + panel.height - GAP
    yield f"<path d='M{line:.1f} {y - 4}V{end}' stroke='{INK}' stroke-dasharray='3 3'/>"
    yield text(line, y - 6, panel.line, 10, anchor="middle")
    for group, (name, bars) in enumerate(panel.groups):
        yield text(LABELS - 8, y + len(bars) * (BAR + 1) / 2 + 4, name, 11, anchor="end")
        for at in range(len(bars)):
            each = found[group, at]
            if each is not None:
                wide = max(each * scale, 1)
                yield f"<rect x='{LABELS}' y='{y}' width='{wide:.1f}' height='{BAR}' rx='2' fill='{COLOURS[at]}'/>"
                yield text(LABELS + wide + 4, y + BAR - 1, number(each), 9)
            y += BAR + 1
        y += GAP


def read_or_none(read: Read, summary: Summary) -> float | None:
    try:
        return read(summary)
    except KeyError:
        return None


def text(x: float, y: float, words: str, size: int, *, anchor: str = "start", weight: str = "400") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' fill='{INK}'>"
        f"{escape(words)}</text>"
    )

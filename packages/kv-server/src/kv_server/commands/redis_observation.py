"""The same words as Redis has them, where the reply is of another form; and how latency is told to people."""

from __future__ import annotations

from typing import Any, Final

from kv_protocol.errors import InvalidArgument
from kv_server.engine.engine import Caller
from kv_server.engine.node import Node
from kv_server.engine.observation import Sample
from kv_server.engine.onlookers import LineOnlooker
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int
from kv_server.spec.command import ADMIN, READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import OK, Simple
from kv_server.spec.types import Octets

_ROWS: Final = 4
_COLUMNS: Final = 80
_MARKS: Final = "_o#"
_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


@command(READ | ADMIN | SLOW, group="server", since="0.1", cost="O(calls)", doors=RESP_DOOR, method=None)
def monitor(session: Caller, /) -> Simple:
    """Show this connection, from now on, every call of both doors: its time, namespace, address, and words.

    Shown is what has run, but not what only an operator may do, what is secret, or what this connection calls. What
    would be owed beyond `--monitor-buffer` is counted instead: `... 7 calls not shown`.
    """
    if session.engine.tx.within:
        raise InvalidArgument("MONITOR isn't allowed for DENY BLOCKING client")
    engine = session.engine
    engine.observation.monitor(LineOnlooker(session.session, session.request_id, engine.set_alarm))
    return OK


# ---- slow calls
@command(READ | ADMIN, group="server", since="0.1", cost="O(count)", name="SLOWLOG GET", doors=RESP_DOOR, method=None)
def slowlog_get(node: Node, count: Octets = b"10", /) -> list[Any]:
    """Return the last calls that took long, the latest first: number, time, microseconds, words, address, and client.

    `CONFIG SET slowlog-log-slower-than` says, in microseconds, which are kept.
    """
    try:
        most = text_int(count, -1)
    except InvalidArgument:
        raise InvalidArgument("count should be greater than or equal to -1") from None
    kept = list(node.engine.observation.slow)
    return [
        [slow.number, slow.time_ms // 1000, slow.spent_us, slow.words, slow.address, slow.client]
        for slow in (kept if most == -1 else kept[:most])
    ]


# ---- latency
@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="LATENCY LATEST", doors=RESP_DOOR, method=None)
def latency_latest(node: Node, /) -> list[Any]:
    """Return the last sample of each kind of latency, and the longest there was: kind, time, milliseconds, longest.

    `CONFIG SET latency-monitor-threshold` says, in milliseconds, what is a sample; at first nothing is.
    """
    seen = node.engine.observation
    return [[kind, *samples[-1], seen.longest[kind]] for kind, samples in seen.samples.items()]


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(samples)", name="LATENCY HISTORY", doors=RESP_DOOR, method=None
)
def latency_history(node: Node, event: Octets, /) -> list[Any]:
    """Return the samples of a kind of latency: time and milliseconds. Kinds are `command` and `fast-command`."""
    return [list(sample) for sample in node.engine.observation.samples.get(spelled(event), ())]


def drawing(node: Node, kind: str) -> str:
    """The samples of a kind of latency, as a picture."""
    samples = list(node.engine.observation.samples.get(kind, ()))[-_COLUMNS:]
    if not samples:
        raise InvalidArgument(f"No samples available for event '{kind}'")
    high, low = max(sample.spent_ms for sample in samples), min(sample.spent_ms for sample in samples)
    title = f"{kind} - high {high} ms, low {low} ms (all time high {node.engine.observation.longest[kind]} ms)"
    return "\n".join((title, "-" * _COLUMNS, *drawn(samples, low, high, node.engine.now_ms // 1000), ""))


def diagnosis(node: Node) -> str:
    """What the samples of latency tell."""
    seen = node.engine.observation
    if not seen.samples:
        return (
            "No latency was observed.\n" if seen.threshold_ms else
            "Latency is not monitored: CONFIG SET latency-monitor-threshold <milliseconds> begins it.\n"
        )  # fmt: skip
    lines = []
    for kind, samples in seen.samples.items():
        mean = sum(sample.spent_ms for sample in samples) // len(samples)
        lines.append(f"{kind}: {len(samples)} spikes, {mean} ms on average, {seen.longest[kind]} ms at most.\n")
    return "".join(lines) + "\nSLOWLOG GET has the calls: CONFIG SET slowlog-log-slower-than <microseconds>.\n"


def spelled(word: bytes) -> str:
    return word.decode("utf-8", "backslashreplace")


def cumulated(scales: list[int]) -> dict[int, int]:
    """By microseconds, how many calls took no longer."""
    found: dict[int, int] = {}
    total = 0
    for scale, calls in enumerate(scales):
        total += calls
        if calls:
            found[1 << scale] = total
    return found


def drawn(samples: list[Sample], low: int, high: int, now_s: int) -> list[str]:
    """Rows of marks, a column for each sample, and below each how long ago it was."""
    range_ms = max(high - low, 1)
    most = len(_MARKS) * _ROWS - 1
    steps = [min((sample.spent_ms - low) * (most + 1) // range_ms, most) for sample in samples]
    ages = [age_of(now_s - sample.time_s) for sample in samples]
    rows = ["".join(mark_of(step - row * len(_MARKS)) for step in steps) for row in reversed(range(_ROWS))]
    longest = max(map(len, ages))
    return [*rows, "", *("".join(age.ljust(longest)[at] for age in ages) for at in range(longest))]


def mark_of(step: int) -> str:
    return " " if step < 0 else _MARKS[step] if step < len(_MARKS) else "|"


def age_of(seconds: int) -> str:
    size, unit = next(((size, unit) for size, unit in _AGES if seconds >= size), _AGES[-1])
    return f"{max(seconds, 0) // size}{unit}"

"""What the server does, for those who run it: every call as it comes, the slow ones, how long calls take, hot keys."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from kv_protocol.names import text
from kv_protocol.types import Seen
from kv_server.commands.redis_observation import cumulated, diagnosis, drawing
from kv_server.commands.resp_views import AS_OK
from kv_server.engine.engine import PARKED, Caller
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, NATIVE_DOOR, READ, STREAMS, View
from kv_server.spec.resp_kinds import Verbatim
from kv_server.spec.types import NATIVE, OPTIONAL, Count, Size, Text, Time


class SlowCall(NamedTuple):
    """A call that took long: its number, when it ended, microseconds, words, and who called."""

    number: int
    time: Time
    spent_us: int
    words: list[str]
    address: str
    client: str


class Latency(NamedTuple):
    """The last sample of a kind of latency, and the longest there was, in milliseconds."""

    event: str
    time: Time
    spent_ms: int
    longest_ms: int


class LatencySample(NamedTuple):
    """The longest of a second, in milliseconds."""

    time: Time
    spent_ms: int


class CommandLatency(NamedTuple):
    """The calls of a command; *histogram* is how many took so many microseconds at most, those below among them."""

    calls: int
    failed: int
    spent_us: int
    histogram: list[tuple[int, int]]


class HotKey(NamedTuple):
    """A key that is asked for often, and about which part of all calls that is."""

    namespace: str
    key: str
    share: float
    samples: int


class HotKeys(NamedTuple):
    """The keys that were asked for most *since* then, by so many *samples*."""

    since: Time
    samples: int
    keys: list[HotKey]


def as_text(said: str) -> Verbatim:
    """Text to be read as it is."""
    return Verbatim(said)


def as_redis_has_it(found: dict[str, CommandLatency]) -> dict[str, Any]:
    """By command its calls, and by microseconds how many took no longer."""
    return {name: {"calls": each.calls, "histogram_usec": dict(each.histogram)} for name, each in found.items()}


@command(READ | ADMIN | STREAMS, group="server", since="0.1", cost="O(calls)", doors=NATIVE_DOOR, method=None)
def monitor(session: Caller, /, *, credit: Annotated[Size, NATIVE] = 0) -> None:
    """Show every call of both doors, from now on, as events of this call: when, where, who, and its words.

    Shown is what has run, but not what only an operator may do, what is secret, or what this session calls. *credit* is
    how many events may be sent before more is granted; what would be owed beyond `--monitor-buffer` is counted instead.
    """
    onlooker = session.look_on(credit)
    onlooker.show(Seen("open", session.engine.now_ms, "", 0, "", "", [], 0), 0)
    return PARKED  # type: ignore[return-value]


# ---- slow calls
@command(
    READ | ADMIN, group="server", since="0.1", cost="O(count)", name="SLOWLOG GET", doors=NATIVE_DOOR,
    method="slow_calls",
)  # fmt: skip
def slowlog_get(node: Node, count: Count = 10, /) -> list[SlowCall]:
    """Return the last calls that took at least `--slow-log-threshold`, the latest first."""
    kept = list(node.engine.observation.slow)[:count]
    return [SlowCall(*slow[:3], [text(word) for word in slow.words], slow.address, slow.client) for slow in kept]


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="SLOWLOG LEN", method="slow_call_count")
def slowlog_len(node: Node, /) -> int:
    """Return how many slow calls are kept."""
    return len(node.engine.observation.slow)


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(1)", name="SLOWLOG RESET", method="forget_slow_calls",
    views=(AS_OK,),
)  # fmt: skip
def slowlog_reset(node: Node, /) -> None:
    """Forget the slow calls."""
    node.engine.observation.slow.clear()


# ---- latency
@command(
    READ | ADMIN, group="server", since="0.1", cost="O(1)", name="LATENCY LATEST", doors=NATIVE_DOOR,
    method="latency_latest",
)  # fmt: skip
def latency_latest(node: Node, /) -> list[Latency]:
    """Return the last sample of each kind of latency. `--latency-threshold` says what is a sample."""
    seen = node.engine.observation
    return [
        Latency(kind, samples[-1].time_s * 1000, samples[-1].spent_ms, seen.longest[kind])
        for kind, samples in seen.samples.items()
    ]


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(samples)", name="LATENCY HISTORY", doors=NATIVE_DOOR,
    method="latency_history",
)  # fmt: skip
def latency_history(node: Node, event: Text, /) -> list[LatencySample]:
    """Return the samples of a kind of latency, of each second the longest: `command` or `fast-command`."""
    samples = node.engine.observation.samples.get(event, ())
    return [LatencySample(sample.time_s * 1000, sample.spent_ms) for sample in samples]


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="LATENCY RESET", method="forget_latency")
def latency_reset(node: Node, /, *events: Annotated[Text, OPTIONAL]) -> int:
    """Forget the samples of these kinds of latency, or of all; of how many there were any."""
    seen = node.engine.observation
    return seen.forget_samples(events or list(seen.samples))


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(samples)", name="LATENCY GRAPH", method="latency_graph",
    views=(View("text", as_text),),
)  # fmt: skip
def latency_graph(node: Node, event: Text, /) -> str:
    """Draw the samples of a kind of latency."""
    return drawing(node, event)


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(samples)", name="LATENCY DOCTOR", method="latency_doctor",
    views=(View("text", as_text),),
)  # fmt: skip
def latency_doctor(node: Node, /) -> str:
    """Say what the samples of latency tell."""
    return diagnosis(node)


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(commands)", name="LATENCY HISTOGRAM", method="latency_histogram",
    views=(View("redis", as_redis_has_it),),
)  # fmt: skip
def latency_histogram(node: Node, /, *names: Annotated[Text, OPTIONAL]) -> dict[str, CommandLatency]:
    """Return how many calls of each command took how many microseconds at most, of all commands or those named.

    Calls of one command that follow each other in a pipeline are timed together and count with their mean.
    """
    if not node.engine.observation.tracking:
        return {}
    wanted = [name.lower().replace(" ", "|") for name in names]
    return {
        name: CommandLatency(tally.calls, tally.failed, tally.spent_us, list(cumulated(tally.scales).items()))
        for name, tally in node.engine.observation.tallies.items()
        if tally.calls and (not names or any(name == each or name.startswith(each + "|") for each in wanted))
    }


# ---- keys
@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", method="hot_keys")
def hotkeys(node: Node, count: Count = 10, /) -> HotKeys:
    """Return the keys that were asked for most in the last minutes, the most wanted first.

    It is an estimate: of 64 runs of calls, single calls or pipelines, the last key is counted, for a minute or two.
    """
    since_ms, samples, found = node.engine.observation.hot.hottest(count)
    keys = [HotKey(text(one.namespace), text(one.key), one.share, one.samples) for one in found]
    return HotKeys(since_ms, samples, keys)

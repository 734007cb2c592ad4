"""Metrics: the figures that the server counts anyway, as families of Prometheus, piece by piece.

No key, value or secret is a label. Labels whose values come from users are bounded: the largest are named, the others
are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from kv_server.durability.journal import FAILED, FULL
from kv_server.engine.engine import Engine
from kv_server.engine.waiting import Listener, Subscription
from kv_server.model.space import Namespace
from kv_server.surfaces.figures import COUNTS, FIGURES

__all__ = ["exposition"]

Facts: TypeAlias = dict[str, dict[str, Any]]

_AT_ONCE: Final = 8  # commands, or namespaces, between two rounds of the loop
_MOST_NAMESPACES: Final = 100
_OTHERS: Final = "other"
_SCALES: Final = range(4, 28, 2)  # the powers of two of microseconds that histograms tell: 16 us to 67 s
_END: Final = b"# EOF\n"


class _One(NamedTuple):
    """What the library takes for a registry: a single family."""

    family: Metric

    def collect(self) -> Iterable[Metric]:
        return [self.family]


def exposition(engine: Engine, accept: str) -> tuple[str, Iterator[bytes]]:
    """The content type that suits *accept*, and the text in pieces, between which others may have their turn."""
    encode, content_type = choose_encoder(accept)
    return content_type, _pieces(engine, encode, ends=content_type.startswith("application/openmetrics-text"))


def _pieces(engine: Engine, encode: Callable[[Any], bytes], *, ends: bool) -> Iterator[bytes]:
    last = ""
    for family in _families(engine):
        if family is None:
            yield b""
            continue
        text = encode(_One(family)).removesuffix(_END)
        yield _headless(text) if family.name == last else text
        last = family.name
    if ends:
        yield _END


def _headless(text: bytes) -> bytes:
    """The samples alone: what they belong to has been said."""
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#"))


def _families(engine: Engine) -> Iterator[Metric | None]:
    """Every family; a large one in parts that follow each other. None where there is nothing to tell yet."""
    facts: Facts = {**engine.node.facts(), "engine": engine.statistics()}
    facts["state"] = _state(engine)
    server, disk = facts.get("server", {}), facts.get("persistence", {})
    if "state" in disk:
        disk["disk_well"] = disk["state"] not in (FULL, FAILED)
    build = {name: str(server.get(name, "")) for name in ("version", "build", "python")}
    yield InfoMetricFamily("kv_build", "The program that runs.", build)
    for figure in FIGURES:
        value = facts.get(figure.section, {}).get(figure.fact)
        if value is not None:
            kind = CounterMetricFamily if figure.kind == COUNTS else GaugeMetricFamily
            yield kind(figure.metric, figure.help, value=float(value) * figure.scale)
    yield _errors(engine)
    yield from _commands(engine)
    yield from _namespaces(engine)


def _state(engine: Engine) -> dict[str, float]:
    """What no counter tells: when the server began, whether it takes writes, who waits for what."""
    watches = listeners = 0
    for session in engine.sessions.values():
        for call in session.waiting.values():
            watches += isinstance(call, Subscription)
            listeners += isinstance(call, Listener)
        listeners += bool(session.hearing)
    return {
        "started": (engine.now_ms - engine.elapsed_ms + engine.started_ms) / 1000,
        "writable": float(engine.writable),
        "watches": watches,
        "subscribers": listeners,
        "hits": engine.hits,
        "misses": engine.misses,
    }


def _errors(engine: Engine) -> Metric:
    family = CounterMetricFamily("kv_errors", "Calls that failed, by the code of their error.", labels=["code"])
    for code, times in engine.observation.codes.items():
        family.add_metric([code], times)
    return family


def _commands(engine: Engine) -> Iterator[Metric]:
    tallies = list(engine.observation.tallies.items())
    calls = CounterMetricFamily("kv_command_calls", "Calls by command.", labels=["command"])
    failed = CounterMetricFamily("kv_command_failures", "Calls that failed, by command.", labels=["command"])
    for name, tally in tallies:
        calls.add_metric([name], tally.calls)
        failed.add_metric([name], tally.failed)
    yield calls
    yield failed
    for at in range(0, max(1, len(tallies)), _AT_ONCE):
        spent = HistogramMetricFamily(
            "kv_command_duration_seconds", "Time that calls took to run, by command.", labels=["command"]
        )
        for name, tally in tallies[at : at + _AT_ONCE]:
            buckets, below, scale = [], 0, 0
            for most in _SCALES:
                below += sum(islice(tally.scales, scale, most + 1))
                scale = most + 1
                buckets.append((str((1 << most) / 1e6), float(below)))
            spent.add_metric([name], [*buckets, ("+Inf", float(tally.calls))], tally.spent_us / 1e6)
        yield spent


def _namespaces(engine: Engine) -> Iterator[Metric | None]:
    """The namespaces with the most keys by name, all others as one."""
    found: list[tuple[list[int], bytes]] = []
    for at, (name, space) in enumerate(list(engine.store.namespaces.items())):
        found.append((_sizes(space), name))
        if at % _AT_ONCE == 0:
            yield None
    found.sort(reverse=True)
    sums: dict[str, list[int]] = {}
    for place, (sizes, name) in enumerate(found):
        label = name.decode("utf-8", "backslashreplace") if place < _MOST_NAMESPACES else _OTHERS
        known = sums.get(label)
        sums[label] = sizes if known is None else [old + new for old, new in zip(known, sizes, strict=True)]
    expiring = sum(sizes[_EXPIRING] for sizes, _ in found)
    yield GaugeMetricFamily("kv_expiring_keys", "Keys that have an expiry.", value=expiring)
    for place, (kind, metric, what) in enumerate(_OF_NAMESPACES):
        family = kind(metric, f"{what}, by namespace.", labels=["namespace"])
        for label, sizes in sums.items():
            family.add_metric([label], sizes[place])
        yield family


def _sizes(space: Namespace) -> list[int]:
    expiring = sum(table.expiring for table in space.live_tables())
    return [space.keys, space.bytes, expiring, len(space.locks), space.evicted]


_EXPIRING: Final = 2
_OF_NAMESPACES: Final[tuple[tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str], ...]] = (
    (GaugeMetricFamily, "kv_namespace_keys", "Keys that exist"),
    (GaugeMetricFamily, "kv_namespace_memory_bytes", "Memory that keys, values and locks are accounted for"),
    (GaugeMetricFamily, "kv_namespace_expiring_keys", "Keys that have an expiry"),
    (GaugeMetricFamily, "kv_namespace_locks", "Locks that are held"),
    (CounterMetricFamily, "kv_namespace_evicted_keys", "Keys that were dropped to make room"),
)
"""In the order of `_sizes`."""

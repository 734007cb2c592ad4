"""The settings that clients and tools of Redis look for: those that may change, and what the others are here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from kv_protocol.limits import MAX_FRAME, MAX_OUTPUT
from kv_server.engine.node import Node
from kv_server.engine.notifications import classes_of, spelled
from kv_server.model.terms import POLICIES

__all__ = ["LIVE", "TRUE", "TUNING", "Live"]

_FSYNC: Final = {"always": "always", "interval": "everysec", "never": "no"}
_MOST_CLIENTS: Final = 1_000_000
_INT32: Final = 2**31 - 1
_INT64: Final = 2**63 - 1
_OCTETS: Final = re.compile(r"([0-9]{1,15})(b|kb?|mb?|gb?|)")
_UNITS: Final = {
    "": 1, "b": 1, "k": 1_000, "kb": 1 << 10, "m": 1_000_000, "mb": 1 << 20, "g": 1_000_000_000, "gb": 1 << 30,
}  # fmt: skip


@frozen
class Live:
    """A setting that may change: what text means it, how it is written, and where it is."""

    read: Callable[[str], Any]
    show: Callable[[Any], str]
    get: Callable[[Node], Any]
    put: Callable[[Node, Any], None]


def whole(least: int = 0, most: int = _INT64) -> Callable[[str], int]:
    """Reads a whole number within bounds."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(text) > 19:
            raise ValueError("argument couldn't be parsed into an integer")
        if not least <= int(text) <= most:
            raise ValueError(f"argument must be between {least} and {most} inclusive")
        return int(text)

    return read


def switch(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ValueError("argument must be 'yes' or 'no'")
    return text.lower() == "yes"


def ours(name: str, read: Callable[[str], Any], show: Callable[[Any], str]) -> Live:
    """A setting that has another name here."""
    return Live(read, show, lambda node: node.setting(name), lambda node, value: node.change(name, value))


def observed(name: str, setting: str, read: Callable[[str], Any]) -> Live:
    """A setting of what is observed, which is *setting* here; kept up also where no server surrounds the engine."""

    def put(node: Node, value: Any) -> None:
        try:
            node.change(setting, value)
        except KeyError:
            setattr(node.engine.observation, name, value)
            node.engine.observation.choose()

    return Live(read, str, lambda node: getattr(node.engine.observation, name), put)


def keep_slow(node: Node, most: int) -> None:
    try:
        node.change("slow_log_length", most)
    except KeyError:
        node.engine.observation.keep_slow(most)


def track(node: Node, on: bool) -> None:
    """Show histograms of latency or not; they are counted in any case."""
    node.engine.observation.tracking = on


def kept_slow(node: Node) -> int:
    most = node.engine.observation.slow.maxlen
    assert most is not None
    return most


def setting(name: str, default: Any, show: Callable[[Any], str] = str) -> Callable[[Node], str]:
    """What a setting of ours is, which another name means here."""

    def value(node: Node) -> str:
        try:
            found = node.setting(name)
        except KeyError:
            found = default
        return show(found)

    return value


def save_rule(node: Node) -> str:
    """When a snapshot is taken by itself, as far as Redis has words for it."""
    try:
        interval_ms = node.setting("snapshot_interval") if node.setting("data_dir") else 0
    except KeyError:
        return ""
    return f"{max(1, int(str(interval_ms)) // 1000)} 1" if interval_ms else ""


def budgeted(name: str) -> Live:
    """A size of ours that the engine knows."""
    return Live(
        octets, str, lambda node: node.engine.room.setting(name), lambda node, size: node.engine.room.change(name, size)
    )


def octets(text: str) -> int:
    """A number of bytes, with a unit as Redis writes them."""
    found = _OCTETS.fullmatch(text.lower())
    if found is None:
        raise ValueError("argument must be a memory value")
    return int(found[1]) * _UNITS[found[2]]


def policy(text: str) -> str:
    if text.lower() not in POLICIES:
        raise ValueError(f"argument(s) must be one of the following: {', '.join(POLICIES)}")
    return text.lower()


def habit(name: str, most: int) -> Live:
    """How caches choose what is evicted."""
    return Live(
        whole(0 if name != "samples" else 1, most),
        str,
        lambda node: getattr(node.engine.store.habits, name),
        lambda node, value: setattr(node.engine.store.habits, name, value),
    )


LIVE: Final = {
    "maxmemory": budgeted("max_memory"),
    "maxmemory-policy": Live(
        policy,
        str,
        lambda node: node.engine.room.rules.numbered,
        lambda node, value: node.engine.room.apply(rules=evolve(node.engine.room.rules, numbered=value)),
    ),
    "maxmemory-samples": habit("samples", 64),
    "lfu-log-factor": habit("factor", _INT32),
    "lfu-decay-time": habit("decay_minutes", _INT32),
    "maxclients": ours("max_connections", whole(1, _MOST_CLIENTS), str),
    "timeout": ours("idle_timeout", lambda text: whole(0, _INT32)(text) * 1000, lambda idle_ms: str(idle_ms // 1000)),
    "notify-keyspace-events": Live(
        classes_of,
        spelled,
        lambda node: node.engine.notifications.classes,
        lambda node, classes: node.engine.notifications.choose(classes),
    ),
    "slowlog-log-slower-than": observed("slower_than_us", "slow_log_threshold", whole(-1)),
    "slowlog-max-len": Live(whole(), str, kept_slow, keep_slow),
    "latency-monitor-threshold": observed("threshold_ms", "latency_threshold", whole()),
    "latency-tracking": Live(
        switch, lambda on: "yes" if on else "no", lambda node: node.engine.observation.tracking, track
    ),
}
TRUE: Final[Mapping[str, str | Callable[[Node], str]]] = {
    "port": lambda node: str(node.facts().get("server", {}).get("port", 0)),
    "bind": setting("bind", (), lambda places: " ".join(place.host for place in places if not place.path)),
    "unixsocket": setting("bind", (), lambda places: next((place.path for place in places if place.path), "")),
    "tls-port": "0",
    "protected-mode": "yes",
    "save": save_rule,
    "appendonly": setting("data_dir", "", lambda folder: "yes" if folder else "no"),
    "appendfsync": setting("fsync", "interval", _FSYNC.__getitem__),
    "dir": setting("data_dir", ""),
    "dbfilename": "",
    "logfile": "",
    "databases": "16",
    "maxmemory-clients": "0",
    "tcp-keepalive": "30",
    "tcp-backlog": "511",
    "daemonize": "no",
    "supervised": "no",
    "io-threads": "1",
    "cluster-enabled": "no",
    "replicaof": "",
    "slaveof": "",
    "replica-read-only": "yes",
    "slave-read-only": "yes",
    "min-replicas-to-write": "0",
    "min-slaves-to-write": "0",
    "repl-diskless-sync": "yes",
    "requirepass": "",
    "masterauth": "",
    "masteruser": "",
    "latency-tracking-info-percentiles": "50 99 99.9",
    "lazyfree-lazy-eviction": "yes",
    "lazyfree-lazy-expire": "yes",
    "lazyfree-lazy-server-del": "yes",
    "lazyfree-lazy-user-del": "yes",
    "lazyfree-lazy-user-flush": "yes",
    "rdbcompression": "yes",
    "rdbchecksum": "yes",
    "client-output-buffer-limit": setting(
        "max_output", MAX_OUTPUT, lambda most: f"normal {most} 0 0 slave 0 0 0 pubsub {most} 0 0"
    ),
    "client-query-buffer-limit": setting("max_frame", MAX_FRAME),
    "proto-max-bulk-len": setting("max_frame", MAX_FRAME),
    "busy-reply-threshold": "5000",
    "lua-time-limit": "5000",
}
TUNING: Final = {
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "64",
    "hash-max-ziplist-entries": "512",
    "hash-max-ziplist-value": "64",
    "list-max-listpack-size": "-2",
    "list-max-ziplist-size": "-2",
    "list-compress-depth": "0",
    "set-max-intset-entries": "512",
    "set-max-listpack-entries": "128",
    "set-max-listpack-value": "64",
    "zset-max-listpack-entries": "128",
    "zset-max-listpack-value": "64",
    "zset-max-ziplist-entries": "128",
    "zset-max-ziplist-value": "64",
    "hll-sparse-max-bytes": "3000",
    "stream-node-max-bytes": "4096",
    "stream-node-max-entries": "100",
    "active-defrag-threshold-lower": "10",
    "activedefrag": "no",
    "activerehashing": "yes",
    "jemalloc-bg-thread": "yes",
    "active-expire-effort": "1",
    "hz": "10",
    "dynamic-hz": "yes",
    "lazyfree-threads": "1",
    "loglevel": "notice",
}

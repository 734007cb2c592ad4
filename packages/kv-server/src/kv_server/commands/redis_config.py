"""CONFIG: the few settings of Redis that are ours, and the answers that its clients and tools look for.

Some settings live and take effect when set. The others have one value here, the one that is true: setting it again is
fine, setting another is refused. Those that only tune Redis's own encodings are kept and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from kv_protocol.errors import InvalidArgument
from kv_server.engine.node import Node
from kv_server.engine.notifications import classes_of, spelled
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import OK, RespError, Simple
from kv_server.spec.types import Octets

__all__ = ["config_get", "config_resetstat", "config_rewrite", "config_set"]


@frozen
class Live:
    """A setting of ours: what it is called here, and how text becomes it and back."""

    name: str
    read: Callable[[str], object]
    show: Callable[[Any], str]


def whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError("argument couldn't be parsed into an integer")
    return int(text)


def connections(text: str) -> int:
    number = whole(text)
    if not 1 <= number <= 1_000_000:
        raise ValueError("argument must be between 1 and 1000000 inclusive")
    return number


LIVE: Final = {
    "maxclients": Live("max_connections", connections, str),
    "timeout": Live("idle_timeout", lambda text: whole(text) * 1000, lambda idle_ms: str(idle_ms // 1000)),
}
NOTIFY: Final = "notify-keyspace-events"
TRUE: Final = {
    "port": "0",
    "save": "",
    "appendonly": "no",
    "appendfsync": "everysec",
    "databases": "16",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "maxmemory-samples": "5",
    "maxmemory-clients": "0",
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "tcp-keepalive": "30",
    "tcp-backlog": "511",
    "daemonize": "no",
    "supervised": "no",
    "io-threads": "1",
    "cluster-enabled": "no",
    "replica-read-only": "yes",
    "slave-read-only": "yes",
    "min-replicas-to-write": "0",
    "min-slaves-to-write": "0",
    "repl-diskless-sync": "yes",
    "requirepass": "",
    "masterauth": "",
    "latency-monitor-threshold": "0",
    "slowlog-log-slower-than": "-1",
    "slowlog-max-len": "128",
    "lazyfree-lazy-eviction": "yes",
    "lazyfree-lazy-expire": "yes",
    "lazyfree-lazy-server-del": "yes",
    "lazyfree-lazy-user-del": "yes",
    "lazyfree-lazy-user-flush": "yes",
    "rdbcompression": "yes",
    "rdbchecksum": "yes",
    "dbfilename": "",
    "dir": "",
    "logfile": "",
    "unixsocket": "",
    "client-output-buffer-limit": "normal 0 0 0 slave 0 0 0 pubsub 0 0 0",
    "client-query-buffer-limit": "67108864",
    "proto-max-bulk-len": "67108864",
    "lfu-log-factor": "10",
    "lfu-decay-time": "1",
    "busy-reply-threshold": "5000",
    "lua-time-limit": "5000",
}
TUNING: Final = {
    "hash-max-listpack-entries": "128",
    "hash-max-listpack-value": "64",
    "hash-max-ziplist-entries": "128",
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


@command(
    READ | ADMIN | SLOW,
    group="server",
    since="0.1",
    cost="O(settings)",
    name="CONFIG GET",
    doors=RESP_DOOR,
    method=None,
)
def config_get(node: Node, /, *patterns: Octets) -> dict[str, str]:
    """Return the settings whose names fit one of *patterns*."""
    lowered = [pattern.lower() for pattern in patterns]
    known = {**LIVE, **TRUE, NOTIFY: "", **TUNING}
    return {name: value_of(node, name) for name in known if any(matches(each, name.encode()) for each in lowered)}


@command(READ | ADMIN, group="server", since="0.1", cost="O(settings)", name="CONFIG SET", doors=RESP_DOOR, method=None)
def config_set(node: Node, /, *words: Octets) -> Simple:
    """Give settings other values, all or none: `name value [name value ...]`."""
    if len(words) % 2:
        raise InvalidArgument("wrong number of arguments for 'config|set' command")
    changes: dict[str, object] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        setting, text = name.decode("utf-8", "replace").lower(), value.decode("utf-8", "replace")
        if setting in changes:
            raise refused(setting, "duplicate parameter")
        changes[setting] = checked(setting, text)
    for setting, new in changes.items():
        if setting in LIVE:
            node.change(LIVE[setting].name, new)
        elif setting == NOTIFY:
            node.engine.notifications.choose(classes_of(str(new)))
        elif setting in TUNING:
            node.tuning[setting] = str(new)
    return OK


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="CONFIG RESETSTAT", doors=RESP_DOOR, method=None)
def config_resetstat(node: Node, /) -> Simple:
    """Let the server's counters begin anew."""
    node.reset_statistics()
    return OK


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="CONFIG REWRITE", doors=RESP_DOOR, method=None)
def config_rewrite(node: Node, /) -> Simple:
    """Refuse always: the server never writes its own settings."""
    raise InvalidArgument("The server is running without a config file")


def value_of(node: Node, name: str) -> str:
    live = LIVE.get(name)
    if live is not None:
        return live.show(node.setting(live.name))
    if name == NOTIFY:
        return spelled(node.engine.notifications.classes)
    if name == "port":
        return str(node.facts().get("server", {}).get("port", 0))
    return TRUE[name] if name in TRUE else node.tuning.get(name, TUNING[name])


def checked(name: str, text: str) -> object:
    """The value that *text* is for the setting. Raises what Redis says where it is none."""
    if name in LIVE:
        try:
            return LIVE[name].read(text)
        except ValueError as error:
            raise refused(name, str(error)) from None
    if name == NOTIFY:
        try:
            return spelled(classes_of(text))
        except ValueError as error:
            raise refused(name, str(error)) from None
    if name in TUNING:
        return text
    if name not in TRUE:
        raise InvalidArgument(f"Unknown option or number of arguments for CONFIG SET - '{name}'")
    if text.lower() != TRUE[name]:
        raise refused(name, "this server has one value for it")
    return text


def refused(name: str, why: str) -> RespError:
    return RespError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")

"""What an operator may set: one declaration for each setting, with its default, its check and its help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, fields_dict, frozen

from kv_protocol import limits
from kv_protocol.limits import KIB, MIB
from kv_server.app.kinds import (
    ADDRESSES,
    FILE,
    FLAG,
    FOLDER,
    HTTP_ADDRESSES,
    SECRET,
    Kind,
    choice,
    power_of_two,
    size,
    span,
    threshold,
    whole,
)  # fmt: skip
from kv_server.app.quotas import NAMESPACES
from kv_server.model.terms import Terms
from kv_server.net.address import DEFAULT_PORT, HTTP_PORT, Address
from kv_server.surfaces.requests import LEAST_BATCH

__all__ = ["SETTINGS", "Config", "Setting"]

_HOUR_MS: Final = 3_600_000


@frozen
class Setting:
    """How a setting is written, shown and explained; its default is the field's."""

    kind: Kind
    help: str
    default: Any
    live: bool = False
    """It may change while the server runs."""


def _setting(kind: Kind, default: Any, help: str, *, live: bool = False) -> Any:
    return field(default=default, metadata={"setting": Setting(kind, help, default, live)})


@frozen
class Config:
    """Every setting of a server. Sizes in bytes, times in milliseconds."""

    bind: tuple[Address, ...] = _setting(
        ADDRESSES,
        (Address("127.0.0.1", DEFAULT_PORT),),
        "listen on host:port, [IPv6]:port, either with tls:// before it, or unix:/path; repeatable",
    )
    tls_certificate: str = _setting(FILE, "", "certificate of the tls:// binds, with those that vouch for it; PEM")
    tls_key: str = _setting(FILE, "", "its key, without a passphrase; PEM")
    tls_client_ca: str = _setting(
        FILE, "", "demand certificates that these vouch for from clients of tls:// binds; PEM"
    )
    users: str = _setting(FILE, "", "keep users, their rules and tokens in this file; else a restart forgets them")
    password: str = _setting(SECRET, "", "password of the user default; of the environment or the config file alone")
    password_file: str = _setting(FILE, "", "the same, as the content of this file")
    insecure: bool = _setting(FLAG, False, "allow a bind that other machines can reach, although nobody has to log in")
    http: tuple[Address, ...] = _setting(
        HTTP_ADDRESSES, (), f"serve /metrics, /health and /ready on host:port; port {HTTP_PORT} if none is named"
    )
    shards: int = _setting(power_of_two(limits.SLOTS), 256, "parts the keys are divided into; a power of two")
    max_connections: int = _setting(
        whole(1, 1_000_000), limits.MAX_CONNECTIONS, "connections at the same time", live=True
    )
    max_namespaces: int = _setting(
        whole(1, 1_000_000), limits.MAX_NAMESPACES, "namespaces with anything in them", live=True
    )
    max_memory: int = _setting(
        size(0, 1 << 50),
        0,
        "what keys, locks and sessions are accounted for in all, before caches are evicted; 0: any",
        live=True,
    )
    max_memory_samples: int = _setting(whole(1, 64), 5, "keys that are drawn to find the next to evict", live=True)
    namespaces: tuple[tuple[bytes, Terms], ...] = _setting(
        NAMESPACES,
        (),
        "NAME: policy=allkeys-lru, bytes=1GiB, keys=N, connections=N, ops=N; patterns too; repeatable",
        live=True,
    )
    max_frame: int = _setting(size(128 * KIB, 1024 * MIB), limits.MAX_FRAME, "longest frame after a client's hello")
    max_batch: int = _setting(whole(LEAST_BATCH, 10_000_000), limits.MAX_BATCH, "arguments of one call")
    max_parked: int = _setting(
        whole(1, 1_000_000), limits.MAX_PARKED, "waiting calls and watches of one connection", live=True
    )
    max_output: int = _setting(
        size(1 * MIB, 16 * 1024 * MIB), limits.MAX_OUTPUT, "output that may wait for a slow reader", live=True
    )
    data_dir: str = _setting(FOLDER, "", "keep everything in this folder; without one a restart forgets it")
    fsync: str = _setting(
        choice("always", "interval", "never"), "interval", "when what was written to the data folder is forced to disk"
    )
    fsync_interval: int = _setting(span(1, 60_000), 100, "how often, with --fsync interval", live=True)
    segment_size: int = _setting(size(1 * MIB, 1024 * MIB), 64 * MIB, "length of a file of the log")
    snapshot_interval: int = _setting(
        span(0, 7 * 24 * _HOUR_MS),
        300_000,
        "time after which a changed store is written down whole; 0: none",
        live=True,
    )
    snapshot_commits: int = _setting(
        whole(0, 10**12), 0, "number of changes after which it is written down whole; 0: none", live=True
    )
    snapshot_log: int = _setting(
        size(0, 1024 * 1024 * MIB),
        256 * MIB,
        "length of the log after which it is written down whole; 0: none",
        live=True,
    )
    hello_timeout: int = _setting(span(100, _HOUR_MS), 30_000, "time a new connection has to say hello", live=True)
    frame_timeout: int = _setting(span(1_000, 24 * _HOUR_MS), 300_000, "time the rest of a frame may take", live=True)
    idle_timeout: int = _setting(
        span(0, 24 * _HOUR_MS), 0, "time without a call before a connection is closed; 0: none", live=True
    )
    drain_timeout: int = _setting(span(0, _HOUR_MS), 5_000, "time that SIGTERM leaves for open calls and unsent output")
    slow_log_threshold: int = _setting(
        threshold(3_600_000_000), 10_000, "keep calls that took so long; 0: all, off: none", live=True
    )
    slow_log_length: int = _setting(whole(0, 1_000_000), 128, "slow calls that are kept, the last", live=True)
    latency_threshold: int = _setting(
        span(0, _HOUR_MS), 0, "count calls that took so long as samples of latency; 0: none", live=True
    )
    stall_threshold: int = _setting(
        span(0, _HOUR_MS), 100, "log the name of a command that kept all others waiting for so long; 0: none", live=True
    )
    monitor_buffer: int = _setting(
        size(64 * KIB, 1024 * MIB), 1 * MIB, "what a MONITOR may be owed before calls are only counted", live=True
    )
    history: int = _setting(
        whole(0, 10_000_000), 65_536, "changes of keys that are remembered without their values, for WHY; 0: none",
        live=True,
    )  # fmt: skip
    log_level: str = _setting(
        choice("debug", "info", "warning", "error"), "info", "least level of what is logged", live=True
    )
    log_format: str = _setting(choice("text", "json"), "text", "how an event is logged: a line of text, or of JSON")


SETTINGS: Final[Mapping[str, Setting]] = {
    name: declared.metadata["setting"] for name, declared in fields_dict(Config).items()
}

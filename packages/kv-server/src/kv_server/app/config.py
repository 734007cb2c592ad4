"""What an operator may set: one declaration for each setting, with its default, its check and its help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, fields_dict, frozen

from kv_protocol import limits
from kv_protocol.limits import KIB, MIB
from kv_server.app.kinds import ADDRESSES, FLAG, FOLDER, Kind, choice, power_of_two, size, span, whole
from kv_server.net.address import DEFAULT_PORT, Address
from kv_server.surfaces.requests import LEAST_BATCH

__all__ = ["SETTINGS", "Config", "Setting"]

_HOUR_MS: Final = 3_600_000


@frozen
class Setting:
    """How a setting is written, shown and explained; its default is the field's."""

    kind: Kind
    help: str
    default: Any


def _setting(kind: Kind, default: Any, help: str) -> Any:
    return field(default=default, metadata={"setting": Setting(kind, help, default)})


@frozen
class Config:
    """Every setting of a server. Sizes in bytes, times in milliseconds."""

    bind: tuple[Address, ...] = _setting(
        ADDRESSES, (Address("127.0.0.1", DEFAULT_PORT),), "listen on host:port, [IPv6]:port or unix:/path; repeatable"
    )
    insecure: bool = _setting(FLAG, False, "allow a bind that other machines can reach, although nobody has to log in")
    shards: int = _setting(power_of_two(limits.SLOTS), 256, "parts the keys are divided into; a power of two")
    max_connections: int = _setting(whole(1, 1_000_000), limits.MAX_CONNECTIONS, "connections at the same time")
    max_namespaces: int = _setting(whole(1, 1_000_000), limits.MAX_NAMESPACES, "namespaces with anything in them")
    max_frame: int = _setting(size(128 * KIB, 1024 * MIB), limits.MAX_FRAME, "longest frame after a client's hello")
    max_batch: int = _setting(whole(LEAST_BATCH, 10_000_000), limits.MAX_BATCH, "arguments of one call")
    max_parked: int = _setting(whole(1, 1_000_000), limits.MAX_PARKED, "waiting calls and watches of one connection")
    max_output: int = _setting(
        size(1 * MIB, 16 * 1024 * MIB), limits.MAX_OUTPUT, "output that may wait for a slow reader"
    )
    data_dir: str = _setting(FOLDER, "", "keep everything in this folder; without one a restart forgets it")
    fsync: str = _setting(
        choice("always", "interval", "never"), "interval", "when what was written to the data folder is forced to disk"
    )
    fsync_interval: int = _setting(span(1, 60_000), 100, "how often, with --fsync interval")
    segment_size: int = _setting(size(1 * MIB, 1024 * MIB), 64 * MIB, "length of a file of the log")
    snapshot_interval: int = _setting(
        span(0, 7 * 24 * _HOUR_MS), 300_000, "time after which a changed store is written down whole; 0: none"
    )
    snapshot_commits: int = _setting(
        whole(0, 10**12), 0, "number of changes after which it is written down whole; 0: none"
    )
    snapshot_log: int = _setting(
        size(0, 1024 * 1024 * MIB), 256 * MIB, "length of the log after which it is written down whole; 0: none"
    )
    hello_timeout: int = _setting(span(100, _HOUR_MS), 30_000, "time a new connection has to say hello")
    frame_timeout: int = _setting(span(1_000, 24 * _HOUR_MS), 300_000, "time the rest of a frame may take")
    idle_timeout: int = _setting(
        span(0, 24 * _HOUR_MS), 0, "time without a call before a connection is closed; 0: none"
    )
    drain_timeout: int = _setting(span(0, _HOUR_MS), 5_000, "time that SIGTERM leaves for open calls and unsent output")
    log_level: str = _setting(choice("debug", "info", "warning", "error"), "info", "least level of what is logged")


SETTINGS: Final[Mapping[str, Setting]] = {
    name: declared.metadata["setting"] for name, declared in fields_dict(Config).items()
}

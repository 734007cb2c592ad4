"""Settings that may change while the server runs: where each of them has its effect."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from attrs import evolve

from kv_server.app.config import SETTINGS, Config
from kv_server.app.sources import flag_of
from kv_server.app.storage import Storage
from kv_server.engine.engine import Engine
from kv_server.net.connections import Connections, NetLimits
from kv_server.surfaces.native import NativeDoor
from kv_server.surfaces.resp_door import RespDoor

__all__ = ["LiveSettings", "limits_of"]

_ROOM: Final = frozenset(("max_memory", "max_memory_samples", "namespaces"))
"""Those that the engine keeps itself: quotas may change there too."""


class LiveSettings:
    """The configuration as it is now."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        connections: Connections,
        doors: tuple[NativeDoor, RespDoor],
        storage: Storage | None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._connections = connections
        self._doors = doors
        self._storage = storage
        self.set_observation()
        self.set_history()

    @property
    def config(self) -> Config:
        return self._config

    def value(self, name: str) -> Any:
        """A setting as it is now. Raises `KeyError`."""
        if name not in SETTINGS:
            raise KeyError(name)
        return self._engine.room.setting(name) if name in _ROOM else getattr(self._config, name)

    def shown(self) -> dict[str, str]:
        """Every setting, as it would be written."""
        return {name: setting.kind.show(self.value(name)) for name, setting in SETTINGS.items()}

    def read(self, name: str, written: str) -> Any:
        """The value that *written* is. Raises `KeyError` or `ValueError`."""
        setting = SETTINGS[name]
        if not setting.live:
            raise ValueError(
                f"only at start: restart with {flag_of(name)}, KV_{name.upper()} or a line of the config file"
            )
        return setting.kind.read(written)

    def change(self, name: str, value: Any) -> None:
        """Let it have effect."""
        if name in _ROOM:
            self._engine.room.change(name, value)
        else:
            self._config = evolve(self._config, **{name: value})
            APPLIED[name](self)

    # ---- where settings have their effect
    def set_limits(self) -> None:
        self._connections.limits = limits_of(self._config)

    def set_output(self) -> None:
        for door in self._doors:
            door.limits = evolve(door.limits, output=self._config.max_output)

    def set_engine(self) -> None:
        self._engine.tx.max_namespaces = self._config.max_namespaces
        self._engine.most_parked = self._config.max_parked

    def set_observation(self) -> None:
        config, observation = self._config, self._engine.observation
        observation.slower_than_us = config.slow_log_threshold
        observation.threshold_ms = config.latency_threshold
        observation.stuck_ms = config.stall_threshold
        observation.monitor_bytes = config.monitor_buffer
        if observation.slow.maxlen != config.slow_log_length:
            observation.keep_slow(config.slow_log_length)
        observation.choose()

    def set_history(self) -> None:
        if not self._engine.loading:
            self._engine.keep_history(self._config.history)

    def set_log(self) -> None:
        logging.getLogger("kv").setLevel(self._config.log_level.upper())

    def set_storage(self) -> None:
        if self._storage is not None:
            self._storage.follow(self._config)


APPLIED: Final[dict[str, Callable[[LiveSettings], None]]] = {
    "max_connections": LiveSettings.set_limits,
    "hello_timeout": LiveSettings.set_limits,
    "frame_timeout": LiveSettings.set_limits,
    "idle_timeout": LiveSettings.set_limits,
    "max_output": LiveSettings.set_output,
    "max_namespaces": LiveSettings.set_engine,
    "max_parked": LiveSettings.set_engine,
    "slow_log_threshold": LiveSettings.set_observation,
    "slow_log_length": LiveSettings.set_observation,
    "latency_threshold": LiveSettings.set_observation,
    "stall_threshold": LiveSettings.set_observation,
    "monitor_buffer": LiveSettings.set_observation,
    "history": LiveSettings.set_history,
    "log_level": LiveSettings.set_log,
    "fsync_interval": LiveSettings.set_storage,
    "snapshot_interval": LiveSettings.set_storage,
    "snapshot_commits": LiveSettings.set_storage,
    "snapshot_log": LiveSettings.set_storage,
}


def limits_of(config: Config) -> NetLimits:
    """What *config* allows connections."""
    return NetLimits(config.max_connections, config.hello_timeout, config.frame_timeout, config.idle_timeout)

"""The text door: what all connections that speak Redis's protocol share."""

from __future__ import annotations

from collections.abc import Callable

from kv_server.engine.engine import Engine
from kv_server.engine.ticks import Ticks
from kv_server.surfaces.bugs import Bugs
from kv_server.surfaces.events import events_of
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.resp import RespConnection
from kv_server.surfaces.resp_lanes import lanes_of
from kv_server.surfaces.resp_pause import Pausing

__all__ = ["RespDoor"]

log = events_of("kv.resp")


class RespDoor(Pausing):
    """What all RESP connections of a server share. *timer* counts seconds from anywhere."""

    def __init__(self, engine: Engine, limits: Limits, timer: Callable[[], float]) -> None:
        catalog = engine.catalog
        whole = {word: catalog.spoken[word] for word in catalog.spoken if catalog.is_whole(word)}
        super().__init__(engine, whole | {word.lower(): command for word, command in whole.items()})
        self.observation = engine.observation
        self.limits = limits
        self.ticks = engine.observation.ticks = Ticks(timer)
        self.lanes = lanes_of(engine)
        self.protocol_errors = 0
        self.bugs = Bugs(log)

    def connect(self, wake: Callable[[], None], lost: Callable[[], bool]) -> RespConnection:
        """A new connection; it calls *wake* when it has output of its own accord; *lost* says that its peer is gone."""
        return RespConnection(self, wake, lost)

    def trouble(self) -> tuple[int, int]:
        """How often clients broke the protocol, and how often we failed them."""
        return self.protocol_errors, self.bugs.times

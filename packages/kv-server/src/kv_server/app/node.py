"""The server as commands see it: who is connected, and the figures of INFO that the engine does not have."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import TypeAlias

from kv_protocol.names import text
from kv_protocol.types import ClientInfo
from kv_server import __version__
from kv_server.engine.engine import Engine
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections
from kv_server.net.loop import Pulse

__all__ = ["BUILD", "ServerNode"]

BUILD = "plain"
"""The hot path of this distribution runs uncompiled."""

Facts: TypeAlias = dict[str, dict[str, int | float | str]]
Trouble: TypeAlias = Callable[[], tuple[int, int]]


class ServerNode:
    """Answers for the running server. *trouble* gives the counters of protocol errors and of bugs."""

    def __init__(self, engine: Engine, connections: Connections, clock: Clock, pulse: Pulse, trouble: Trouble) -> None:
        self.engine = engine
        self._connections = connections
        self._clock = clock
        self._pulse = pulse
        self._trouble = trouble

    def clients(self) -> list[ClientInfo]:
        found = []
        now_ms = self._connections.elapsed_ms
        for peer in self._connections.peers.values():
            surface = peer.surface
            session = surface.session if surface is not None else None
            if surface is None or session is None or peer.left:
                continue
            found.append(
                ClientInfo(
                    id=session.id,
                    client=session.client,
                    address=peer.address,
                    namespace=text(session.namespace),
                    age=now_ms - peer.opened_ms,
                    idle=now_ms - peer.active_ms,
                    calls=surface.calls,
                    parked=len(session.waiting),
                    unsent=peer.unsent,
                )
            )
        return found

    def facts(self) -> Facts:
        counters = self._connections.counters
        protocol_errors, internal_errors = self._trouble()
        return {
            "server": {
                "name": "kv-server",
                "version": __version__,
                "build": BUILD,
                "python": platform.python_version(),
                "platform": sys.platform,
                "process": os.getpid(),
            },
            "clients": {
                "connections": self._connections.admitted,
                "connections_limit": self._connections.limits.connections,
                "accepted": counters.accepted,
                "refused": counters.refused,
                "closed_for_not_reading": counters.overflowed,
                "closed_for_time": counters.timed_out,
                "accept_pauses": counters.accept_pauses,
                "protocol_errors": protocol_errors,
                "internal_errors": internal_errors,
                "bytes_received": counters.bytes_received,
                "bytes_sent": counters.bytes_sent,
            },
            "loop": {
                "rounds": self._pulse.rounds,
                "failures": self._pulse.failures,
                "lag_ms": round(self._pulse.lag_ms, 3),
                "longest_lag_ms": round(self._pulse.longest_lag_ms, 3),
            },
            "clock": {"machine_ahead_ms": self._clock.offset_ms},
        }

"""The server as commands see it: who is connected, and the figures of INFO that the engine does not have."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from kv_protocol.names import text
from kv_protocol.types import ClientInfo
from kv_server import __version__
from kv_server.app.live import LiveSettings
from kv_server.app.persistence import persistence
from kv_server.app.storage import Storage
from kv_server.engine.engine import Engine
from kv_server.engine.node import Connected, Saver, keeps_nothing
from kv_server.model import table
from kv_server.net.address import Address
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections
from kv_server.net.counters import Counters
from kv_server.net.loop import Pulse
from kv_server.net.peer import local_address

__all__ = ["BUILD", "ServerNode"]

BUILD = "plain" if str(table.__file__).endswith(".py") else "native"
"""Whether the hot floors run as Python or as what was compiled from it."""
"""The hot path of this distribution runs uncompiled."""

Facts: TypeAlias = dict[str, dict[str, int | float | str]]
Trouble: TypeAlias = Callable[[], tuple[int, int]]


class ServerNode:
    """Answers for the running server. *trouble* gives the counters of protocol errors and of bugs."""

    def __init__(
        self,
        engine: Engine,
        live: LiveSettings,
        addresses: list[Address],
        connections: Connections,
        clock: Clock,
        pulse: Pulse,
        storage: Storage | None,
        trouble: Trouble,
    ) -> None:
        self.engine = engine
        self.tuning: dict[str, str] = {}
        self._live = live
        self._addresses = addresses
        self._connections = connections
        self._clock = clock
        self._pulse = pulse
        self._storage = storage
        self._trouble = trouble

    def clients(self) -> list[ClientInfo]:
        return [
            ClientInfo(
                id=one.session.id,
                client=one.session.client,
                address=one.address,
                namespace=text(one.session.namespace),
                age=one.age,
                idle=one.idle,
                calls=calls,
                parked=len(one.session.waiting),
                unsent=one.unsent,
                user=one.session.login.user if one.session.login is not None else "",
            )
            for one, calls in self._connected()
        ]

    def connections(self) -> list[Connected]:
        return [one for one, _ in self._connected()]

    def _connected(self) -> list[tuple[Connected, int]]:
        """Every connection that has a session, with the number of its calls."""
        found = []
        now_ms = self._connections.elapsed_ms
        for peer in self._connections.peers.values():
            surface = peer.surface
            session = surface.session if surface is not None else None
            if session is None or session.outbox is None or peer.left:
                continue
            assert surface is not None
            one = Connected(
                session,
                session.outbox,
                peer.address,
                local_address(peer.socket),
                peer.fd,
                now_ms - peer.opened_ms,
                now_ms - peer.active_ms,
                peer.unsent,
            )
            found.append((one, surface.calls))
        return found

    # ---- settings
    def setting(self, name: str) -> object:
        return self._live.value(name)

    def settings(self) -> dict[str, str]:
        return self._live.shown()

    def read(self, name: str, written: str) -> object:
        return self._live.read(name, written)

    def change(self, name: str, value: Any) -> None:
        self._live.change(name, value)

    def saver(self) -> Saver:
        if self._storage is None:
            raise keeps_nothing()
        if self._storage.keeper is None:
            raise self.engine.refusal()
        return self._storage.keeper

    def reset_statistics(self) -> None:
        self._connections.counters = Counters()
        self._pulse.rounds = 0
        self._pulse.longest_lag_ms = 0.0
        self._pulse.lags = [0] * len(self._pulse.lags)

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
                "port": next((address.port for address in self._addresses if not address.path), 0),
            },
            "clients": {
                "connections": self._connections.admitted,
                "connections_limit": self._connections.limits.connections,
                "accepted": counters.accepted,
                "refused": counters.refused,
                "closed_for_not_reading": counters.overflowed,
                "closed_for_time": counters.timed_out,
                "not_secured": counters.not_secured,
                "accept_pauses": counters.accept_pauses,
                "protocol_errors": protocol_errors,
                "internal_errors": internal_errors,
                "bytes_received": counters.bytes_received,
                "bytes_sent": counters.bytes_sent,
            },
            "persistence": persistence(self._storage),
            "process": process_facts(),
            "loop": {
                "rounds": self._pulse.rounds,
                "failures": self._pulse.failures,
                "lag_ms": round(self._pulse.lag_ms, 3),
                "last_lag_ms": round(self._pulse.last_lag_ms, 3),
                "longest_lag_ms": round(self._pulse.longest_lag_ms, 3),
                **{f"lags_to_{1 << scale}_ms": times for scale, times in enumerate(self._pulse.lags) if times},
                "calls_per_s": self._pulse.per_s[0],
                "bytes_received_per_s": self._pulse.per_s[1],
                "bytes_sent_per_s": self._pulse.per_s[2],
            },
            "clock": {"machine_ahead_ms": self._clock.offset_ms},
        }


def process_facts() -> dict[str, int | float | str]:
    """What the system says of this process: memory in bytes, times of the processor in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    longest = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    try:
        with open("/proc/self/statm", "rb") as file:
            memory = int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        memory = longest
    return {
        "memory": memory,
        "most_memory": max(longest, memory),
        "machine_memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "user_s": round(used.ru_utime, 6),
        "system_s": round(used.ru_stime, 6),
    }

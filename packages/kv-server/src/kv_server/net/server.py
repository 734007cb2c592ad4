"""A server from its first accepted connection to its last: starts the loop, and ends it without losing an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from kv_server.engine.engine import Engine
from kv_server.net.accept import Acceptor
from kv_server.net.address import Address
from kv_server.net.connections import Connections
from kv_server.net.loop import Loop
from kv_server.surfaces.events import events_of

__all__ = ["Server"]

_GRACE_S: Final = 1.0  # for clients to take their calls elsewhere after they were told to
_GOODBYE_S: Final = 0.5  # for peers to close once everything was sent

log = events_of("kv.net")


class Server:
    """The running parts of a server."""

    def __init__(self, engine: Engine, connections: Connections, acceptor: Acceptor, loop: Loop) -> None:
        self.engine = engine
        self.connections = connections
        self.acceptor = acceptor
        self.loop = loop
        self.addresses: list[Address] = [listener.address for listener in acceptor.listeners.values()]
        self.http: list[Address] = []
        self.reloaders: dict[str, Callable[[], None]] = {}
        """What reads its files again, by what they hold. One that cannot raises; then nothing has changed."""
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Serve until `drain` is through or the surrounding scope is cancelled."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self.acceptor.open()
                nursery.start_soon(self.loop.serve)
                nursery.start_soon(self.loop.keep_time)

    def reload(self) -> None:
        """Read again what may change while the server runs."""
        for what, reload in self.reloaders.items():
            try:
                reload()
            except Exception as error:
                log.error("files were not read again", what=what, reason=str(error))
            else:
                log.info("files were read again", what=what)

    async def drain(self, timeout_s: float) -> None:
        """Take no new calls, let those that wait end, send what is owed, then stop; at most *timeout_s*."""
        connections = self.connections
        log.info("draining", connections=len(connections.peers))
        self.acceptor.close()
        with trio.move_on_after(timeout_s):
            self.engine.drain()
            connections.go_away()
            self.loop.send()
            with trio.move_on_after(min(_GRACE_S, timeout_s / 4)):
                await connections.wait_gone()
            connections.leave_all()
            self.loop.send()
            await connections.wait_sent()
            with trio.move_on_after(_GOODBYE_S):
                await connections.wait_gone()
        left = sum(peer.unsent for peer in connections.peers.values())
        log.info("drained", connections=len(connections.peers), unsent=left)
        self.close()

    def close(self) -> None:
        """Stop at once."""
        self.acceptor.close()
        self.connections.drop_all()
        self._scope.cancel()

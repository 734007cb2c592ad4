"""Accepting: new connections from the listeners, and a pause where the process has no descriptors left."""

from __future__ import annotations

import errno
from typing import Final

from kv_server.net.address import Address
from kv_server.net.connections import Connections
from kv_server.net.listen import Listener
from kv_server.net.readiness import READ, Readiness
from kv_server.net.tls import Tls
from kv_server.surfaces.events import events_of

__all__ = ["Acceptor"]

_BURST: Final = 64  # connections of one listener and round: those that are there want service too
_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

log = events_of("kv.net")


class Acceptor:
    """Watches listeners and hands what they accept to *connections*."""

    def __init__(
        self, listeners: list[Listener], connections: Connections, readiness: Readiness, tls: Tls | None = None
    ) -> None:
        self.listeners = {listener.socket.fileno(): listener for listener in listeners}
        self._tls = tls
        self._connections = connections
        self._readiness = readiness
        self._paused = True
        self._told = False
        connections.on_drop = self.open

    def open(self) -> None:
        """Accept, or accept again after a pause."""
        if self._paused:
            self._paused = False
            for fd in self.listeners:
                self._readiness.watch(fd, READ)

    def close(self) -> None:
        """Accept no more, for good."""
        self._pause()
        for listener in self.listeners.values():
            listener.close()
        self.listeners.clear()

    def accept(self, fd: int) -> None:
        """Take the connections that wait at the listener *fd*."""
        listener = self.listeners[fd]
        for _ in range(_BURST):
            try:
                sock, name = listener.socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._give_up(error)
                    return
                continue  # the peer went away before it was accepted
            self._told = False
            address = listener.address if listener.address.path else Address(name[0], name[1])
            self._connections.admit(sock, str(address), self._tls if listener.address.tls else None)

    def _give_up(self, error: OSError) -> None:
        self._connections.counters.accept_pauses += 1
        if not self._told:
            self._told = True
            log.warning("accepting pauses", reason=error.strerror, connections=len(self._connections.peers))
        self._pause()

    def _pause(self) -> None:
        """Stop watching until a connection ends or the next sweep: a level-triggered listener would spin."""
        if not self._paused:
            self._paused = True
            for fd in self.listeners:
                self._readiness.forget(fd)

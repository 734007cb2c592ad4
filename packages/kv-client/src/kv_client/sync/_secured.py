"""TLS for threads: one of them reads a connection while others send on it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, Final

from kv_client._core.security import Security
from kv_protocol.tls import TlsSocket

__all__ = ["SharedTlsSocket", "secured"]

RECEIVE: Final = 65_536


class SharedTlsSocket(TlsSocket):
    """What is encrypted and decrypted goes under a lock; nobody waits for the network with it."""

    __slots__ = ("_lock", "_socket")

    flags = socket.MSG_DONTWAIT

    def __init__(self, connection: socket.socket, security: Security) -> None:
        super().__init__(connection, security.context, name=security.host)
        self._socket = connection
        self._lock = Lock()

    def decrypt(self, data: bytes) -> bytes:
        with self._lock:
            return super().decrypt(data)

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int:
        with self._lock:
            return super().send(data, flags)

    def _part(self) -> None:
        with self._lock:
            super()._part()

    # ---- what is asked of a socket that blocks
    def sendall(self, data: bytes, /) -> None:
        """Of a connection on which nothing has been sent yet: what is short goes at once."""
        if self.send(data) != len(data):
            raise BlockingIOError

    def settimeout(self, seconds: float | None, /) -> None:
        self._socket.settimeout(seconds)

    def setsockopt(self, level: int, name: int, value: Any, /) -> None:
        self._socket.setsockopt(level, name, value)

    @property
    def family(self) -> int:
        return self._socket.family


def secured(dial: Callable[[float], socket.socket], security: Security) -> Callable[[float], SharedTlsSocket]:
    """*dial*, and the handshake, within some seconds."""

    def dial_and_shake(seconds: float) -> SharedTlsSocket:
        until = monotonic() + seconds
        connection = dial(seconds)
        try:
            connection.settimeout(max(0.001, until - monotonic()))
            tls = SharedTlsSocket(connection, security)
            tls.shake()
            while not tls.shaken:
                connection.settimeout(max(0.001, until - monotonic()))
                with suppress(BlockingIOError):
                    if not tls.recv(RECEIVE):
                        raise ConnectionError("the server closed the connection before TLS was agreed on")
        except BaseException:
            connection.close()
            raise
        return tls

    return dial_and_shake

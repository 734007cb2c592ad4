"""How blocking connections come to be: dialling, and HELLO."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from struct import pack

from kv_client._core.address import Address

__all__ = ["Dial", "dialler", "prepared"]

Dial = Callable[[], socket.socket]
"""Makes a connected socket."""

KEEPALIVE = {
    "TCP_KEEPIDLE": 30,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
}  # nobody reads an idle connection: the kernel looks


def dialler(address: Address) -> Callable[[float], socket.socket]:
    """Return what connects to *address* within some seconds. Names are looked up anew each time."""

    def dial(seconds: float) -> socket.socket:
        if not address.path:
            return socket.create_connection((address.host, address.port), seconds)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(seconds)
            connection.connect(address.path)
        except BaseException:
            connection.close()
            raise
        return connection

    return dial


def prepared(connection: socket.socket, slice_s: float) -> None:
    """Have *connection* block, but no receive for longer than *slice_s*."""
    connection.settimeout(None)
    whole = int(slice_s)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("ll", whole, int((slice_s - whole) * 1e6)))
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            with suppress(AttributeError):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

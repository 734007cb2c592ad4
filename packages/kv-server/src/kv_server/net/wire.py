"""What is asked of the system for a connection that is ready: to take what came, and what is to leave."""

from typing import Final

from kv_protocol.tls import Wire

__all__ = ["receive", "send"]

_CHUNK: Final = 64 * 1024


def receive(sock: Wire, fd: int) -> bytes:
    """What came over *sock*, whose descriptor is *fd*: some of it."""
    return sock.recv(_CHUNK)


def send(sock: Wire, fd: int, data: bytes | memoryview) -> int:
    """Send as much of *data* as goes at once; how much that was."""
    return sock.send(data)

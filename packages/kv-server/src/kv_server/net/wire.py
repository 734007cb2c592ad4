"""What is asked of the system round by round: the time, which connections are ready, what came, to take what leaves."""

from __future__ import annotations

import select
import time
from typing import Final

from kv_protocol.tls import Wire

__all__ = ["CHUNK", "elapsed_ns", "ready", "receive", "send"]

CHUNK: Final = 64 * 1024
"""The most that is received at once."""

_MOST_EVENTS: Final = 1024
_SELECTED: Final = 1024  # descriptors of which `select` can tell, which waits for microseconds
_ELAPSED: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed_ns() -> int:
    """Nanoseconds since the machine started, suspension included where the system counts it."""
    return time.clock_gettime_ns(_ELAPSED)


def ready(epoll: select.epoll, fd: int, wait_s: float = 0.0) -> list[tuple[int, int]]:
    """Descriptors and bits that *epoll*, whose own descriptor is *fd*, has ready, now or soon: some of them."""
    if wait_s and fd < _SELECTED:
        select.select((fd,), (), (), wait_s)
    return epoll.poll(0, _MOST_EVENTS)


def receive(sock: Wire, fd: int) -> bytes:
    """What came over *sock*, whose descriptor is *fd*: some of it."""
    return sock.recv(CHUNK)


def send(sock: Wire, fd: int, data: bytes | memoryview) -> int:
    """Send as much of *data* as goes at once; how much that was."""
    return sock.send(data)

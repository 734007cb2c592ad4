"""What is asked of the system round by round: the time, which connections are ready, what came, to take what leaves."""

from __future__ import annotations

import select
import time
from typing import Final

from kv_protocol.tls import Wire

__all__ = ["CHUNK", "Events", "elapsed_ns", "receive", "send"]

CHUNK: Final = 64 * 1024
"""The most that is received at once."""

_MOST_EVENTS: Final = 1024
_SELECTED: Final = 1024  # descriptors of which `select` can tell, which waits for microseconds
_ELAPSED: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed_ns() -> int:
    """Nanoseconds since the machine started, suspension included where the system counts it."""
    return time.clock_gettime_ns(_ELAPSED)


class Events:
    """What descriptors were ready for, some of them: told one after the other, by `take`, as `fd` and `bits`. So many
    are `left`.
    """

    __slots__ = ("_given", "bits", "fd", "left")

    def __init__(self) -> None:
        self.fd = self.bits = self.left = 0
        self._given: list[tuple[int, int]] = []

    def take(self) -> bool:
        """Go on to the next; False if all were told."""
        if not self.left:
            return False
        self.fd, self.bits = self._given[-self.left]
        self.left -= 1
        return True

    def give(self, given: list[tuple[int, int]]) -> None:
        """Tell these from here on."""
        self._given, self.left = given, len(given)

    def ask(self, epoll: select.epoll, fd: int, wait_s: float = 0.0) -> None:
        """Tell what *epoll*, whose own descriptor is *fd*, has ready, now or so soon."""
        if wait_s and fd < _SELECTED:
            select.select((fd,), (), (), wait_s)
        self.give(epoll.poll(0, _MOST_EVENTS))


def receive(sock: Wire, fd: int) -> bytes:
    """What came over *sock*, whose descriptor is *fd*: some of it."""
    return sock.recv(CHUNK)


def send(sock: Wire, fd: int, data: bytes | memoryview) -> int:
    """Send as much of *data* as goes at once; how much that was."""
    return sock.send(data)

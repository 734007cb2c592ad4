"""Which descriptors are ready: one nested epoll watched by one task, or, where there is no epoll, a task for each.

Both are level triggered, so that what is not read is told again, but for what is watched `ONCE`. `wait` returns when
something may be ready, `poll` finds out what: that is in `events` then.
"""

import contextlib
import select
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from kv_server.net.wire import Events

__all__ = ["HANGS_UP", "ONCE", "READ", "TROUBLE", "WRITE", "NestedEpoll", "Readiness", "TaskEach", "open_readiness"]

READ: Final = 1  # the bits of epoll
WRITE: Final = 4
TROUBLE: Final = 8 | 16  # an error or a hang-up: told whether one asks or not
HANGS_UP: Final = 0x2000  # the other side has said everything
ONCE: Final = 1 << 31 | HANGS_UP
"""To be told of what comes when it comes, of the end of it as well, and again after `watch`; where that can be had. It
saves the system a look at everything that was ready a round ago.
"""


_SLACK: Final = Path("/proc/self/timerslack_ns")  # by how much the system may prolong a nap: 50 microseconds else


class Readiness:
    """Watches descriptors."""

    def __init__(self) -> None:
        self.events = Events()

    def watch(self, fd: int, wants: int) -> None:
        """Begin to watch *fd* for the bits *wants*, or watch it for others than before."""
        raise NotImplementedError

    def forget(self, fd: int) -> None:
        """Stop watching *fd*; to be called before it is closed."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Sleep until something may be ready."""
        raise NotImplementedError

    def poll(self) -> None:
        """Have in `events` what is ready now."""
        raise NotImplementedError

    def look(self, wait_s: float) -> None:
        """The same, for which everybody may be kept waiting so long."""
        raise NotImplementedError

    def nap(self, nap_s: float) -> None:
        """Sleep so long whatever becomes ready."""
        raise NotImplementedError


class NestedEpoll(Readiness):
    """An epoll of our own, which trio sees as one descriptor: a wake-up costs the same for one connection or many."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._fd = self._epoll.fileno()
        self._watched: set[int] = set()
        with contextlib.suppress(OSError):
            _SLACK.write_text("1000")

    def watch(self, fd: int, wants: int) -> None:
        if fd in self._watched:
            self._epoll.modify(fd, wants)
        else:
            self._epoll.register(fd, wants)
            self._watched.add(fd)

    def forget(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.remove(fd)
            self._epoll.unregister(fd)

    async def wait(self) -> None:
        await trio.lowlevel.wait_readable(self._fd)

    def poll(self) -> None:
        self.events.ask(self._epoll, self._fd)

    def look(self, wait_s: float) -> None:
        self.events.ask(self._epoll, self._fd, wait_s)

    def nap(self, nap_s: float) -> None:
        time.sleep(nap_s)

    def close(self) -> None:
        self._epoll.close()


class TaskEach(Readiness):
    """A task for each descriptor and direction, run in *nursery*."""

    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__()
        self._nursery = nursery
        self._scopes: dict[tuple[int, int], trio.CancelScope] = {}
        self._ready: dict[int, int] = {}
        self._arrived = trio.Event()
        self._collected = trio.Event()

    def watch(self, fd: int, wants: int) -> None:
        for bit in (READ, WRITE):
            scope = self._scopes.get((fd, bit))
            if wants & bit and scope is None:
                scope = self._scopes[fd, bit] = trio.CancelScope()
                self._nursery.start_soon(self._watch, fd, bit, scope)
            elif not wants & bit and scope is not None:
                self._drop(fd, bit)

    def forget(self, fd: int) -> None:
        for bit in (READ, WRITE):
            if (fd, bit) in self._scopes:
                self._drop(fd, bit)
        self._ready.pop(fd, None)
        trio.lowlevel.notify_closing(fd)

    async def wait(self) -> None:
        await self._arrived.wait()

    def poll(self) -> None:
        self.events.give(list(self._ready.items()))
        if self._arrived.is_set():
            self._ready.clear()
            self._collected.set()
            self._collected = trio.Event()
            self._arrived = trio.Event()

    def look(self, wait_s: float) -> None:
        self.poll()  # what is ready comes with other tasks

    def nap(self, nap_s: float) -> None:
        pass

    def _drop(self, fd: int, bit: int) -> None:
        self._scopes.pop((fd, bit)).cancel()

    async def _watch(self, fd: int, bit: int, scope: trio.CancelScope) -> None:
        wait = trio.lowlevel.wait_readable if bit == READ else trio.lowlevel.wait_writable
        with scope:
            while True:
                try:
                    await wait(fd)
                except trio.BusyResourceError:  # the task before this one has not gone yet
                    await trio.lowlevel.checkpoint()
                    continue
                except (trio.ClosedResourceError, OSError):
                    return
                if scope.cancel_called:
                    return
                self._ready[fd] = self._ready.get(fd, 0) | bit
                self._arrived.set()
                await self._collected.wait()


@asynccontextmanager
async def open_readiness(*, nested: bool = hasattr(select, "epoll")) -> AsyncGenerator[Readiness]:
    """The better of the two that this system has."""
    if nested:
        epoll = NestedEpoll()
        try:
            yield epoll
        finally:
            epoll.close()
    else:
        async with trio.open_nursery() as nursery:
            yield TaskEach(nursery)
            nursery.cancel_scope.cancel()

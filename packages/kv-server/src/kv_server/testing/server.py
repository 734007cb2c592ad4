"""A server in the caller's trio run: started, crashed and recovered, with connections made of socket pairs."""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import trio
from attrs import frozen

from kv_server.app.config import Config
from kv_server.app.storage import Storage
from kv_server.app.wiring import run
from kv_server.net.clock import Clock
from kv_server.net.server import Server
from kv_server.testing.clock import AtServer, VirtualClock
from kv_server.testing.disk import AtOnce, Mortal, at_once
from kv_server.testing.faults import Faults
from kv_server.testing.relay import Line

__all__ = ["TrioServer", "opened", "server"]

_REMEMBERED: Final = 10_000


@frozen(eq=False)
class Life:
    """One server, from when it serves to its end."""

    server: Server
    storage: Storage | None
    scope: trio.CancelScope
    ended: trio.Event


class TrioServer:
    """The server of a test. It keeps its clock, its faults and its trace when it is crashed and recovered."""

    url: Final = "kv://test/test"
    """Where it is; the name after the slash is the namespace, and any other does as well."""

    def __init__(self, nursery: trio.Nursery, config: Config, seed: int, at_server: AtServer) -> None:
        self.clock = VirtualClock(at_server)
        self.faults = Faults(at_server)
        self.faults.cut_now = self._cut
        self._nursery = nursery
        self._config = config
        self._dice = Random(seed)
        self._trace: deque[str] = deque(maxlen=_REMEMBERED)
        self._lines: dict[int, Line] = {}
        self._made = 0
        self._life: Life | None = None
        self.clock.watch(self._leapt)

    async def dial(self) -> socket.socket:
        """A connection to the server, for `kv_client.connect(s.url, dial=s.dial)`."""
        await trio.lowlevel.checkpoint()
        return self.socket()

    def socket(self) -> socket.socket:
        """The client's end of a new connection, which does not block. Raises `ConnectionRefusedError`."""
        if self._life is None or self.faults.refuses():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        ours, near = socket.socketpair()
        far, theirs = socket.socketpair()
        for end in (ours, near, far):
            end.setblocking(False)
        self._made += 1
        line = Line(self._made, near, far, self.faults, self.clock, self._trace)
        self._lines[self._made] = line
        self._nursery.start_soon(self._carry, self._made)
        self._life.server.loop.set_clocks()
        self._life.server.connections.admit(theirs, "test")
        return ours

    @property
    def trace(self) -> list[str]:
        """The last messages, in the order in which they came: `1 > INCR` is a request on the first connection,
        `1 < INCR cut` its reply, and what became of it.
        """
        return list(self._trace)

    # ---- its life
    async def crash(self) -> None:
        """End it as `kill -9` does: its memory is gone, and connections are cut; what it has written stays."""
        life = self._end()
        if life.storage is not None:
            assert isinstance(life.storage.disk, Mortal)
            life.storage.disk.dead = True
        self._cut()
        life.scope.cancel()
        await life.ended.wait()

    async def recover(self) -> None:
        """Start it again, on what it has written: on nothing, without a data folder."""
        if self._life is not None:
            raise RuntimeError("the server runs already")
        storage = Storage(self._config, Mortal, AtOnce, at_once) if self._config.data_dir else None
        floor = storage.floor if storage is not None else (0, 0)
        clock = Clock(self.clock.wall_ns, self.clock.elapsed_ns, floor, trio.current_time)
        scope, ended = trio.CancelScope(), trio.Event()
        server = await self._nursery.start(self._live, storage, clock, scope, ended)
        self._life = Life(server, storage, scope, ended)

    async def restart(self) -> None:
        """End it in order, as a deployment does, and start it again."""
        life = self._end()
        await life.server.drain(self._config.drain_timeout / 1000)
        await life.ended.wait()
        await self.recover()

    def _end(self) -> Life:
        """From here on no connection is taken."""
        if self._life is None:
            raise RuntimeError("the server does not run")
        life, self._life = self._life, None
        return life

    async def _live(
        self,
        storage: Storage | None,
        clock: Clock,
        scope: trio.CancelScope,
        ended: trio.Event,
        *,
        task_status: trio.TaskStatus[Server],
    ) -> None:
        try:
            with scope:
                await run(self._config, [], storage, clock, self._dice, task_status=task_status)
        finally:
            ended.set()

    async def _carry(self, number: int) -> None:
        try:
            await self._lines[number].run()
        finally:
            del self._lines[number]

    def _cut(self, client: str | None = None) -> None:
        for line in self._lines.values():
            if client in (None, line.client):
                line.cut()

    def _leapt(self) -> None:
        if self._life is not None:
            self._life.server.loop.look()


@asynccontextmanager
async def opened(
    at_server: AtServer, seed: int, data_dir: str | os.PathLike[str], settings: dict[str, Any]
) -> AsyncIterator[TrioServer]:
    """A server whose clock and faults are reached by *at_server*."""
    config = Config(bind=(), data_dir=os.fspath(data_dir), **settings)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        made = TrioServer(nursery, config, seed, at_server)
        try:
            await made.recover()
            yield made
        except BaseException as error:  # it is to leave as it is, not in a group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def server(*, seed: int = 0, data_dir: str | os.PathLike[str] = "", **settings: Any) -> AsyncIterator[TrioServer]:
    """A server in this trio run, for the length of the block; its *settings* are those of `kv-server`, in bytes and
    milliseconds. All its chance comes from *seed*. A fault that was ordered and has not happened fails the block.
    """
    async with opened(lambda work: work(), seed, data_dir, settings) as made:
        yield made
        made.faults.check()

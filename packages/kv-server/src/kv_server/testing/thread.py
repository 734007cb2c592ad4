"""A server in a thread, with a trio run of its own, for tests that are synchronous or run under asyncio."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

import trio

from kv_server.testing.server import TrioServer, opened

__all__ = ["ThreadServer", "thread_server"]

Outcome = TypeVar("Outcome")


class Bridge:
    """The way from other threads into this trio run."""

    def __init__(self) -> None:
        self.closed = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def call(self, work: Callable[[], Outcome]) -> Outcome:
        """Do *work* there; what it returns or raises."""

        async def waiting() -> Outcome:
            return work()

        return self.wait(waiting)

    def wait(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do *work* there and wait for its end; what it returns or raises."""
        future: Future[Outcome] = Future()
        self._token.run_sync_soon(trio.lowlevel.spawn_system_task, _fulfil, future, work)
        return future.result()


async def _fulfil(future: Future[Outcome], work: Callable[[], Awaitable[Outcome]]) -> None:
    try:
        outcome = await work()
    except Exception as error:
        future.set_exception(error)
    except BaseException:
        future.set_exception(RuntimeError("the server has ended"))
        raise
    else:
        future.set_result(outcome)


class ThreadServer:
    """The server of a test, in another thread. All that it offers may be used from any thread."""

    def __init__(self, server: TrioServer, bridge: Bridge) -> None:
        self.url = server.url
        self.clock = server.clock
        self.faults = server.faults
        self._server = server
        self._bridge = bridge

    async def dial(self) -> socket.socket:
        """A connection to the server that does not block, for clients under asyncio."""
        connection = self.socket()
        connection.setblocking(False)
        return connection

    def socket(self) -> socket.socket:
        """The client's end of a new connection. Raises `ConnectionRefusedError`."""
        connection = self._bridge.call(self._server.socket)
        connection.setblocking(True)
        return connection

    @property
    def trace(self) -> list[str]:
        """As `TrioServer.trace`."""
        return self._bridge.call(lambda: self._server.trace)

    def crash(self) -> None:
        """As `TrioServer.crash`."""
        self._bridge.wait(self._server.crash)

    def recover(self) -> None:
        """As `TrioServer.recover`."""
        self._bridge.wait(self._server.recover)

    def restart(self) -> None:
        """As `TrioServer.restart`."""
        self._bridge.wait(self._server.restart)


@contextmanager
def thread_server(*, seed: int = 0, data_dir: str | os.PathLike[str] = "", **settings: Any) -> Iterator[ThreadServer]:
    """As `server`, in a thread of its own."""
    started: Future[tuple[ThreadServer, Bridge]] = Future()
    ended: Future[None] = Future()

    def live() -> None:
        try:
            trio.run(_live, started, seed, data_dir, settings)
        except BaseException as error:
            (ended if started.done() else started).set_exception(error)
        else:
            ended.set_result(None)

    thread = Thread(target=live, name="kv-server", daemon=True)
    thread.start()
    made, bridge = started.result()
    try:
        yield made
    finally:
        if not ended.done():
            bridge.call(bridge.closed.set)
        thread.join()
    ended.result()
    made.faults.check()


async def _live(
    started: Future[tuple[ThreadServer, Bridge]],
    seed: int,
    data_dir: str | os.PathLike[str],
    settings: dict[str, Any],
) -> None:
    bridge = Bridge()
    async with opened(bridge.call, seed, data_dir, settings) as server:
        started.set_result((ThreadServer(server, bridge), bridge))
        await bridge.closed.wait()

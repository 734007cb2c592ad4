"""The pool under asyncio: each connection lives in a task of its own."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Task
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from math import inf
from socket import socket
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Self

from kv_client._core.login import Secret
from kv_client.aio import Client, connect
from kv_pool._config import PoolConfig
from kv_pool._ledger import PoolStatistics, PoolTimeout
from kv_pool._tended import Tended

__all__ = ["KvPool", "PoolConfig", "PoolStatistics", "PoolTimeout"]

LONGEST_S: Final = 3600.0


class KvPool(Tended[Client]):
    """Connections to the server at *url*, opened as they are needed, for the block of an `async with`.

    All arguments but *config* are those of `kv_client.aio.connect`.
    """

    def __init__(
        self,
        url: str = "kv://127.0.0.1:7440",
        config: PoolConfig | None = None,
        *,
        name: str | None = None,
        timeout: float | None = 5.0,
        connect_timeout: float = 5.0,
        user: str | None = None,
        password: Secret | None = None,
        token: Secret | None = None,
        tls: SSLContext | None = None,
        dial: Callable[[], Awaitable[socket]] | None = None,
    ) -> None:
        def client() -> Client:
            return connect(
                url, name=name, timeout=timeout, connect_timeout=connect_timeout,
                user=user, password=password, token=token, tls=tls, dial=dial,
            )  # fmt: skip

        client()  # tells at once what is wrong with the arguments
        super().__init__(client, config)
        self._loop: AbstractEventLoop | None = None
        self._tasks: set[Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("a pool is opened once: make another one")
        self._loop = asyncio.get_running_loop()
        self._ledger.open()
        self._start(self._tidy())
        try:
            if self._ledger.config.min_size:
                async with self.get(wait=inf):
                    pass
            self._entering = False
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ledger.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while not all(task.done() for task in tasks):
            try:
                await asyncio.wait(tasks)
            except asyncio.CancelledError as again:  # they end without waiting for anybody
                cancelled = again
        if cancelled is not None:
            raise cancelled

    # ---- what the pool asks
    def _check(self) -> None:
        if self._loop is not None and asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this pool belongs to another event loop (or another thread): open one here")

    def _now(self) -> float:
        return self._loop.time() if self._loop is not None else 0.0

    def _who(self) -> str:
        task = asyncio.current_task()
        return f"task {task.get_name()}" if task is not None else "a task"

    def _event(self) -> asyncio.Event:
        return asyncio.Event()

    async def _park(self, event: asyncio.Event, moment: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if moment == inf else moment):
                await event.wait()

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _open_one(self) -> bool:
        self._start(self._keep())
        return True

    # ---- the background
    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="kv pool")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tidy(self) -> None:
        while True:
            moment = self._ledger.tidy(self._now())
            self._settle()
            await asyncio.sleep(min(moment - self._now(), LONGEST_S))

"""The pool under trio: each connection lives in a task of the pool's own nursery."""

from __future__ import annotations

from math import inf
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import trio
from trio.lowlevel import TrioToken, checkpoint, current_task, current_trio_token

from kv_client import Client, connect
from kv_client._core.login import Secret
from kv_client._trio.lifeline import Dial
from kv_pool._config import PoolConfig
from kv_pool._tended import Tended

__all__ = ["KvPool"]


class KvPool(Tended[Client]):
    """Connections to the server at *url*, opened as they are needed, for the block of an `async with`.

    All arguments but *config* are those of `kv_client.connect`.
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
        dial: Dial | None = None,
    ) -> None:
        def client() -> Client:
            return connect(
                url, name=name, timeout=timeout, connect_timeout=connect_timeout,
                user=user, password=password, token=token, tls=tls, dial=dial,
            )  # fmt: skip

        client()  # tells at once what is wrong with the arguments
        super().__init__(client, config)
        self._token: TrioToken | None = None
        self._nursery: Any = None
        self._children: Any = None
        self._scope = trio.CancelScope(shield=True)

    async def __aenter__(self) -> Self:
        if self._token is not None:
            raise RuntimeError("a pool is opened once: make another one")
        self._token = current_trio_token()
        self._nursery = trio.open_nursery()
        nursery = await self._nursery.__aenter__()
        try:
            self._children = await nursery.start(self._run, name="kv pool")
            self._ledger.open()
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
        self._scope.cancel()
        await self._nursery.__aexit__(None, None, None)
        if error is None:
            await checkpoint()

    # ---- what the pool asks
    def _check(self) -> None:
        if self._token is not None and current_trio_token() is not self._token:
            raise RuntimeError("this pool belongs to another trio.run() (or another thread): open one here")

    def _now(self) -> float:
        return trio.current_time()

    def _who(self) -> str:
        return f"task {current_task().name}"

    def _event(self) -> trio.Event:
        return trio.Event()

    async def _park(self, event: trio.Event, moment: float) -> None:
        with trio.move_on_at(moment):
            await event.wait()

    async def _sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def _open_one(self) -> bool:
        self._children.start_soon(self._keep, name="kv pool connection")
        return True

    # ---- the background
    async def _run(self, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        with self._scope:
            async with trio.open_nursery() as children:
                task_status.started(children)
                while True:
                    moment = self._ledger.tidy(self._now())
                    self._settle()
                    await trio.sleep_until(moment)

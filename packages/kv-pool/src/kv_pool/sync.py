"""The pool for threads: whoever misses a connection opens it, whoever has the last use of one closes it.

There is no thread behind it: what is idle for too long is closed when the pool is next used, and nobody opens one for
others, once the pool is open.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from socket import socket
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from kv_client._core.login import Secret
from kv_client._core.opening import FINAL
from kv_client.sync import Client, connect
from kv_pool._config import PoolConfig
from kv_pool._ledger import Ask, PoolStatistics, PoolTimeout, Seat
from kv_pool._sync.pool import Pool

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["KvPool", "PoolConfig", "PoolStatistics", "PoolTimeout"]

RETRY_S: Final = 0.1


class KvPool(Pool[Client]):
    """Connections to the server at *url*, opened as they are needed, for the block of a `with`.

    All arguments but *config* are those of `kv_client.sync.connect`.
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
        dial: Callable[[], socket] | None = None,
    ) -> None:
        def client() -> Client:
            return connect(
                url, name=name, timeout=timeout, connect_timeout=connect_timeout,
                user=user, password=password, token=token, tls=tls, dial=dial,
            )  # fmt: skip

        client()  # tells at once what is wrong with the arguments
        super().__init__(client, config)
        self._guard = threading.RLock()
        self._process = 0
        self._entering = True

    def __enter__(self) -> Self:
        if self._process:
            raise RuntimeError("a pool is opened once: make another one")
        self._process = os.getpid()
        self._ledger.open()
        try:
            if self._ledger.config.min_size:
                with self.get():
                    pass
            self._entering = False
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            seats = self._ledger.close()
        for seat in seats:
            self._close_one(seat)

    # ---- what the pool asks
    def _check(self) -> None:
        if self._process and os.getpid() != self._process:
            raise RuntimeError("this pool was opened before the process was forked: open one here")

    def _now(self) -> float:
        return time.monotonic()

    def _who(self) -> str:
        return f"thread {threading.current_thread().name}"

    def _event(self) -> threading.Event:
        return threading.Event()

    def _park(self, event: threading.Event, moment: float) -> None:
        while not event.is_set() and (left := moment - self._now()) > 0:
            if not event.wait(min(left, RETRY_S)):
                self._settle()

    def _open_one(self) -> bool:
        client = self._connect()
        try:
            client.__enter__()
        except Exception as error:
            with self._guard:
                self._ledger.failed(error, for_good=isinstance(error, FINAL) or self._entering)
                self._ledger.not_opened()
            return False
        except BaseException:
            with self._guard:
                self._ledger.not_opened()
            raise
        with self._guard:
            seat = self._ledger.opened(client, self._now())
            seat.leave = partial(self._close_one, seat)
            late = self._ledger.closed
        if late:
            self._close_one(seat)
        return not late

    def _close_one(self, seat: Seat[Client]) -> None:
        seat.client.__exit__(None, None, None)
        with self._guard:
            self._ledger.gone(seat)

    def _settle(self) -> None:
        with self._guard:
            self._ledger.tidy(self._now())
        super()._settle()

    def _wants_one(self) -> bool:
        with self._guard:
            return self._ledger.to_open(spare=self._entering)

    def _give_back(self, ask: Ask[Client]) -> None:
        with self._guard:
            self._ledger.give_back(ask, self._now())
            retired = self._ledger.to_close()
        for seat in retired:
            seat.leave()

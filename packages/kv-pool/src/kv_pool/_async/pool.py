"""A pool, whatever runs its tasks: who asks waits in line, works with a connection, and gives it back."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from kv_pool._config import PoolConfig
from kv_pool._ledger import Ask, Connection, Ledger, PoolStatistics
from kv_protocol.errors import InvalidArgument

__all__ = ["Event", "Pool"]

C = TypeVar("C", bound=Connection)


class Event(Protocol):
    """What is set once."""

    def set(self) -> Any: ...


class Pool(Generic[C]):
    """What a face derives from. *connect* makes a client that is yet to be opened."""

    def __init__(self, connect: Callable[[], C], config: PoolConfig | None) -> None:
        self._connect = connect
        self._ledger: Ledger[C] = Ledger(config or PoolConfig(), random.Random())
        self._guard: AbstractContextManager[Any] = nullcontext()

    # ---- what a face knows
    def _check(self) -> None:
        """Raise unless the pool is used where it was opened."""
        raise NotImplementedError

    def _now(self) -> float:
        raise NotImplementedError

    def _who(self) -> str:
        """Who asks, for others to read."""
        raise NotImplementedError

    def _event(self) -> Event:
        raise NotImplementedError

    async def _park(self, event: Any, moment: float) -> None:
        """Wait for *event*, but not beyond *moment*."""
        raise NotImplementedError

    def _open_one(self) -> bool:
        """Begin to open a connection; False if there is no point in beginning with another one now."""
        raise NotImplementedError

    # ---- what is built on that
    @asynccontextmanager
    async def get(self, *, wait: float | timedelta | None = None) -> AsyncIterator[C]:
        """Work with the connection that has the least to do, for the block of an `async with`; others may get it too.

        *wait* bounds the time in line, instead of what the pool is configured for; 0 does not wait. Raises
        `PoolTimeout`.
        """
        ask = await self._take(wait, alone=False)
        try:
            assert ask.seat is not None
            yield ask.seat.client
        finally:
            self._give_back(ask)

    @asynccontextmanager
    async def acquire(self, *, wait: float | timedelta | None = None) -> AsyncIterator[C]:
        """Work with a connection that nobody else gets meanwhile; otherwise as `get`."""
        ask = await self._take(wait, alone=True)
        try:
            assert ask.seat is not None
            yield ask.seat.client
        finally:
            self._give_back(ask)

    def statistics(self) -> PoolStatistics:
        """Return figures about the pool as it is."""
        with self._guard:
            return self._ledger.statistics()

    async def _take(self, wait: float | timedelta | None, *, alone: bool) -> Ask[C]:
        seconds = self._ledger.config.acquire_timeout if wait is None else _seconds(wait)
        self._check()
        event, now = self._event(), self._now()
        with self._guard:
            ask = self._ledger.ask(alone=alone, who=self._who(), now=now, told=event.set)
        try:
            self._settle()
            if ask.waits:
                await self._park(event, inf if seconds is None else now + seconds)
                with self._guard:
                    if ask.waits:
                        ask.error = self._ledger.late(ask, self._now())
            if ask.error is not None:
                raise ask.error
        except BaseException:
            self._give_back(ask)
            raise
        return ask

    def _give_back(self, ask: Ask[C]) -> None:
        with self._guard:
            self._ledger.give_back(ask, self._now())
        self._settle()

    def _settle(self) -> None:
        """Open what is missing, close what is over."""
        with self._guard:
            retired = self._ledger.to_close()
        for seat in retired:
            seat.leave()
        while self._wants_one() and self._open_one():
            pass

    def _wants_one(self) -> bool:
        with self._guard:
            return self._ledger.to_open()


def _seconds(wait: float | timedelta) -> float:
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    if type(seconds) not in (int, float) or not seconds >= 0:
        raise InvalidArgument(f"wait: seconds from 0, or a timedelta, not {wait!r}")
    return float(seconds)

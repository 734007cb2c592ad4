"""Pools whose faces have tasks: each connection lives in a task of its own."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from kv_client._core.opening import FINAL
from kv_pool._async.pool import Pool

__all__ = ["Tended"]

RETRY_S: Final = 0.5

C = TypeVar("C", bound=Any)


class Tended(Pool[C]):
    """A pool with a background."""

    _entering = True

    async def _sleep(self, seconds: float) -> None:
        raise NotImplementedError

    async def _keep(self) -> None:
        """The life of one connection. What goes wrong with it is told to those who wait for it, or hold it."""
        leave: Any = self._event()
        seat = None
        try:
            async with self._connect() as client:
                seat = self._ledger.opened(client, self._now())
                seat.leave = leave.set
                await leave.wait()
        except Exception as error:
            if seat is not None:
                self._ledger.gone(seat, error)
            else:
                self._ledger.failed(error, for_good=isinstance(error, FINAL) or self._entering)
                await self._sleep(RETRY_S)
                self._ledger.not_opened()
        else:
            self._ledger.gone(seat)
        self._settle()

"""A call of asyncio."""

from __future__ import annotations

from asyncio import Future

from kv_client._core.call import Call

__all__ = ["FutureCall"]


class FutureCall(Call):
    """A call that a task waits for."""

    __slots__ = ("future",)

    future: Future[None]

    def wake(self) -> None:
        future = self.future
        if not future.done():
            future.set_result(None)

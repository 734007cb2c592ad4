"""Waiting under asyncio, where a cancellation is told once and has to be passed on by whoever cannot obey it yet.

`Task.cancelling()` counts those who want a task to stop; a block that asked for it takes its wish back with
`uncancel()`. Whoever finishes something first leaves the count as it is, and has the task cancelled again afterwards
if the wish still stands: so `asyncio.timeout`, task groups and locks that are lost all get what they asked for.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future, Task, TimerHandle
from collections.abc import Callable
from contextlib import suppress
from math import inf
from types import TracebackType

__all__ = ["Scope", "Waiter", "cancel_later"]


def cancel_later(task: Task[object]) -> None:
    """*task* is being cancelled, but goes on: cancel it where it waits next, unless nobody wants that any more then."""
    task.get_loop().call_soon(_cancel_again, task, task.cancelling())


def _cancel_again(task: Task[object], count: int) -> None:
    if not task.done() and task.cancelling() >= count:
        task.uncancel()
        task.cancel()


class Waiter:
    """Where one task may wait until it is woken."""

    __slots__ = ("_future", "_woken")

    def __init__(self) -> None:
        self._future: Future[None] | None = None
        self._woken = False

    @property
    def taken(self) -> bool:
        return self._future is not None

    async def wait(self, leave: Callable[[], bool]) -> None:
        self._woken = False
        try:
            await self._park()
        except CancelledError:
            while not (self._woken or leave()):
                await self.hold_out()
            raise

    async def wait_until(self, moment: float) -> None:
        self._woken = False
        timer = asyncio.get_running_loop().call_at(moment, self.wake)
        try:
            await self._park()
        except CancelledError:
            while not self._woken:
                await self.hold_out()
            raise
        finally:
            timer.cancel()

    def wake(self) -> None:
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def hold_out(self) -> None:
        """Wait until it is woken, or the task is cancelled once more."""
        with suppress(CancelledError):  # the first one is raised in the end, and they all count
            await self._park()

    async def _park(self) -> None:
        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None


class Scope:
    """A block of code that is cancelled at its deadline, or by `cancel`; leaving it says whether it ended for that."""

    __slots__ = ("_asked", "_before", "_deadline", "_task", "_timer")

    def __init__(self) -> None:
        self._deadline = inf
        self._asked = False
        self._before = 0
        self._task: Task[object] | None = None
        self._timer: TimerHandle | None = None

    @property
    def deadline(self) -> float:
        return self._deadline

    @deadline.setter
    def deadline(self, moment: float) -> None:
        self._deadline = moment
        self._set_timer()

    def cancel(self) -> None:
        if not self._asked:
            self._asked = True
            if self._task is not None:
                self._task.cancel()

    def __enter__(self) -> Scope:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._before = self._task.cancelling()
        if self._asked:
            self._task.cancel()
        self._set_timer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        self._set_timer()
        if not self._asked or task is None:
            return False
        return task.uncancel() <= self._before and isinstance(error, CancelledError)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None and self._deadline != inf:
            self._timer = self._task.get_loop().call_at(self._deadline, self._look)

    def _look(self) -> None:
        """Timers may come early; who leaves must find that the deadline is over."""
        if self._task is not None and self._task.get_loop().time() < self._deadline:
            self._set_timer()
        else:
            self.cancel()

"""How a task waits for its call: as `wait_task_rescheduled` has it wait, for a third of what that costs."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from types import coroutine
from typing import Any

from trio.lowlevel import Abort, RaiseCancelT, wait_task_rescheduled

__all__ = ["Park", "parking"]

Park = Callable[[Callable[[RaiseCancelT], Abort]], Awaitable[Any]]
"""Waits to be rescheduled; takes what is to happen if the task is cancelled."""


def parking() -> Park:
    """Return a way to wait, for the tasks of one trio run.

    What a task tells trio is a message that holds nothing but what to do on cancellation, which trio takes out at once.
    So one message, which trio itself has made, serves all these tasks. If that is ever otherwise, so is this.
    """
    waiting = wait_task_rescheduled(_cancelled)
    message = waiting.send(None)
    with suppress(_Enough):
        waiting.throw(_Enough)
    told = getattr(message, "__dict__", None)
    if told != {"abort_func": _cancelled}:
        return wait_task_rescheduled

    @coroutine
    def park(cancelled: Callable[[RaiseCancelT], Abort]) -> Generator[Any, Any, Any]:
        told["abort_func"] = cancelled
        outcome = yield message
        told["abort_func"] = None
        return outcome.unwrap()

    return park


class _Enough(Exception):
    """Ends a wait that nobody began."""


def _cancelled(_: RaiseCancelT) -> Abort:
    return Abort.SUCCEEDED

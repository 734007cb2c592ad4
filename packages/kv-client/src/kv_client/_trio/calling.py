"""From a task to the session, and back: the hot path of every call, without a coroutine of its own.

What a task awaits is a wait of trio's, and what it is sent when that is over is the call itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Any

from trio import current_effective_deadline, current_time
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    TrioToken,
    current_clock,
    current_task,
    current_trio_token,
    reschedule,
)

from kv_client._async.link import PORTION
from kv_client._core.call import DONE, WAITS, Call, Fencing, Wire
from kv_client._core.calls import Calls
from kv_client._trio.parking import parking

if TYPE_CHECKING:
    from kv_client._trio.link import Link

__all__ = ["Caller", "ParkedCall", "ambient"]


def ambient(task: Task) -> float:
    """When *task*, which is the current one, will be cancelled: what `trio.current_effective_deadline` says, for a
    third of the time. It looks where trio looks, and asks trio where there is nothing of that kind.
    """
    deadline = inf
    try:
        status: Any = task._cancel_status
        if status.effectively_cancelled:
            return -inf
        while status is not None:
            scope = status._scope
            own = scope._deadline
            if own < deadline:
                deadline = own
            if scope._shield:
                break
            status = status._parent
    except AttributeError:
        return current_effective_deadline()
    return deadline


class ParkedCall(Call):
    """A call that a task waits for: also what is to happen if the task is cancelled, and what it goes on with."""

    __slots__ = ("link", "raise_cancel", "task")

    link: Link
    task: Task | None
    raise_cancel: RaiseCancelT | None

    def wake(self) -> None:
        task = self.task
        if task is not None:
            self.task = None
            reschedule(task, self)  # type: ignore[arg-type]

    def __call__(self, raise_cancel: RaiseCancelT) -> Abort:
        """The owner is cancelled. A call is asked itself: a bound method would be one more object each time."""
        if self.link.leave(self):
            return Abort.SUCCEEDED
        self.raise_cancel = raise_cancel
        return Abort.FAILED

    def unwrap(self) -> Any:
        """Return the body of the reply, or raise what the owner is to be told."""
        if self.error is None:
            return self.body
        if self.raise_cancel is not None:
            self.raise_cancel()
        raise self.error


class Caller:
    """Makes the calls of *link* by the shortest way, where nothing stands in that; else leaves them to it."""

    __slots__ = ("_calls", "_clock", "_link", "_pump", "_timeout", "_token", "park")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._calls: Calls = link.calls
        self._pump = link.pump
        self._timeout = link.timeout
        self._token: TrioToken | None = None
        self.park = parking()
        self._clock: Callable[[], float] = current_time

    def open(self) -> None:
        """From here on there may be calls, in this trio run."""
        self._token = current_trio_token()
        self._clock = current_clock().current_time

    def call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None = None,
        namespace: Wire | None = None,
        limit: float | None = None,
    ) -> Awaitable[Any]:
        """See `Link.call`. What is returned is to be awaited at once."""
        link, calls, pump = self._link, self._calls, self._pump
        if current_trio_token() is not self._token:
            link.check_run()
        if link.session.closed is not None:
            raise link.session.refusal()
        task = current_task()
        end = limit if limit is not None else inf if kind & WAITS else self._clock() + self._timeout
        if ambient(task) < end or (pump.resting is not None and not calls.open) or link.in_line or calls.crowded:
            return link.call_with_care(word, args, options, kind, fence, namespace, end)
        call = ParkedCall.__new__(ParkedCall)
        call.ask(word, args, options, kind, namespace, fence, end, end)
        call.link = link
        call.task = call.raise_cancel = None
        calls.start(call)
        if end < link.wake_at:
            link.poke(end)
        if not pump.flush_follows or len(calls.outgoing) >= PORTION:
            pump.flush_soon()
            if call.state == DONE:
                return link.answer(call)
        call.task = task
        return self.park(call)

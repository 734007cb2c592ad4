"""Calls under trio: the hot path from a task to the session and back, the line before a crowded client, the timer.

A call packs its frame into the list of outgoing calls and parks. No nursery, no event and no cancel scope per call.
"""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import trio
from trio.lowlevel import (
    Abort,
    ParkingLot,
    RaiseCancelT,
    Task,
    TrioToken,
    checkpoint,
    current_clock,
    current_task,
    current_trio_token,
    reschedule,
    wait_task_rescheduled,
)

from kv_client._asleep import Asleep, Leaping
from kv_client._async import link
from kv_client._core.call import DONE, Fencing, Group, Wire
from kv_client._core.session import Session
from kv_client._trio.calling import Caller, ParkedCall, ambient
from kv_client._trio.pump import Pump
from kv_protocol.errors import CallTimeout, ConnectionLost, DeadlineExceeded, KvError

__all__ = ["Link"]


def _nothing() -> None: ...


def _yes() -> bool:
    return True


class Waiter:
    """Where one task may wait until it is woken."""

    __slots__ = ("_leave", "_raise_cancel", "_task")

    def __init__(self) -> None:
        self._task: Task | None = None
        self._leave: Callable[[], bool] = _yes

    @property
    def taken(self) -> bool:
        return self._task is not None

    async def wait(self, leave: Callable[[], bool]) -> None:
        self._leave = leave
        self._raise_cancel: RaiseCancelT | None = None
        self._task = current_task()
        try:
            await wait_task_rescheduled(self._abort)
        finally:
            self._leave = _yes  # what it was may hold who waits here
        if self._raise_cancel is not None:
            self._raise_cancel()

    async def wait_until(self, moment: float) -> None:
        with trio.CancelScope(shield=True, deadline=moment):
            await self.wait(_yes)

    def wake(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            reschedule(task)

    def _abort(self, raise_cancel: RaiseCancelT) -> Abort:
        if self._leave():
            self._task = None
            return Abort.SUCCEEDED
        self._raise_cancel = raise_cancel
        return Abort.FAILED


class Link(link.Link):
    """A session and the means to speak through it, within one trio run."""

    def __init__(self, session: Session, timeout: float | None, clock: Leaping | None) -> None:
        super().__init__(session, timeout)
        self._clock = clock
        self.pump = Pump(session)
        self.pump.on_received = self.make_way
        self._caller = Caller(self)
        call = self._caller.call
        self.call = call if self.tracing is None else self._traced(self.tracing, call)  # type: ignore[method-assign]
        self._crowd = ParkingLot()
        self.in_line = False  # whether there may be somebody in the crowd
        self.wake_at = inf
        self._timer = trio.CancelScope()
        self._token: TrioToken | None = None
        self._time = trio.current_time
        self._unwatch: Callable[[], None] = _nothing

    # ---- calls
    async def call_with_care(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None,
        namespace: Wire | None,
        limit: float,
    ) -> Any:
        """Make a call that may have to wait in line, whose owner may lead, or is in more of a hurry than *limit*."""
        calls, pump = self.calls, self.pump
        if self.crowded:
            await self.make_room(word, limit)
        deadline = ambient(current_task())
        if deadline <= self._time():
            await checkpoint()
        latest = limit if deadline >= limit else self.latest(deadline, limit, kind)
        call = ParkedCall(word, args, options, kind, namespace, fence, limit, latest)
        call.link = self
        call.task = call.raise_cancel = None
        self.session.start(call)
        if limit < self.wake_at:
            self.poke(limit)
        if len(calls.open) == 1 and pump.may_lead(kind):
            await pump.lead(call, pump.flush, partial(self.leave, call))
        elif not pump.flush_follows or len(calls.outgoing) >= link.PORTION:
            pump.flush_soon()
        try:
            return await self.answer(call)
        except DeadlineExceeded:  # unless it has moved on meanwhile
            if self._time() >= min(limit, self.ambient()):
                raise
        self.session.distrust_clock(self._time())
        return await self.call_with_care(word, args, options, kind, fence, namespace, limit)

    async def answer(self, call: ParkedCall) -> Any:
        """Wait until *call* is done; see `ParkedCall.unwrap`."""
        if call.state != DONE:
            call.task = current_task()
            return await self._caller.park(call)
        return call.unwrap()

    async def exchange(
        self, group: Group, kind: int, send: Callable[[], None], waiter: link.Waiter, leave: Callable[[], bool]
    ) -> None:
        pump = self.pump
        if not self.calls.open:
            if pump.may_lead(kind):
                await pump.lead(group, send, leave)
                send = _nothing
            else:
                pump.lone = True
        await super().exchange(group, kind, send, waiter, leave)

    # ---- the line before a crowded client
    @property
    def crowded(self) -> bool:
        return self.calls.crowded or bool(self._crowd)

    async def make_room(self, word: str, limit: float) -> None:
        self.in_line = True
        with trio.move_on_at(limit):
            await self._crowd.park()
            return
        raise CallTimeout(f"{word}: too many calls are open; this one was not sent")

    def make_way(self) -> None:
        if self.in_line:
            self._crowd.unpark(count=self.calls.room)
            self.in_line = bool(self._crowd)

    # ---- life
    def open(self) -> None:
        """From here on the client may be used, in this trio run."""
        self._token = token = current_trio_token()
        self._time = current_clock().current_time
        self._caller.open()
        if self._clock is not None:
            self._unwatch = self._clock.watch(partial(token.run_sync_soon, self.poke, -inf))

    def close(self, error: KvError | None = None) -> None:
        """What is outgoing still leaves, if it can at once."""
        self.pump.flush()
        self._unwatch()
        self._unwatch = _nothing
        self.session.close(error)
        self._crowd.unpark_all()
        self.pump.detach()

    def check_run(self) -> None:
        if current_trio_token() is not self._token or self.session.closed is not None:
            self.refuse(self._token is not None, "trio.run() (or another thread)")

    def flush_soon(self) -> None:
        self.pump.flush_soon()

    def flush_now(self) -> None:
        self.pump.flush_now()

    def owner(self) -> Task:
        return current_task()

    def waiter(self) -> Waiter:
        return Waiter()

    def scope(self) -> trio.CancelScope:
        return trio.CancelScope()

    def ambient(self) -> float:
        return ambient(current_task())

    async def checkpoint(self) -> None:
        await checkpoint()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    # ---- time
    def now(self) -> float:
        return trio.current_time()

    def poke(self, moment: float) -> None:
        if moment < self.wake_at:
            self.wake_at = moment
            self._timer.deadline = moment

    async def keep_time(self) -> None:
        """The timer task."""
        asleep = Asleep(self._clock)
        while True:
            uncounted = asleep.uncounted()
            if uncounted:
                self.session.leases.skip(uncounted)
            reason = self.session.tick(self.now())
            if reason is not None:
                self.pump.broken(ConnectionLost(reason))
            self.pump.nudge_leader()
            self.pump.flush_soon()
            self.make_way()
            self.wake_at = self.session.next_wake()
            with trio.CancelScope(deadline=self.wake_at) as self._timer:
                await trio.sleep_forever()

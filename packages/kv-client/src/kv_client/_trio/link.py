"""Calls under trio: the hot path from a task to the session and back, the line before a crowded client, the timer.

A call packs its frame into the list of outgoing calls and parks. No nursery, no event and no cancel scope per call.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from math import inf
from typing import Any, Final

import trio
from outcome import Outcome
from trio import current_effective_deadline
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
from kv_client._core.call import DONE, WAITS, Call, Fencing, Wire
from kv_client._core.calls import MAX_BYTES, MAX_CALLS
from kv_client._core.session import Session
from kv_client._trio.pump import PORTION, Pump
from kv_protocol.errors import CallTimeout, ConnectionLost, DeadlineExceeded, KvError

__all__ = ["Link"]


def _nothing() -> None: ...


def _yes() -> bool:
    return True


class Woken(Outcome[None]):
    """What a waiting task goes on with: nothing, so all share one. Making one for each costs a tenth of a call."""

    def unwrap(self) -> None:
        return None

    def send(self, gen: Generator[Any, None, Any]) -> Any:
        return gen.send(None)

    async def asend(self, agen: AsyncGenerator[Any, None]) -> Any:
        return await agen.asend(None)


WOKEN: Final = Woken()


class ParkedCall(Call):
    """A call that a task waits for."""

    __slots__ = ("link", "raise_cancel", "task")

    link: "Link"
    task: Task | None
    raise_cancel: RaiseCancelT | None

    def wake(self) -> None:
        task = self.task
        if task is not None:
            self.task = None
            reschedule(task, WOKEN)
        elif self.link.pump.leader is self:
            self.link.pump.nudge_leader()

    def __call__(self, raise_cancel: RaiseCancelT) -> Abort:
        """The owner is cancelled. A call is asked itself: a bound method would be one more object each time."""
        if self.link.leave(self):
            return Abort.SUCCEEDED
        self.raise_cancel = raise_cancel
        return Abort.FAILED


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
        self._crowd = ParkingLot()
        self._line = False  # whether there may be somebody in the crowd
        self._wake_at = inf
        self._timer = trio.CancelScope()
        self._token: TrioToken | None = None
        self._time = trio.current_time
        self._unwatch: Callable[[], None] = _nothing

    # ---- calls
    async def call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        namespace: Wire | None = None,
        fence: Fencing | None = None,
        limit: float | None = None,
    ) -> Any:
        """Make one call and return the body of its reply. At *limit*, instead of its time-out, the client gives up."""
        if current_trio_token() is not self._token:
            self.check_run()
        now = self._time()
        if limit is None:
            limit = inf if kind & WAITS else now + self.timeout
        calls = self.calls
        if (len(calls.open) >= MAX_CALLS or calls.size >= MAX_BYTES or self._line) and self.crowded:
            await self.make_room(word, limit)
            now = self._time()
        ambient = current_effective_deadline()
        if ambient <= now:
            await checkpoint()
        latest = limit if ambient >= limit else self.latest(ambient, limit, kind)
        call = ParkedCall(word, args, options, kind, namespace, fence, limit, latest)
        call.link = self
        call.task = call.raise_cancel = None
        if self.session.closed is not None:
            raise self.session.refusal()
        calls.start(call)
        if limit < self._wake_at:
            self.poke(limit)
        pump = self.pump
        if pump.resting is not None and pump.may_lead(call):
            await pump.lead(call, self.leave)
        elif not pump.flush_follows or len(calls.outgoing) >= PORTION:
            pump.flush_soon()
        if call.state != DONE:
            call.task = current_task()
            await wait_task_rescheduled(call)
        if call.error is None:
            return call.body
        if call.raise_cancel is not None:
            call.raise_cancel()
        if type(call.error) is DeadlineExceeded and self.now() < min(limit, current_effective_deadline()):
            self.session.distrust_clock(self.now())
            return await self.call(word, args, options, kind, namespace, fence, limit)
        raise call.error

    # ---- the line before a crowded client
    @property
    def crowded(self) -> bool:
        return self.calls.crowded or bool(self._crowd)

    async def make_room(self, word: str, limit: float) -> None:
        self._line = True
        with trio.move_on_at(limit):
            await self._crowd.park()
            return
        raise CallTimeout(f"{word}: too many calls are open; this one was not sent")

    def make_way(self) -> None:
        if self._line:
            self._crowd.unpark(count=self.calls.room)
            self._line = bool(self._crowd)

    # ---- life
    def open(self) -> None:
        """From here on the client may be used, in this trio run."""
        self._token = token = current_trio_token()
        self._time = current_clock().current_time
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
        return current_effective_deadline()

    async def checkpoint(self) -> None:
        await checkpoint()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    # ---- time
    def now(self) -> float:
        return trio.current_time()

    def poke(self, moment: float) -> None:
        if moment < self._wake_at:
            self._wake_at = moment
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
            self.pump.flush_soon()
            self.make_way()
            self._wake_at = self.session.next_wake()
            with trio.CancelScope(deadline=self._wake_at) as self._timer:
                await trio.sleep_forever()

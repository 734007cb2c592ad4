"""Calls under asyncio: the hot path from a task to the session and back, the line before a crowded client, the timer.

A call packs its frame into the list of outgoing calls and awaits a future. What tasks ask in one turn of the loop
leaves in one write behind them, and so does what the owners of the replies of one receive ask next.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, CancelledError, Future, TimerHandle
from asyncio import _get_running_loop as running_loop
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import perf_counter
from typing import Any, Final

from kv_client._asleep import Asleep, Leaping
from kv_client._async import link
from kv_client._core.call import DONE, TAKES, WAITS, Fencing, Group, Wire
from kv_client._core.calls import MAX_BYTES, MAX_CALLS
from kv_client._core.session import Session
from kv_client.aio._calling import FutureCall
from kv_client.aio._pipe import Pipe
from kv_client.aio._waiting import Scope, Waiter, cancel_later
from kv_protocol.errors import CallTimeout, ConnectionLost, KvError
from kv_protocol.patience import Patience, look_s

__all__ = ["Link"]

SHORTEST_S: Final = 0.001  # between two looks of the timer: loops round the time


def _nothing() -> None: ...


class Link(link.Link):
    """A session and the means to speak through it, within one event loop."""

    def __init__(self, session: Session, timeout: float | None, clock: Leaping | None) -> None:
        super().__init__(session, timeout)
        self._clock = clock
        self.pipe: Pipe | None = None
        self.on_crash: Callable[[Exception], None]
        self._loop: AbstractEventLoop | None = None
        self._flush_follows = False
        self._crowd: deque[Future[None]] = deque()
        self._wake_at = inf
        self._timer: TimerHandle | None = None
        self._asleep = Asleep(clock)
        self._patience = Patience()
        self._unwatch: Callable[[], None] = _nothing

    # ---- calls
    async def call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None = None,
        namespace: Wire | None = None,
        limit: float | None = None,
    ) -> Any:
        loop = self._loop
        if loop is None or running_loop() is not loop:
            self.check_run()
            raise AssertionError
        if limit is None:
            limit = inf if kind & WAITS else loop.time() + self.timeout
        calls = self.calls
        if (len(calls.open) >= MAX_CALLS or calls.size >= MAX_BYTES or self._crowd) and self.crowded:
            await self.make_room(word, limit)
        call = FutureCall(word, args, options, kind, namespace, fence, limit, limit)
        call.future = loop.create_future()
        self.session.start(call)
        if limit < self._wake_at:
            self.poke(limit)
        if not self._flush_follows:
            self.flush_soon()
        elif len(calls.outgoing) >= link.PORTION:
            self.flush_now()
        try:
            await call.future
        except CancelledError:
            if not await self._done_all_the_same(call):
                raise
        if call.error is None:
            return call.body
        raise call.error

    async def _done_all_the_same(self, call: FutureCall) -> bool:
        """The owner of *call* was cancelled. True if the call has taken something: then its owner must get that."""
        if call.state != DONE and self.leave(call):
            return False
        while call.state != DONE:
            call.future = asyncio.get_running_loop().create_future()
            with suppress(CancelledError):  # it counts, and is told below
                await call.future
        task = asyncio.current_task()
        if not call.kind & TAKES or call.error is not None:
            return False
        if task is not None and task.cancelling():
            cancel_later(task)
        return True

    async def exchange(
        self, group: Group, kind: int, send: Callable[[], None], waiter: link.Waiter, leave: Callable[[], bool]
    ) -> None:
        alone = not self.calls.open
        send()
        if alone and self._patience.worth_it():
            await self._look(group, waiter, leave)
        while group.awaited:
            await waiter.wait(leave)

    async def _look(self, group: Group, waiter: link.Waiter, leave: Callable[[], bool]) -> None:
        """Let everybody else have a turn, again and again for some microseconds, without going to sleep."""
        until = perf_counter() + look_s(group.awaited)
        try:
            while group.awaited:
                if perf_counter() > until:
                    self._patience.miss()
                    return
                await asyncio.sleep(0)
        except CancelledError:
            assert isinstance(waiter, Waiter)
            while not leave():
                await waiter.hold_out()
            raise
        self._patience.hit()

    # ---- sending
    def flush_soon(self) -> None:
        if len(self.calls.open) == 1 or len(self.calls.outgoing) >= link.PORTION:
            self.flush_now()
        elif not self._flush_follows and self.calls.outgoing:
            self.flush_behind()

    def flush_behind(self) -> None:
        """Have what is outgoing sent behind everybody who is to run in this turn."""
        if self._loop is not None and not self._flush_follows:
            self._flush_follows = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_follows = False
        self.flush_now()

    def flush_now(self) -> None:
        if self.pipe is not None:
            self.pipe.flush()

    # ---- the line before a crowded client
    @property
    def crowded(self) -> bool:
        return self.calls.crowded or bool(self._crowd)

    async def make_room(self, word: str, limit: float) -> None:
        place = asyncio.get_running_loop().create_future()
        self._crowd.append(place)
        try:
            async with asyncio.timeout_at(None if limit == inf else limit):
                await place
        except BaseException as error:
            with suppress(ValueError):
                self._crowd.remove(place)
            self.make_way()  # it may have been our turn
            if not isinstance(error, TimeoutError):
                raise
            raise CallTimeout(f"{word}: too many calls are open; this one was not sent") from None

    def make_way(self) -> None:
        if self._crowd:
            for _ in range(min(self.calls.room, len(self._crowd))):
                place = self._crowd.popleft()
                if not place.done():
                    place.set_result(None)

    # ---- life
    def open(self) -> None:
        """From here on the client may be used, in this event loop."""
        self._loop = loop = asyncio.get_running_loop()
        if self._clock is not None:

            def leapt() -> None:
                loop.call_soon_threadsafe(self.poke, -inf)

            self._unwatch = self._clock.watch(leapt)

    def attach(self, pipe: Pipe) -> None:
        """Go on over *pipe*, which has been greeted."""
        self.pipe = pipe
        pipe.flush()
        self.poke_next()

    def detach(self, error: Exception) -> None:
        """The connection has ended by *error*; what is open waits for the next one."""
        self.pipe = None
        self.session.connection_lost(error)

    def close(self, error: KvError | None = None) -> None:
        """What is outgoing still leaves, if it can at once."""
        self.flush_now()
        self._unwatch()
        self._unwatch = _nothing
        self.session.close(error)
        for place in self._crowd:
            if not place.done():
                place.set_result(None)
        self._crowd.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.pipe is not None:
            pipe, self.pipe = self.pipe, None
            pipe.close()

    def check_run(self) -> None:
        if self._loop is None or running_loop() is not self._loop or self.session.closed is not None:
            self.refuse(self._loop is not None, "event loop (or another thread)")

    def owner(self) -> object:
        return asyncio.current_task()

    def waiter(self) -> Waiter:
        return Waiter()

    def scope(self) -> Scope:
        return Scope()

    def ambient(self) -> float:
        return inf

    async def checkpoint(self) -> None:
        """Tasks of asyncio give way where they wait."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    # ---- time
    def now(self) -> float:
        return self._loop.time() if self._loop is not None else 0.0

    def poke(self, moment: float) -> None:
        if moment < self._wake_at and self._loop is not None and self.session.closed is None:
            self._wake_at = moment
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(moment, self._look_after)

    def _look_after(self) -> None:
        try:
            self._do_what_is_due()
        except Exception as crash:
            self.on_crash(crash)

    def _do_what_is_due(self) -> None:
        uncounted = self._asleep.uncounted()
        if uncounted:
            self.session.leases.skip(uncounted)
        now = self.now()
        reason = self.session.tick(now)
        if reason is not None and self.pipe is not None:
            self.pipe.broken(ConnectionLost(reason))
        self.flush_soon()
        self.make_way()
        self._wake_at = inf
        self.poke(max(self.session.next_wake(), now + SHORTEST_S))

"""Calls of threads: the hot path from a caller to the session and back, and what may only be done under the mutex.

A caller who is alone packs its frame, sends it, receives once and goes. Nothing else is woken for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf
from os import getpid
from threading import get_ident
from time import monotonic
from types import TracebackType
from typing import Any, TypeVar

from kv_client._asleep import Leaping
from kv_client._core.call import WAITS, Call, Fencing, Wire
from kv_client._core.calls import MAX_BYTES, MAX_CALLS
from kv_client._core.leases import Lease
from kv_client._core.session import Session
from kv_client._core.subscription import Feed
from kv_client._sync import link
from kv_client.sync._keeper import Keeper
from kv_client.sync._leading import RECEIVE, Leading
from kv_client.sync._waiting import ParkedCall, Until, Waiter
from kv_protocol.errors import CallTimeout, ConnectionLost, KvError

__all__ = ["Link"]

E = TypeVar("E")
T = TypeVar("T")


class Scope:
    """A block of code that nobody can stop from outside."""

    deadline = inf

    def cancel(self) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Link(link.Link):
    """A session and the means to speak through it, for all threads of one process."""

    def __init__(self, session: Session, timeout: float | None, leading: Leading, clock: Leaping | None = None) -> None:
        super().__init__(session, timeout)
        self._clock = clock
        self.leading = leading
        self._mutex = leading.mutex
        self._process = 0  # that has opened it, while it is open
        self._keeper: Keeper | None = None

    # ---- calls
    def call(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        fence: Fencing | None = None,
        namespace: Wire | None = None,
        limit: float | None = None,
    ) -> Any:
        """Make one call and return the body of its reply. At *limit*, instead of its time-out, the client gives up."""
        if getpid() != self._process:
            self.check_run()
        now = monotonic()
        if limit is None:
            limit = inf if kind & WAITS else now + self.timeout
        calls, leading = self.calls, self.leading
        if (len(calls.open) >= MAX_CALLS or calls.size >= MAX_BYTES or leading.crowd) and self.crowded:
            self.make_room(word, limit)
        call = ParkedCall(word, args, options, kind, namespace, fence, limit, limit)
        call.woken = False
        call.lock = None
        try:
            with self._mutex:
                self.session.start(call)
                connection = leading.socket
                if connection is not None:
                    soon = now + leading.slice
                    if leading.leader is None and limit >= soon and leading.wake_at >= soon:
                        leading.leader = call
                        leading.led_at = now
                    else:
                        connection = None
                    if not leading.flush():
                        connection = None
            if connection is not None:
                data: bytes | OSError
                try:
                    data = connection.recv(RECEIVE)
                except OSError as error:
                    data = error
                with self._mutex:
                    if connection is leading.socket and data.__class__ is bytes:
                        leading.take(data)
                    else:
                        leading.received(connection, data)
                    if call.woken:
                        leading.step_down()
            if not call.woken:
                leading.wait(call)
        except BaseException:
            self._abandon(call)
            raise
        if leading.tells:
            leading.tell()
        if call.error is None:
            return call.body
        raise call.error

    def _abandon(self, call: ParkedCall) -> None:
        """The owner of *call* was interrupted. What it may have taken is asked about, for a second at most."""
        self.leading.quit(call)
        with self._mutex:
            out = self.calls.open.get(getattr(call, "id", 0)) is not call or self.leave(call)
        if not out:
            self.leading.wait(call)

    # ---- the line before a crowded client
    @property
    def crowded(self) -> bool:
        return self.calls.crowded or bool(self.leading.crowd)

    def make_room(self, word: str, limit: float) -> None:
        place = self.waiter()
        crowd = self.leading.crowd
        with self._mutex:
            if not self.crowded:
                return
            crowd.append(place)
        try:
            place.wait_until(limit)
        finally:
            with self._mutex:
                left = place in crowd
                if left:
                    crowd.remove(place)
                self.make_way()
        if left:
            raise CallTimeout(f"{word}: too many calls are open; this one was not sent")

    def make_way(self) -> None:
        self.leading.make_way()

    # ---- what needs the mutex
    def post(self, call: Call) -> None:
        self.leading.check_process()
        with self._mutex:
            super().post(call)

    def post_all(self, calls: Sequence[Call], limit: float, latest: float) -> None:
        with self._mutex:
            super().post_all(calls, limit, latest)

    def leave(self, call: Call) -> bool:
        self.leading.check_process()
        with self._mutex:
            return super().leave(call)

    def take(self, call: Feed[E]) -> E:
        self.leading.check_process()
        with self._mutex:
            return super().take(call)

    def hold(self, lease: Lease) -> None:
        with self._mutex:
            super().hold(lease)
            if self._keeper is None:
                self._keeper = Keeper(self.leading, self._clock)
                self._keeper.start()
            self._keeper.ring()

    def let_go(self, lease: Lease) -> None:
        self.leading.check_process()
        with self._mutex:
            super().let_go(lease)

    def tell(self, function: Callable[[T], None], what: T) -> None:
        self.leading.tells.append((function, what))

    def poke(self, moment: float) -> None:
        self.leading.wake_at = min(self.leading.wake_at, moment)

    def flush_soon(self) -> None:
        self.leading.flush()

    def flush_now(self) -> None:
        self.leading.flush()

    # ---- life
    def open(self, patience: float) -> None:
        """Connect, within *patience* seconds. From here on the client may be used, in this process."""
        self._process = self.leading.home = getpid()
        session = self.session
        self.leading.wait(Until(lambda: session.ready or session.closed is not None, monotonic() + patience))
        if session.closed is not None:
            raise session.closed
        if not session.ready:
            raise ConnectionLost(session.trouble)

    def close(self, error: KvError | None = None) -> None:
        self._process = 0
        if getpid() != self.leading.home:
            self.leading.abandon()
            return
        self.leading.close(error)
        if self._keeper is not None:
            self._keeper.end()

    def check_run(self) -> None:
        if getpid() != self._process:
            self.refuse(self._process != 0, "process")

    # ---- what threads have instead
    def owner(self) -> int:
        return get_ident()

    def waiter(self) -> Waiter:
        return Waiter(self.leading)

    def scope(self) -> Scope:
        return Scope()

    def ambient(self) -> float:
        return inf

    def checkpoint(self) -> None:
        """Threads give way by themselves."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> float:
        return monotonic()

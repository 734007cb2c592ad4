"""The hot path under trio: one socket, many tasks. Batches by itself, wakes each caller with its own reply.

A call packs its frame into the list of outgoing calls and parks. Who reads parses all replies of one receive, wakes
their owners, lets them queue their next calls, and sends those at once. A caller that is alone sends its own request
and reads its own reply: then the reader task *rests* and the caller *leads*. Whoever joins meanwhile parks; the leader
wakes the reader when it is done. A reader that finds nobody led for a moment goes back to its socket, so that pushes
are heard.

This module must not know how a connection comes to be; see `_lifeline.py`.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, Final, NoReturn

import trio
from trio.lowlevel import (
    Abort,
    ParkingLot,
    RaiseCancelT,
    Task,
    cancel_shielded_checkpoint,
    checkpoint,
    current_task,
    current_trio_token,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

from kv_client._core.call import DONE, SENT, TAKES, WAITS, Call, Fencing, Wire
from kv_client._core.session import Session
from kv_protocol.errors import CallTimeout, ClientClosed, ConnectionLost, DeadlineExceeded, KvError

__all__ = ["Link", "Posted"]

RECEIVE: Final = 65_536
REST_S: Final = 0.010  # how long a reader leaves an idle socket to leaders


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
            reschedule(task)
        elif self.link.leader is self:
            self.link.nudge_leader()

    def abort(self, raise_cancel: RaiseCancelT) -> Abort:
        if self.link.leave(self):
            return Abort.SUCCEEDED
        self.raise_cancel = raise_cancel
        return Abort.FAILED


class Posted(Call):
    """A call whose owner does not wait in line; it may look at *done*."""

    __slots__ = ("done",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.done = trio.Event()

    def wake(self) -> None:
        self.done.set()


class Link:
    """A session, the socket it is on, and the tasks that move its bytes."""

    def __init__(self, session: Session, timeout: float | None) -> None:
        self.session = session
        self.calls = session.calls
        self.timeout = inf if timeout is None else timeout
        self.leader: ParkedCall | None = None
        self.lock_holders: set[tuple[Task, str, str]] = set()
        self.crowd = ParkingLot()
        self.wake_at = inf
        self._token: trio.lowlevel.TrioToken | None = None
        self._clock: trio.abc.Clock | None = None
        self._timer = trio.CancelScope()
        self._socket: socket.socket | None = None
        self._fd = -1
        self._on_broken: Callable[[], None] = lambda: None
        self._unsent = memoryview(b"")
        self._resting: Task | None = None
        self._led = False
        self._pumping = False
        self._cycle = False
        self._idle_writer: Task | None = None

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
        """Make one call and return the body of its reply. *limit* is when the client gives up, instead of its time-
        out.
        """
        if current_trio_token() is not self._token:
            self.refuse()
        calls = self.calls
        now = self._clock.current_time()  # type: ignore[union-attr]
        if limit is None:
            limit = inf if kind & WAITS else now + self.timeout
        if self.crowd or calls.crowded:
            await self.make_room(word, limit)
        ambient = trio.current_effective_deadline()
        if ambient <= now:
            await checkpoint()
        call = ParkedCall(
            word,
            args,
            options,
            kind,
            namespace=namespace,
            fence=fence,
            deadline=limit,
            latest=self.latest(ambient, limit, kind),
        )
        call.link = self
        call.task = call.raise_cancel = None
        self.session.start(call, now)
        if limit < self.wake_at:
            self.poke(limit)
        if self._fd >= 0 and len(calls.open) == 1 and self._resting is not None and kind < TAKES:
            await self._lead(call)
        else:
            self.flush_soon()
        if call.state != DONE:
            call.task = current_task()
            await wait_task_rescheduled(call.abort)
        if call.error is None:
            return call.body
        if call.raise_cancel is not None:
            call.raise_cancel()
        if type(call.error) is DeadlineExceeded and self.now() < min(limit, trio.current_effective_deadline()):
            self.session.distrust_clock(self.now())
            return await self.call(word, args, options, kind, namespace, fence, limit)
        raise call.error

    def latest(self, ambient: float, limit: float, kind: int) -> float:
        """When the server is to refuse a call. The end of a lease is no deadline of a call that waits: it will move
        on.
        """
        if ambient >= limit or (kind & WAITS and ambient in self.session.leases.ends()):
            return limit
        return ambient

    def now(self) -> float:
        """The client's clock."""
        return trio.current_time()

    def post(self, call: Call) -> None:
        """Make *call* without waiting for it."""
        self.session.start(call, self.now())
        self.poke(call.deadline)
        self.flush_soon()

    def grant(self, call: Call, count: int) -> None:
        """Allow the subscription *call* that many more events."""
        if self._fd >= 0 and call.state == SENT:
            self.session.note("CREDIT", call.id, count, now=self.now())
            self.flush_soon()

    def leave(self, call: Call) -> bool:
        """The owner of *call* wants out; see `Session.end`."""
        out = self.session.end(call, self.now())
        if not out:
            self.poke(call.deadline)
        self.flush_soon()
        self.make_way()
        return out

    async def make_room(self, word: str, limit: float) -> None:
        """Wait in line until there are not too many open calls."""
        with trio.move_on_at(limit):
            await self.crowd.park()
            return
        raise CallTimeout(f"{word}: too many calls are open; this one was not sent")

    def make_way(self) -> None:
        """Let in who waits in line, as far as there is room."""
        if self.crowd:
            self.crowd.unpark(count=self.calls.room)

    def check_run(self) -> None:
        """Raise unless this is the trio run that the client was opened in."""
        if current_trio_token() is not self._token:
            self.refuse()

    def refuse(self) -> NoReturn:
        if self._token is None or self.session.closed is not None:
            raise ClientClosed("the client is not open: use it inside `async with connect(...)`")
        raise RuntimeError("this client belongs to another trio.run() (or another thread): open one here")

    # ---- life
    def open(self) -> None:
        """From here on the client may be used, in this trio run."""
        self._token = current_trio_token()
        self._clock = trio.lowlevel.current_clock()

    def close(self, error: KvError | None = None) -> None:
        """Fail everything that is open."""
        self.session.close(error)
        self.crowd.unpark_all()
        self._detach()

    def attach(self, connection: socket.socket, on_broken: Callable[[], None]) -> None:
        """Go on over *connection*, which has been greeted; *on_broken* is called when it has ended."""
        self._socket = connection
        self._fd = connection.fileno()
        self._on_broken = on_broken
        self._unsent = memoryview(b"")
        self._resting = self._idle_writer = None
        self._cycle = False
        self.flush()
        self.poke(self.session.next_wake())

    def broken(self, error: Exception) -> None:
        """The connection has ended by *error*; what is open waits for the next one."""
        if self._fd >= 0:
            self._detach()
            self.session.connection_lost(error)
            self._on_broken()

    def _detach(self) -> None:
        if self._fd >= 0:
            self._fd = -1
            assert self._socket is not None
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
            self._socket = None

    # ---- sending
    def flush_soon(self) -> None:
        """Have what is outgoing sent: at once if nobody else is about to, else together with theirs."""
        if self._fd < 0:
            return
        if self._resting is not None and self.leader is None and self.calls.open:
            self._wake_reader()
        if self._cycle or not self.calls.outgoing:
            return
        if len(self.calls.open) == 1:
            self.flush()
        elif self._idle_writer is not None:
            reschedule(self._idle_writer)
            self._idle_writer = None

    def flush_at_once(self) -> None:
        """Send all that is outgoing now, and see to it that somebody reads."""
        if self._resting is not None and self.leader is None:
            self._wake_reader()
        self.flush()

    def flush(self) -> None:
        """Send all that is outgoing now, or leave to the writer what does not go."""
        if self._unsent or self._fd < 0:
            return
        data = self.calls.data_to_send()
        if not data:
            return
        try:
            sent = self._socket.send(data)  # type: ignore[union-attr]
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.broken(error)
            return
        if sent != len(data):
            self._unsent = memoryview(data)[sent:]
            if self._idle_writer is not None:
                reschedule(self._idle_writer)
                self._idle_writer = None

    async def write(self) -> None:
        """The writer task: sends once per turn of the loop what callers queued, and what the socket did not take."""
        while self._fd >= 0:
            if self._unsent:
                with suppress(trio.ClosedResourceError):
                    await wait_writable(self._fd)
                    self._send_rest()
            elif self.calls.outgoing and not self._cycle:
                self.flush()
            else:
                self._idle_writer = current_task()
                await wait_task_rescheduled(self._forget_writer)

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent[: 4 * RECEIVE]) :]  # type: ignore[union-attr]
        except BlockingIOError:
            return
        except OSError as error:
            self.broken(error)

    def _forget_writer(self, _: RaiseCancelT) -> Abort:
        self._idle_writer = None
        return Abort.SUCCEEDED

    # ---- receiving
    def pump(self) -> int:
        """Receive once; return how many owners were told."""
        try:
            data = self._socket.recv(RECEIVE)  # type: ignore[union-attr]
        except BlockingIOError:
            return 0
        except OSError as error:
            self.broken(error)
            return 0
        if not data:
            self.broken(ConnectionLost("the server closed the connection"))
            return 0
        self._pumping = True
        try:
            told = self.session.receive_data(data, self.now())
        except KvError as error:
            self.broken(error)
            return 0
        finally:
            self._pumping = False
        if self.session.draining and self.session.drained:
            self.broken(ConnectionLost("the server is going away"))
        self.make_way()
        return told

    async def read(self) -> None:
        """The reader task."""
        while self._fd >= 0:
            try:
                await wait_readable(self._fd)
            except trio.ClosedResourceError:
                continue
            told = self.pump()
            if told == 1 and not self.calls.open and not self.calls.outgoing:
                await self._rest()
            elif told:
                self._cycle = True
                await cancel_shielded_checkpoint()
                if len(self.calls.outgoing) < told:
                    await cancel_shielded_checkpoint()
                self._cycle = False
                self.flush()
            elif self.calls.outgoing:
                self.flush()

    async def _rest(self) -> None:
        """Leave the socket to leaders, as long as there are any."""
        self._led = True
        while self._led:
            self._led = False
            with trio.move_on_after(REST_S):
                self._resting = current_task()
                await wait_task_rescheduled(self._forget_reader)
                return
            self._led = self._led or self.leader is not None

    def _forget_reader(self, _: RaiseCancelT) -> Abort:
        self._resting = None
        return Abort.SUCCEEDED

    def _wake_reader(self) -> None:
        if self._resting is not None:
            reschedule(self._resting)
            self._resting = None

    async def _lead(self, call: ParkedCall) -> None:
        """Send *call* and read until its reply is there, or the connection is not."""
        self.leader = call
        self._led = True
        try:
            self.flush()
            while call.state != DONE and self._fd >= 0:
                await wait_readable(self._fd)
                self.pump()
        except trio.ClosedResourceError:
            pass  # somebody else ended the connection, or the call
        except BaseException:
            if call.state != DONE:
                self.leave(call)
            raise
        finally:
            self.leader = None
            if self.calls.open:
                self._wake_reader()

    def nudge_leader(self) -> None:
        """The leader's call is done, and not by its own reading."""
        if not self._pumping and self._fd >= 0:
            trio.lowlevel.notify_closing(self._fd)

    # ---- time
    def poke(self, moment: float) -> None:
        """Have the timer look at *moment* at the latest."""
        if moment < self.wake_at:
            self.wake_at = moment
            self._timer.deadline = moment

    async def keep_time(self) -> None:
        """The timer task."""
        while True:
            reason = self.session.tick(self.now())
            if reason is not None:
                self.broken(ConnectionLost(reason))
            self.flush_soon()
            self.make_way()
            self.wake_at = self.session.next_wake()
            with trio.CancelScope(deadline=self.wake_at) as self._timer:
                await trio.sleep_forever()

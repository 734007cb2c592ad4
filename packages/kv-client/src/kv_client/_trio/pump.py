"""Bytes under trio: one socket, a task that reads it, one that writes it, and callers who do both for themselves.

Who reads parses all replies of one receive, wakes their owners, lets them queue their next calls, and sends those at
once. A caller that is alone sends its own request and reads its own reply: then the reader task *rests* and the caller
*leads*. Whoever joins meanwhile parks; the leader wakes the reader when it is done. A reader that finds nobody led for
a moment goes back to its socket, so that pushes are heard.

How a connection comes to be is `_lifeline.py`; what a call is, `_link.py`.
"""

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Final

import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    cancel_shielded_checkpoint,
    checkpoint,
    current_clock,
    current_task,
    notify_closing,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

from kv_client._async.link import PORTION
from kv_client._core.call import TAKES, Call, Group
from kv_client._core.session import Session
from kv_protocol.errors import ConnectionLost, KvError
from kv_protocol.patience import LOOK_S, Patience, look_s
from kv_protocol.tls import Wire

__all__ = ["Pump"]

SEND: Final = 262_144
REST_S: Final = 0.010  # how long a reader leaves a silent socket to leaders


def _nothing() -> None: ...


class Pump:
    """The connection that a session is on now, if any. *fd* is below 0 while there is none."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.calls = session.calls
        self.fd = -1
        self.leader: Call | Group | None = None
        self.lone = False  # whether all open calls have one owner, who could have led
        self.on_received: Callable[[], None] = _nothing
        self._on_broken: Callable[[], None] = _nothing
        self._socket: Wire | None = None
        self._unsent = memoryview(b"")
        self.resting: Task | None = None
        self._idle_writer: Task | None = None
        self._led = False  # since the reader last looked
        self.flush_follows = False
        self._patience = Patience()

    # ---- life
    def attach(self, connection: Wire, on_broken: Callable[[], None]) -> None:
        """Go on over *connection*, which has been greeted; *on_broken* is called when it has ended."""
        self._socket = connection
        self.fd = connection.fileno()
        self._on_broken = on_broken
        self._patience = Patience(real=not hasattr(current_clock(), "jump"))
        self._unsent = memoryview(b"")
        self.resting = self._idle_writer = None
        self.flush_follows = False
        self.flush()

    def broken(self, error: Exception) -> None:
        """The connection has ended by *error*; what is open waits for the next one."""
        if self.fd >= 0:
            self.detach()
            self.session.connection_lost(error)
            self._on_broken()

    def detach(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            self.fd = -1
            notify_closing(self._socket)
            self._socket.close()
            self._socket = None

    # ---- sending
    def flush_soon(self) -> None:
        """Have what is outgoing sent: now by the only caller, else together with what others ask in this turn."""
        calls = self.calls
        if self.fd < 0:
            return
        if self.resting is not None and self.leader is None and calls.open:
            self._wake_reader()
        if len(calls.open) == 1 or len(calls.outgoing) >= PORTION:
            self.flush()
        elif calls.outgoing and not self.flush_follows:
            self._wake_writer()

    def flush_now(self) -> None:
        """Have what is outgoing sent at once, and the answers read."""
        if self.resting is not None and self.leader is None:
            self._wake_reader()
        self.flush()

    def flush(self) -> None:
        """Send all that is outgoing, or leave to the writer what does not go."""
        if self._unsent or self._socket is None:
            return
        data = self.calls.data_to_send()
        if not data:
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.broken(error)
            return
        if sent != len(data):
            self._unsent = memoryview(data)[sent:]
            self._wake_writer()

    async def write(self) -> None:
        """The writer task: sends, once a turn of the loop, what callers queued, and what the socket did not take."""
        while self.fd >= 0:
            if self._unsent:
                with suppress(trio.ClosedResourceError):  # a nudge to a leader wakes us too
                    await wait_writable(self.fd)
                    self._send_rest()
            elif self.calls.outgoing and not self.flush_follows:
                self.flush()
            else:
                self._idle_writer = current_task()
                await wait_task_rescheduled(self._forget_writer)

    def _send_rest(self) -> None:
        if self._socket is not None:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent[:SEND]) :]
            except BlockingIOError:
                return
            except OSError as error:
                self.broken(error)

    def _wake_writer(self) -> None:
        if self._idle_writer is not None:
            reschedule(self._idle_writer)
            self._idle_writer = None

    def _forget_writer(self, _: RaiseCancelT) -> Abort:
        self._idle_writer = None
        return Abort.SUCCEEDED

    # ---- receiving
    def receive(self) -> int:
        """Receive once; return how many owners were told."""
        if self._socket is None:
            return 0
        try:
            data = self._socket.recv(self.session.room)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.broken(error)
            return 0
        if not data:
            self.broken(ConnectionLost("the server closed the connection"))
            return 0
        try:
            told = self.session.receive_data(data, trio.current_time())
        except KvError as error:
            self.broken(error)
            told = 0
        if self.session.draining and self.session.drained:
            self.broken(ConnectionLost("the server is going away"))
        self.on_received()
        return told

    async def read(self) -> None:
        """The reader task."""
        while self.fd >= 0:
            try:
                await wait_readable(self.fd)
            except trio.ClosedResourceError:
                continue
            told = self.receive()
            if (told == 1 or self.lone) and not self.calls.open:
                self.lone = False
                await self._rest()
            elif told:
                self.flush_follows = True
                await cancel_shielded_checkpoint()
                if (
                    len(self.calls.outgoing) < told
                ):  # the loop runs its turns in any order: the owners may come after us
                    await cancel_shielded_checkpoint()
                self.flush_follows = False
                self.flush()
            elif self.calls.outgoing:
                self.flush()

    async def _rest(self) -> None:
        """Leave the socket to leaders, as long as there are any."""
        self._led = True
        while self._led and (self.leader is not None or not self.calls.open):
            self._led = False
            with trio.move_on_after(REST_S):
                self.resting = current_task()
                await wait_task_rescheduled(self._forget_reader)
                return
            self._led = self._led or self.leader is not None

    def _wake_reader(self) -> None:
        if self.resting is not None:
            reschedule(self.resting)
            self.resting = None

    def _forget_reader(self, _: RaiseCancelT) -> Abort:
        self.resting = None
        return Abort.SUCCEEDED

    # ---- leading
    def may_lead(self, kind: int) -> bool:
        """Whether, while the reader rests, the owner of all open calls may send and read by itself; they are of
        *kind*.
        """
        return self.resting is not None and self.leader is None and kind < TAKES and self.fd >= 0

    async def lead(self, asked: Call | Group, send: Callable[[], None], leave: Callable[[], object]) -> None:
        """Send what is *asked* and read until it is answered, or the connection is not; *leave* is for an owner that
        is cancelled.
        """
        self.leader = asked
        self._led = True
        try:
            send()
            if self._patience.worth_it():
                await self._look(asked)
            while asked.awaited and self.fd >= 0:
                await wait_readable(self.fd)
                self.receive()
                self.flush()  # calls that the server wants once more
        except trio.ClosedResourceError:
            pass  # somebody else ended the connection, or the call
        except BaseException:
            leave()
            raise
        finally:
            self.leader = None
            if self.calls.open:
                self._wake_reader()

    async def _look(self, asked: Call | Group) -> None:
        """Let everybody else have a turn, then look for the reply for some microseconds without going to sleep. Those
        to many calls may take longer: then everybody has another turn in between.
        """
        now = perf_counter()
        soon, until = now + LOOK_S, now + look_s(asked.awaited)
        await checkpoint()
        while asked.awaited and self.fd >= 0:
            told = self.receive()
            self.flush()  # calls that the server wants once more
            if not told:
                now = perf_counter()
                if now > until:
                    self._patience.miss()
                    return
                if now > soon:
                    await checkpoint()
                    soon = perf_counter() + LOOK_S
        self._patience.hit()

    def nudge_leader(self) -> None:
        """Have a leader look up whose calls are done, though not by its own reading."""
        if self.leader is not None and not self.leader.awaited and self.fd >= 0:
            notify_closing(self.fd)

"""One connection for all threads: whoever waits and finds nobody reading *leads*, and reads for everybody.

The leader takes every reply that comes, wakes whose it is, and when its own wait is over hands on to somebody who still
waits. All others sleep. Everybody sends for himself. One mutex guards session, socket and these roles; nobody who holds
it waits for anything. So a thread that is alone sends once and receives once, and no other thread has a part in it.

A connection that is lost is replaced by the leader, on its own time. A socket that others have given up is closed by
the leader, which may still be reading from it.
"""

from __future__ import annotations

import random
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from os import getpid
from socket import MSG_DONTWAIT
from threading import Event, RLock
from time import monotonic
from typing import Any, Final

from kv_client._core.backoff import Backoff
from kv_client._core.call import DONE
from kv_client._core.opening import FINAL, not_connected
from kv_client._core.session import Session
from kv_client.sync._dialling import prepared
from kv_client.sync._waiting import ParkedCall, Spot, Waiter, nudge, park
from kv_protocol.errors import ConnectionLost, KvError

__all__ = ["RECEIVE", "Leading"]

RECEIVE: Final = 65_536
SLICE_S: Final = 1.0  # nobody sleeps longer without a look around
NOTHING_YET: Final = BlockingIOError()


class Leading:
    """The connection that a session is on now, if any, and who reads it."""

    def __init__(
        self, session: Session, timeout: float | None, dial: Callable[[float], socket.socket], connect_timeout: float
    ) -> None:
        self.session = session
        self.calls = session.calls
        self.mutex = RLock()
        self.slice = SLICE_S if timeout is None else max(0.1, min(SLICE_S, timeout / 2))
        self.wake_at = inf
        self.socket: socket.socket | None = None
        self.leader: Spot | None = None
        self.led_at = 0.0  # when the leader last looked around
        self.crowd: deque[Waiter] = deque()
        self.tells: deque[tuple[Callable[[Any], None], Any]] = deque()
        self.home = 0  # the process that has opened it
        self._dial = dial
        self._connect_timeout = connect_timeout
        self._backoff = Backoff(random.Random())
        self._answered = 0
        self._parked: dict[Spot, None] = {}
        self._unsent: bytes | memoryview = b""
        self._writing = False  # somebody who does not lead waits to send the rest
        self._ended: list[socket.socket] = []
        self._closing = Event()

    # ---- waiting
    def wait(self, spot: Spot) -> None:
        """Wait until *spot* is woken, or, unless it is a call, its deadline has come; lead if nobody does."""
        self.check_process()
        try:
            while not self._waited(spot):
                if self.tells:
                    self.quit(spot)
                    self.tell()
        except BaseException:
            self.quit(spot)
            raise
        if self.tells:
            self.tell()

    def check_process(self) -> None:
        """Raise in a fork, where whoever else held the mutex is not."""
        if getpid() != self.home:
            raise RuntimeError("this client belongs to another process: open one here")

    def quit(self, spot: Spot) -> None:
        """The owner of *spot* waits no more."""
        with self.mutex:
            spot.lock = None
            self._parked.pop(spot, None)
            if self.leader is spot:
                self.step_down()

    def _waited(self, spot: Spot) -> bool:
        """Wait once; whether it is over."""
        lock, write = None, False
        with self.mutex:
            spot.lock = None
            self._parked.pop(spot, None)
            now = monotonic()
            if self.leader is None or now > self.led_at + self._connect_timeout + 3 * SLICE_S:
                self._lead_from_now(spot)
            leads = self.leader is spot
            if not spot.woken and now >= spot.deadline:
                self.tick(now, reads=leads)
                if not isinstance(spot, ParkedCall):
                    self.quit(spot)
                    return True
            if spot.woken:
                if leads:
                    self.step_down()
                return True
            if not leads:
                self.flush()
                write = bool(self._unsent) and not self._writing
                if write:
                    self._writing = True
                else:
                    lock = park(spot)
                    self._parked[spot] = None
        left = min(SLICE_S, max(0.0, spot.deadline - now))
        if lock is not None:
            lock.acquire(True, left)
        elif write:
            self._write(left)
        else:
            self._lead(spot)
        return False

    def _lead_from_now(self, spot: Spot) -> None:
        """Lead, although another one may have been interrupted so badly that it never stepped down."""
        if self.leader is not None:
            self.broken(ConnectionLost("nobody has read it for long"))
        self.leader = spot
        self.led_at = monotonic()

    def step_down(self) -> None:
        """Leave the lead to somebody who waits. The mutex is held."""
        self.leader = None
        for spot in self._parked:
            if spot.lock is not None:
                self.leader = spot
                nudge(spot)
                break
        while self._ended:
            self._ended.pop().close()

    def tell(self) -> None:
        """Call what is to be called without the mutex, by somebody who does not lead."""
        while self.tells:
            with suppress(IndexError):  # another thread was faster
                function, what = self.tells.popleft()
                function(what)

    # ---- leading
    def _lead(self, spot: Spot) -> None:
        """Send and read until *spot* is woken, its deadline has come, or somebody is to be told something."""
        while True:
            with self.mutex:
                if self.leader is not spot:
                    return
                now = self.led_at = monotonic()
                if now >= self.wake_at:
                    self.tick(now, reads=True)
                if spot.woken or now >= spot.deadline or self.tells or self.session.closed is not None:
                    return
                self.flush()
                connection, unsent = self.socket, bool(self._unsent)
                left = min(self.slice, min(spot.deadline, self.wake_at) - now)
                while self._ended:
                    self._ended.pop().close()
            if connection is None:
                self._connect(spot)
            else:
                data = self._receive(connection, left, unsent)
                self.received(connection, data)

    def _receive(self, connection: socket.socket, left: float, unsent: bool) -> bytes | OSError:
        """Receive once, if anything comes; come back early if more can be sent."""
        try:
            if unsent or left < self.slice:
                poll = select.poll()
                poll.register(connection, select.POLLIN | (select.POLLOUT if unsent else 0))
                events = poll.poll(max(0.0, left) * 1000 + 1)
                if not events or not events[0][1] & ~select.POLLOUT:
                    return NOTHING_YET
            return connection.recv(RECEIVE)
        except OSError as error:
            return error

    def received(self, connection: socket.socket, data: bytes | OSError) -> None:
        """The leader has received *data* from *connection*."""
        with self.mutex:
            if connection is not self.socket:
                return
            if isinstance(data, bytes):
                self.take(data)
            elif not isinstance(data, BlockingIOError):
                self.broken(data)

    def take(self, data: bytes) -> None:
        """Have the session take what came. The mutex is held, and the connection is the one that there is."""
        if not data:
            self.broken(ConnectionLost("the server closed the connection"))
            return
        try:
            self.session.receive_data(data, monotonic())
        except KvError as error:
            self.broken(error)
        except BaseException as error:  # a signal's: somebody's reply may have been lost on the way
            self.broken(ConnectionLost(f"interrupted by {error!r}"))
            self._miss_none()
            raise
        if self.session.draining and self.session.drained:
            self.broken(ConnectionLost("the server is going away"))
        if self.crowd:
            self.make_way()

    def _miss_none(self) -> None:
        """Wake who waits for a call that is open no more."""
        for spot in list(self._parked):
            if isinstance(spot, ParkedCall) and not spot.woken and self.calls.open.get(spot.id) is not spot:
                if spot.state != DONE:
                    spot.state = DONE
                    spot.error = ConnectionLost(f"{spot.word}: its reply was lost", maybe_applied=True)
                spot.wake()

    # ---- sending
    def flush(self) -> bool:
        """Send what is outgoing, as far as it goes at once; whether that was all. The mutex is held."""
        connection = self.socket
        if connection is None:
            return False
        data: bytes | memoryview = b""
        try:
            while data := self._unsent or self.calls.data_to_send():
                sent = connection.send(data, MSG_DONTWAIT)
                self._unsent = b"" if sent == len(data) else memoryview(data)[sent:]
        except BlockingIOError:
            self._unsent = data
            return False
        except OSError as error:
            self.broken(error)
            return False
        except BaseException as error:  # a signal's: nobody knows what was sent
            self.broken(ConnectionLost(f"interrupted by {error!r}"))
            raise
        return True

    def _write(self, left: float) -> None:
        """Wait until more can be sent, while another one reads."""
        connection = self.socket
        try:
            if connection is not None:
                poll = select.poll()
                with suppress(ValueError, OSError):  # it was closed meanwhile
                    poll.register(connection, select.POLLOUT)
                    poll.poll(left * 1000 + 1)
        finally:
            self._writing = False

    # ---- time
    def tick(self, now: float, *, reads: bool) -> None:
        """Do what is due; who *reads* takes first what has come, or the server may seem silent. The mutex is held."""
        if reads and self.socket is not None:
            try:
                data: bytes | OSError = self.socket.recv(RECEIVE, MSG_DONTWAIT)
            except OSError as error:
                data = error
            self.received(self.socket, data)
        reason = self.session.tick(now)
        if reason is not None:
            self.broken(ConnectionLost(reason))
        self.flush()
        self.make_way()
        self.wake_at = self.session.next_wake()

    def make_way(self) -> None:
        """Let in who waits in line, as far as there is room. The mutex is held."""
        if self.crowd:
            for _ in range(min(self.calls.room, len(self.crowd))):
                self.crowd.popleft().wake()

    # ---- connections
    def broken(self, error: Exception) -> None:
        """The connection has ended by *error*; what is open waits for the next one. The mutex is held."""
        if self.socket is not None:
            self._drop()
            self.session.connection_lost(error)
            self._backoff.lost(monotonic(), useful=self.session.answered > self._answered)

    def _drop(self) -> None:
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self._ended.append(self.socket)
            self.socket, self._unsent = None, b""

    def _connect(self, spot: Spot) -> None:
        """One try to connect, in the time that the leader has."""
        delay = self._backoff.next_delay()
        if delay:
            self._closing.wait(max(0.0, min(delay, spot.deadline - monotonic())))
        until = min(monotonic() + self._connect_timeout, spot.deadline)
        before = self.session.trouble
        try:
            self._greet(spot, self._dial(max(0.001, until - monotonic())), until)
            return
        except OSError as error:
            trouble: Exception = error
            if isinstance(error, TimeoutError):
                trouble = TimeoutError(f"no answer within {self._connect_timeout:g} s")
        except KvError as error:
            if isinstance(error, FINAL):
                self.close(error)
                return
            trouble = error
        tries = self._backoff.tries
        with self.mutex:
            if isinstance(trouble, TimeoutError) and until == spot.deadline and tries > 1:
                self.session.trouble = before  # what a try said that had all its time
            else:
                self._lost(spot, not_connected(tries, trouble))

    def _lost(self, spot: Spot, error: ConnectionLost) -> None:
        """What the owner of *spot* began has failed, unless another one leads by now. The mutex is held."""
        if self.leader is spot:
            self.session.connection_lost(error)

    def _greet(self, spot: Spot, connection: socket.socket, until: float) -> None:
        """Say HELLO on *connection*, and go on over it when that is answered."""
        try:
            login = self.session.login.options()
            with self.mutex:
                hello = self.session.connection_made(monotonic(), login)
            connection.settimeout(max(0.001, until - monotonic()))
            connection.sendall(hello)
            while not self.session.ready:
                connection.settimeout(max(0.001, until - monotonic()))
                try:
                    data = connection.recv(RECEIVE)
                except BlockingIOError:  # of TLS: something has come, but no whole record of ours
                    continue
                if not data:
                    raise ConnectionError("the server closed the connection before it answered HELLO")
                with self.mutex:
                    if self.leader is not spot:
                        raise ConnectionError("it took too long: another one connects")
                    self.session.receive_data(data, monotonic())
            prepared(connection, self.slice)
        except BaseException:
            connection.close()
            with self.mutex:
                self._lost(spot, ConnectionLost("not connected yet"))
            raise
        with self.mutex:
            if self.session.closed is not None or self.leader is not spot:
                connection.close()
                self._lost(spot, ConnectionLost("the client is closed"))
                return
            now = monotonic()
            self.socket = connection
            self._backoff.opened(now)
            self._answered = self.session.answered
            self.wake_at = self.session.next_wake()
            self.flush()

    def close(self, error: KvError | None = None) -> None:
        """Fail everything that is open, and everything that comes. What is outgoing still leaves, if it can at once."""
        with self.mutex:
            self.flush()
            self.session.close(error)
            while self.crowd:
                self.crowd.popleft().wake()
            self._drop()
            if self.leader is None:
                self.step_down()
        self._closing.set()

    def abandon(self) -> None:
        """Another process goes on with the connection: give up this one's share of it."""
        for connection in (self.socket, *self._ended):
            if connection is not None:
                connection.close()

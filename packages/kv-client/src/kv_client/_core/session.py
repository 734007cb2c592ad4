"""One client's dialogue with the server, over as many connections as it takes: answers, cancellation, time,
reconnection.

A face moves bytes and time: `connection_made`, `data_to_send`, `receive_data`, `connection_lost`, and `tick` when
`next_wake` has come. `Call.wake` is called for every call that is done, in the order of the replies.

A write keeps its seq until it is answered, on every connection that resumes the session: the server applies it once.
Where the session could not be resumed, reads and what was never sent go out anew; a write that was sent fails, since
nobody can tell.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from kv_client._core.call import CHANGES, DONE, NOTE, QUEUED, SENT, TAKES, WAITS, Call
from kv_client._core.calls import Calls, Measurement
from kv_client._core.failures import failure
from kv_client._core.handshake import HELLO_ID, Welcome, hello, welcome
from kv_client._core.leases import LeaseBook
from kv_client._core.liveness import Liveness, Pulse
from kv_client._core.login import Login
from kv_protocol.codec import ReplyReader
from kv_protocol.errors import (
    Busy,
    CallCancelled,
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    DeadlineExceeded,
    KvError,
    ProtocolError,
    ShuttingDown,
)
from kv_protocol.frames import pack
from kv_protocol.limits import MAX_ANSWER_BYTES, MAX_ANSWERS, MAX_FRAME, MAX_HELLO_FRAME
from kv_protocol.messages import FAILED, MORE, OK
from kv_protocol.names import text, wire

__all__ = ["RECEIVE", "Session"]

CANCEL_S: Final = 1.0  # for the answer to a CANCEL
DRAIN_S: Final = 5.0  # for the open calls of a server that goes away
MAX_STRIKES: Final = 3  # connections that may break over the same call
LONG_AGO: Final = -1e9

RECEIVE: Final = 16_384  # some hundred replies: waking more at once would have the collector look at all their tasks
LARGE: Final = 262_144  # where few replies fill that
FEW: Final = 16

MEASURE_S: Final = 60.0  # between two looks at the server's clock

BY_OWNER: Final = 1
BY_TIME: Final = 2


class Session:
    """The calls of one client and the connection they are on."""

    def __init__(self, *, name: str | None, namespace: str, place: str, login: Login | None = None) -> None:
        self.login = login or Login(None, None, None)
        self.name = name
        self.namespace = namespace
        self.place = place
        self.trouble = f"{place}: not connected yet"
        self.closed: KvError | None = None
        self.ready = False
        self.draining = False
        self.calls = Calls()
        self.leases = LeaseBook()
        self.liveness = Liveness()
        self.welcome: Welcome | None = None
        self.answered = self.repeated = self.connections = 0
        self.room = RECEIVE
        self._reader = ReplyReader(MAX_HELLO_FRAME)
        self._greeted_at = 0.0
        self._drain_until = inf
        self._measure_at = inf

    # ---- calls
    def start(self, call: Call) -> None:
        """Take *call* in. Raises what is wrong with it, or that the client is closed; then it was not taken."""
        if self.closed is not None:
            raise self.refusal()
        self.calls.start(call)

    def end(self, call: Call, now: float, by: int = BY_OWNER) -> bool:
        """The owner of *call* wants out. True: it is out, and not woken. False: `wake` comes, within a second."""
        calls = self.calls
        if call.state == DONE or call.ending:
            return False
        if call.kind & TAKES and (call.state == SENT or call.repeated):
            call.ending = by
            call.deadline = now + CANCEL_S
            if self.ready:
                self.note("CANCEL", call.id)
            return False
        if call.state == QUEUED or not self.ready:
            calls.drop(call)
            return True
        if call.kind & WAITS:
            self.note("CANCEL", call.id)
        calls.leave(call)
        return True

    def note(self, word: str, *args: object) -> None:
        """Say something about this connection whose answer interests nobody."""
        self.calls.start(Call(word, args, None, NOTE))

    def measure(self, now: float) -> None:
        """Look at the server's clock, and whether it answers."""
        self._measure_at = now + MEASURE_S
        self.calls.start(Measurement(self.calls, now))

    def distrust_clock(self, now: float) -> None:
        """A call was refused as too late although it was not: say no deadlines until the clock is known again."""
        self.calls.clock.forget()
        if self.ready:
            self.measure(now)

    def close(self, error: KvError | None = None) -> None:
        """End everything: every open call fails, and so does every later one."""
        if self.closed is not None:
            return
        self.closed = error or ClientClosed("the client is closed: use it inside the block of `connect(...)`")
        self.ready = False
        for call in self.calls.stop():
            if call.kind & CHANGES and (call.state == SENT or call.repeated):
                self.calls.fail(call, ConnectionLost(f"{call.word}: {self.closed}", maybe_applied=True))
            else:
                self.calls.fail(call, self.refusal())

    def refusal(self) -> KvError:
        """What every call gets from here on."""
        assert self.closed is not None
        return type(self.closed)(self.closed.message, self.closed.details)

    # ---- the connection
    def connection_made(self, now: float, login: Mapping[str, bytes] | None = None) -> bytes:
        """Begin with a new connection; return what opens it. *login* is what `login` says, if that was asked already.

        Raises `ConnectionLost` if that does not know.
        """
        login = self.login.options() if login is None else login
        self._reader = ReplyReader(MAX_HELLO_FRAME)
        self._greeted_at = now
        secret = self.welcome.session if self.welcome is not None else None
        return pack(hello(name=self.name, namespace=wire(self.namespace), session=secret, login=login))

    def connection_lost(self, error: Exception) -> None:
        """The connection ended by *error*; what is open waits for the next one."""
        self.trouble = f"{self.place}: {error}"
        broken = self.ready and isinstance(error, ProtocolError)
        self.ready = self.draining = False
        self._drain_until = self._measure_at = inf
        self.liveness.stop()
        for call in self.calls.stop():
            if broken and call.state == SENT:
                call.strikes += 1
                if call.strikes >= MAX_STRIKES:
                    self.calls.fail(call, ProtocolError(f"{call.word}: {error}"))

    def receive_data(self, data: bytes, now: float) -> int:
        """Take what came; return how many owners were told. `room` is what to take at most the next time.

        Raises `KvError` if the connection must end.
        """
        calls = self.calls
        calls.now = now
        replies = self._reader.replies(data)
        end = len(replies)
        told = place = 0
        while True:
            settled = calls.settle(replies, place)
            told += (settled - place) // 3
            if settled == end:
                break
            place = settled + 3
            told += self._unusual(replies[settled], replies[settled + 1], replies[settled + 2], now)
        self.answered += told
        self.room = LARGE if told < FEW and len(data) >= self.room else RECEIVE
        self.liveness.hear(now)
        if self._reader.failure is not None:
            raise ProtocolError(str(self._reader.failure))
        return told

    def _unusual(self, number: int, status: int, result: Any, now: float) -> int:
        if number == 0:
            self._pushed(status, result, now)
            return 0
        if not self.ready and number == HELLO_ID:
            self._greeted(status, result, now)
            return 0
        call = self.calls.open.get(number)
        if call is None or status not in (MORE, FAILED):
            raise ProtocolError(f"a reply of status {status!r} to the request {number!r}")
        if status == MORE:
            call.event(result)
        elif call is self.calls.late:
            del self.calls.open[number]
            call.wake()
        else:
            return self._failed(call, failure(result), now)
        return 1

    def _failed(self, call: Call, error: KvError, now: float) -> int:
        if not call.ending and not call.kind & NOTE:
            if isinstance(error, ShuttingDown):
                self._drain(now)
                call.state = QUEUED
                return 0
            if isinstance(error, Busy) and call.seq and error.details.get("limit") in (MAX_ANSWERS, MAX_ANSWER_BYTES):
                self.calls.again(call, tell_seen=True)
                return 0
            if isinstance(error, DeadlineExceeded) and now < call.latest:
                if self.calls.clock.known:
                    self.distrust_clock(now)
                self.calls.again(call)
                return 0
        if call.ending == BY_TIME and isinstance(error, CallCancelled | DeadlineExceeded):
            error = CallTimeout(f"{call.word} had no answer in time; it was not applied")
        self.calls.fail(call, error)
        return 1

    def _pushed(self, status: int, result: Any, now: float) -> None:
        if status == FAILED:
            raise failure(result)
        match result:
            case ["GOAWAY", *_]:
                self._drain(now)
            case ["LOCK_LOST", namespace, lock, int(token), str(reason)]:
                self.leases.pushed(text(namespace), text(lock), token, reason)
            case [str(), *_]:
                return
            case _:
                raise ProtocolError("a message about the connection that has no kind")

    def _drain(self, now: float) -> None:
        if not self.draining:
            self.draining = True
            self.calls.sending = False
            self._drain_until = now + DRAIN_S

    def _greeted(self, status: int, result: Any, now: float) -> None:
        if status != OK:
            raise failure(result)
        greeting = welcome(result)
        before, self.welcome = self.welcome, greeting
        same_server = before is not None and before.epoch == greeting.epoch
        if not same_server:
            self.calls.clock.forget()
            self.leases.restarted()
        self.calls.clock.measure(self._greeted_at, now, greeting.clock_ms)
        self._reader.max_frame = MAX_FRAME
        self.calls.max_frame = greeting.max_frame
        self.liveness.begin(now)
        self._measure_at = now + MEASURE_S
        self.ready = self.calls.sending = True
        self.connections += 1
        self._repeat(resumed=greeting.resumed)
        self.leases.reconnected(now)

    def _repeat(self, *, resumed: bool) -> None:
        """Send what is open on the new connection, as far as that is safe.

        What is to end is sent too late on purpose: its answer is the one it had before, or that it was not applied.
        """
        calls = self.calls
        if not resumed:
            calls.writes.restart()
        for call in sorted(calls.open.values(), key=lambda call: call.order):
            if call.ending:
                if not resumed:
                    self._give_up(call)
                    continue
                call.latest = LONG_AGO
            if not resumed:
                if call.kind & CHANGES and (call.state == SENT or call.repeated):
                    what = f"{call.word}: the connection was lost before the answer came, and the session with it"
                    calls.fail(call, ConnectionLost(what, maybe_applied=True))
                    continue
                call.seq = 0
            if call.state == SENT:
                self.repeated += 1
            try:
                calls.again(call)
            except KvError as error:  # this server takes less than the last one
                calls.fail(call, error)

    # ---- time
    def next_wake(self) -> float:
        """When `tick` next has something to do."""
        first = min((call.deadline for call in self.calls.open.values()), default=inf)
        return min(
            first,
            self.liveness.next_wake(),
            self.leases.next_wake(self.liveness.heard, renew=self.ready),
            self._drain_until,
            self._measure_at,
        )

    def tick(self, now: float) -> str | None:
        """Do what is due. A text says why the connection is to be given up."""
        self.leases.expire(now)
        in_doubt = False
        for call in [call for call in self.calls.open.values() if call.deadline <= now]:
            if call.ending:
                in_doubt = True
                self._give_up(call)
            else:
                self._time_out(call, now)
        if in_doubt and self.ready:
            return "a CANCEL had no answer for a second"
        if self.drained or now >= self._drain_until:
            return "the server is going away"
        if not self.ready:
            return None
        pulse = self.liveness.look(now)
        if pulse is Pulse.DEAD or self.leases.overdue(now, self.liveness.heard):
            return "the server has been silent for too long"
        if pulse is Pulse.ASK or now >= self._measure_at:
            self.measure(now)
        for renewal in self.leases.due(now, self.namespace):
            self.calls.start(renewal)
        return None

    @property
    def drained(self) -> bool:
        """Whether the server goes away and owes no more answers."""
        return self.draining and all(call.state != SENT or call.kind & NOTE for call in self.calls.open.values())

    def _time_out(self, call: Call, now: float) -> None:
        sent = call.state == SENT or call.repeated
        maybe_applied = sent and bool(call.kind & CHANGES)
        if self.end(call, now, BY_TIME):
            error: KvError
            if self.ready:
                error = CallTimeout(f"{call.word} had no answer in time", maybe_applied=maybe_applied)
            else:
                error = ConnectionLost(f"{call.word}: {self.trouble}", maybe_applied=maybe_applied)
            call.error = error
            call.wake()

    def _give_up(self, call: Call) -> None:
        """Nobody can tell any more what became of *call*, whose end was asked for."""
        if call.ending == BY_TIME:
            error: KvError = CallTimeout(f"{call.word} had no answer in time", maybe_applied=bool(call.kind & CHANGES))
        else:
            error = CallCancelled(f"{call.word} was cancelled, and the connection lost before the server's word on it")
        self.calls.fail(call, error)

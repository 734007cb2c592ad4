"""The open calls of a client: their ids and seq numbers, their frames, what of them is to be sent."""

from collections.abc import Sequence
from math import inf
from typing import Any, Final

from kv_client._core.call import CHANGES, DONE, NOTE, QUEUED, SENT, WAITS, Call
from kv_client._core.clock import ServerClock
from kv_client._core.handshake import HELLO_ID
from kv_client._core.tracing import Tracing
from kv_client._core.writes import Writes
from kv_protocol.codec import RequestPacker
from kv_protocol.errors import InvalidArgument, KvError, TooLarge
from kv_protocol.frames import HEAD
from kv_protocol.limits import MAX_FRAME, MIB
from kv_protocol.messages import OK
from kv_protocol.names import wire

__all__ = ["MAX_BYTES", "MAX_CALLS", "Calls", "Late", "Measurement"]

MAX_CALLS: Final = 8_192  # with what a waiting call may hold back, still fewer than the answers a server keeps
MAX_BYTES: Final = 64 * MIB
MAX_ID: Final = 2**32 - 1


class Late(Call):
    """Stands for every call whose owner has left after it was sent: its id is taken until the late reply has come."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        super().__init__("", (), None, NOTE)
        self.size = self.count = 0
        self.state = DONE

    def wake(self) -> None:
        self.count += 1
        self.body = None

    def event(self, body: object) -> None:
        """An event that was on its way when its subscription ended."""


class Measurement(Call):
    """A look at the server's clock."""

    __slots__ = ("calls", "since")

    def __init__(self, calls: "Calls", now: float) -> None:
        super().__init__("TIME", (), None, NOTE)
        self.calls = calls
        self.since = now

    def wake(self) -> None:
        if type(self.body) is list and len(self.body) == 2 and type(self.body[1]) is int:
            self.calls.clock.measure(self.since, self.calls.now, self.body[1])


class Calls:
    """Every call that is not done, by id and in the order in which they were made."""

    __slots__ = (
        "_frame",
        "_order",
        "clock",
        "late",
        "max_frame",
        "now",
        "open",
        "outgoing",
        "sending",
        "sent",
        "size",
        "tracing",
        "waiting",
        "writes",
    )

    def __init__(self) -> None:
        self.open: dict[int, Call] = {}
        self.outgoing: list[Call] = []
        self.sending = False
        self.waiting = 0
        self.size = 0
        self.sent = 0
        self.late = Late()
        self.now = 0.0  # when something last came
        self.clock = ServerClock()
        self.writes = Writes()
        self.max_frame = MAX_FRAME
        self.tracing: Tracing | None = None
        self._order = HELLO_ID
        self._frame = RequestPacker().pack

    @property
    def crowded(self) -> bool:
        """Whether new calls should wait until others are answered."""
        return len(self.open) - self.waiting >= MAX_CALLS or self.size >= MAX_BYTES

    @property
    def room(self) -> int:
        """How many calls may come in before it is crowded."""
        return 0 if self.size >= MAX_BYTES else max(0, MAX_CALLS - len(self.open) + self.waiting)

    def start(self, call: Call) -> None:
        """Take *call* in. Raises what is wrong with it; then it was not taken."""
        order = self._order + 1
        if order > MAX_ID:
            while order % MAX_ID + 1 in self.open:
                order += 1
            call.id = order % MAX_ID + 1
        else:
            call.id = order
        self._order = call.order = order
        if call.kind & CHANGES:
            call.seq = self.writes.next_seq
        if self.tracing is not None:
            call.trace = self.tracing.of(call)
        self._pack(call, False)
        if call.seq:
            self.writes.enter(call)
        self.open[call.id] = call
        self.size += call.size
        if call.kind & WAITS:
            self.waiting += 1
        if self.sending or call.kind & NOTE:
            self.outgoing.append(call)

    def start_all(self, calls: Sequence[Call], deadline: float, latest: float) -> None:
        """Take *calls* in; one that has something wrong with it is done, and says what."""
        for call in calls:
            call.deadline = deadline
            call.latest = latest
            try:
                self.start(call)
            except KvError as error:
                call.state, call.error = DONE, error
                call.wake()

    def again(self, call: Call, *, tell_seen: bool = False) -> None:
        """Queue *call*, which is open, once more; a write without seq gets its own."""
        if call.kind & CHANGES and not call.seq:
            call.seq = self.writes.next_seq
            self.writes.enter(call)
        self.size -= call.size
        call.size = 0
        call.repeated = call.repeated or call.state == SENT
        call.state = QUEUED
        call.repeat()
        self._pack(call, tell_seen)
        self.size += call.size
        self.outgoing.append(call)

    def drop(self, call: Call) -> None:
        """*call* is over."""
        call.state = DONE
        del self.open[call.id]
        self.size -= call.size
        if call.kind & WAITS:
            self.waiting -= 1

    def leave(self, call: Call) -> None:
        """*call*, which was sent, is over for its owner; its reply will find nobody."""
        self.drop(call)
        self.open[call.id] = self.late

    def fail(self, call: Call, error: KvError) -> None:
        """*call* is over with *error*."""
        self.drop(call)
        call.error = error
        call.wake()

    def stop(self) -> list[Call]:
        """There is no connection: forget what was about it alone; return the other calls, in their order."""
        self.sending = False
        self.outgoing = []
        for number, call in list(self.open.items()):
            if call is self.late:
                del self.open[number]
            elif call.kind & NOTE:
                self.drop(call)
        return sorted(self.open.values(), key=lambda call: call.order)

    def data_to_send(self) -> bytes:
        """What is to be sent now; from here on it counts as sent."""
        calls = self.outgoing
        if not calls:
            return b""
        self.outgoing = []
        if len(calls) == 1 and calls[0].state == QUEUED:
            calls[0].state = SENT
            self.sent += 1
            return calls[0].frame
        frames = []
        for call in calls:
            if call.state == QUEUED:
                call.state = SENT
                frames.append(call.frame)
        self.sent += len(frames)
        return b"".join(frames)

    def settle(self, replies: list[Any], place: int) -> int:
        """End the calls that *replies* answer, from *place* on, up to a reply that does more; return its place."""
        calls = self.open
        end = len(replies)
        while place < end:
            if replies[place + 1] != OK:
                break
            call = calls.pop(replies[place], None)
            if call is None:
                break
            call.state = DONE
            call.body = replies[place + 2]
            place += 3
            self.size -= call.size
            if call.kind & WAITS:
                self.waiting -= 1
            if call.group is None:
                call.wake()
            else:
                call.group.answered()
        return place

    def _pack(self, call: Call, tell_seen: bool) -> None:
        latest, seq, fence = call.latest, call.seq, call.fence
        deadline = self.clock.stamp(latest) if latest != inf and self.clock.known else None
        seen = self.writes.to_tell(seq, tell_seen) if seq else None
        held = None if fence is None else (wire(fence.lock), fence.token)
        trace = None if self.tracing is None else call.trace
        try:
            call.frame = frame = self._frame(
                call.id, call.word, call.args, call.options, deadline, seq, seen, call.namespace, held, trace
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidArgument(f"{call.word}: {error}") from None
        if len(frame) - HEAD > self.max_frame:
            limit = self.max_frame
            what = f"{call.word}: a request of {len(frame) - HEAD} bytes; the server takes {limit}"
            raise TooLarge(what, {"limit": limit})
        call.size = len(frame)

"""Calls whose replies come later: one that waits to be run again, and a subscription with the events it is owed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from kv_protocol.errors import Busy
from kv_protocol.limits import MAX_EVENT_BYTES, MAX_EVENTS, MAX_PARKED_BYTES
from kv_protocol.types import Change, Message
from kv_server.engine.session import Outbox, Session
from kv_server.model.steps import Steps
from kv_server.spec.command import Command, Flag, Named

__all__ = ["Alarm", "Expecting", "Listener", "Owed", "Parked", "Subscription", "Unfinished", "WouldBlock"]

_EVENT_BYTES: Final = 300  # measured: what an event costs beside its value
_LIGHT: Final = 4_096  # calls with arguments of so many bytes are bounded by their number


class WouldBlock(Exception):
    """Raised by a command that cannot go on now: park it on *names* of *room* for *wait_ms* (None: no bound).

    *otherwise* is what its caller gets when the time is over: an error to raise, or a reply. What it found at its first
    try and must know at the next is *kept*: it is `tx.kept` then. Who waits with an equal *kin* wants the same: where
    one goes on waiting, so do those behind it; by default these are the commands of one group. In *turn_ms*, if not
    before, it is worth another try even if nothing was touched.
    """

    def __init__(
        self,
        room: int,
        names: Iterable[bytes],
        wait_ms: int | None,
        otherwise: object,
        *,
        kept: object = None,
        kin: object = None,
        turn_ms: int | None = None,
    ) -> None:
        super().__init__("the call would wait")
        self.kept = kept
        self.kin = kin
        self.turn_ms = turn_ms
        self.room = room
        self.names = tuple(names)
        self.wait_ms = wait_ms
        self.otherwise = otherwise


class Unfinished(Exception):
    """Raised by a command that has more to work out than others should wait for. The caller does the *steps* between
    rounds, and then runs the call again with this as `tx.work`.
    """

    def __init__(self, steps: Steps[Any]) -> None:
        super().__init__("the call goes on later")
        self.steps = steps
        self.made: Any = None
        self.error: Exception | None = None
        self.spent_s = 0.0

    def go_on(self, timer: Callable[[], float], slice_s: float) -> bool:
        """Work for a slice of time; True once all is done, or has failed."""
        self.__traceback__ = None
        began = now = timer()
        try:
            while now - began < slice_s:
                next(self.steps)
                now = timer()
        except StopIteration as done:
            self.made = done.value
        except Exception as error:
            self.error = error
        else:
            self.spent_s += now - began
            return False
        self.spent_s += timer() - began
        return True

    def result(self) -> Any:
        """What was made."""
        if self.error is not None:
            raise self.error
        return self.made


class Alarm:
    """Something to be done at a time, unless it is called off."""

    __slots__ = ("pending", "ring")

    def __init__(self, ring: Callable[[], None]) -> None:
        self.ring = ring
        self.pending = True


class Expecting:
    """A call that waits for something outside of the store."""

    __slots__ = ("outbox", "request_id", "session")

    def __init__(self, session: Session, request_id: int) -> None:
        assert session.outbox is not None
        self.session = session
        self.outbox: Outbox = session.outbox
        self.request_id = request_id


def weigh(args: list[Any]) -> int:
    """About how many bytes the arguments of a call take."""
    return sum(weigh(each) if type(each) is list else len(each) if type(each) is bytes else 0 for each in args)


def check_weight(call: Parked) -> None:
    """Refuse to keep a call where too many heavy ones wait for its connection already."""
    if call.size > _LIGHT:
        held = sum(other.size for other in call.session.waiting.values() if isinstance(other, (Parked, Owed)))
        if held + call.size > MAX_PARKED_BYTES:
            raise Busy(
                f"the calls that wait on this connection would hold more than {MAX_PARKED_BYTES >> 20} MiB: end some",
                {"limit": MAX_PARKED_BYTES},
            )


class Parked:
    """A call that waits, with all it needs to run again."""

    __slots__ = (
        "args", "command", "fence", "kept", "kin", "namespace", "options", "outbox", "places", "request_id", "seq",
        "session", "size",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        request_id: int,
        command: Command,
        args: list[Any],
        options: Any,
        namespace: bytes,
        seq: int | None,
        fence: list[Any] | None,
    ) -> None:
        assert session.outbox is not None
        self.session = session
        self.outbox: Outbox = session.outbox
        self.request_id = request_id
        self.command = command
        self.args = args
        self.options = options
        self.namespace = namespace
        self.seq = seq
        self.fence = fence
        self.places: list[tuple[bytes, int, bytes]] = []
        self.size = weigh(args)
        self.kept: object = None
        self.kin: object = command.group


def size_of(event: Change[bytes] | Message[bytes]) -> int:
    """About how many bytes an event takes that is kept."""
    return _EVENT_BYTES + (len(event.value) if type(event.value) is bytes else 0)


class Owed:
    """Events that one call of one connection is owed: what it may still be sent, what waits for that, what was lost."""

    __slots__ = ("command", "credit", "events", "gap", "outbox", "request_id", "session", "size")

    def __init__(self, session: Session, request_id: int, command: Command, credit: int) -> None:
        assert session.outbox is not None
        self.session = session
        self.command = command
        self.outbox: Outbox = session.outbox
        self.request_id = request_id
        self.credit = credit
        self.events: deque[Any] = deque()
        self.size = 0
        self.gap: Any = None

    def tell(self, event: Any) -> None:
        """Send *event* if there is credit, else keep it; the oldest kept ones give way to a gap."""
        if self.credit > 0 and not self.events and self.gap is None:
            self.credit -= 1
            self.outbox.event(self.request_id, event)
            return
        self.events.append(event)
        self.size += size_of(event)
        while len(self.events) > MAX_EVENTS or (self.size > MAX_EVENT_BYTES and len(self.events) > 1):
            oldest = self.events.popleft()
            self.size -= size_of(oldest)
            self.gap = self.gap_with(oldest)

    def gap_with(self, lost: Any) -> Any:
        """What tells that *lost*, and whatever was lost before, was left out."""
        raise NotImplementedError

    def grant(self, count: int) -> None:
        """Allow *count* more events, and send those that wait."""
        self.credit += count
        if self.gap is not None and self.credit > 0:
            gap, self.gap = self.gap, None
            self.credit -= 1
            self.outbox.event(self.request_id, gap)
        while self.events and self.credit > 0:
            self.credit -= 1
            event = self.events.popleft()
            self.size -= size_of(event)
            self.outbox.event(self.request_id, event)


class Subscription(Owed):
    """A watch of one connection, and what it covers."""

    __slots__ = ("keys", "namespace", "prefix", "values")

    def __init__(
        self,
        session: Session,
        request_id: int,
        command: Command,
        namespace: bytes,
        keys: tuple[bytes, ...],
        prefix: bytes | None,
        credit: int,
        values: bool,
    ) -> None:
        super().__init__(session, request_id, command, credit)
        self.namespace = namespace
        self.keys = keys
        self.prefix = prefix
        self.values = values

    def names(self) -> list[Named]:
        """What it covers."""
        prefix = [Named("prefix", self.prefix, Flag.READ)] if self.prefix is not None else []
        return [*(Named("key", key, Flag.READ) for key in self.keys), *prefix]

    def gap_with(self, lost: Change[bytes]) -> Change[Any]:
        since = self.gap.value if self.gap is not None else lost.revision - 1
        return Change("gap", lost.revision, None, since)


class Listener(Owed):
    """A native subscription to channels, and to all that fit *pattern*."""

    __slots__ = ("channels", "namespace", "pattern")

    def __init__(
        self,
        session: Session,
        request_id: int,
        command: Command,
        namespace: bytes,
        channels: tuple[bytes, ...],
        pattern: bytes | None,
        credit: int,
    ) -> None:
        super().__init__(session, request_id, command, credit)
        self.namespace = namespace
        self.channels = channels
        self.pattern = pattern

    def names(self) -> list[Named]:
        """What it listens to."""
        pattern = [Named("pattern", self.pattern, Flag.READ)] if self.pattern is not None else []
        return [*(Named("channel", channel, Flag.READ) for channel in self.channels), *pattern]

    def gap_with(self, lost: Message[bytes]) -> Message[Any]:
        return Message("gap", None, 1 if self.gap is None else self.gap.value + 1, None)

"""The arithmetic of a subscription: what was received and not yet taken, what the server may still send, what a
reconnection left out.
"""

from collections import deque
from math import inf
from typing import Any, Final, Generic, NamedTuple, TypeVar

from kv_client._core.call import READ, WAITS, Call, Wire
from kv_protocol.errors import ProtocolError
from kv_protocol.names import text, wire
from kv_protocol.types import Change
from kv_protocol.values import Value, decode

__all__ = ["Feed", "Gap", "Listening", "Message", "Monitoring", "SeenCall", "Subscription"]

WINDOW: Final = 256  # events that may wait here

E = TypeVar("E")


class Message(NamedTuple):
    """What was said to a channel; *pattern* is what the channel fits, if it was not asked for by its name."""

    channel: str
    value: Value
    pattern: str | None


class Gap(NamedTuple):
    """Messages, or calls, were missed here: so many, or, after a lost connection, nobody knows how many."""

    missed: int | None


class SeenCall(NamedTuple):
    """A call that somebody made: when, in seconds since 1970, in which namespace, who, and its words."""

    time: float
    namespace: str
    session: int
    address: str
    client: str
    words: list[str]


class Opening(NamedTuple):
    """The first event of a subscription, and the first after each reconnection."""

    revision: int = 0


class Feed(Call, Generic[E]):
    """A call with many replies that stays open over reconnections. `wake` and `event` tell its owner, through
    `arrived`, to look again.
    """

    __slots__ = ("_events", "_taken", "_window", "opened")

    def __init__(
        self,
        word: str,
        names: tuple[str, ...],
        options: dict[str, object],
        *,
        namespace: Wire | None,
        window: int = WINDOW,
    ) -> None:
        super().__init__(word, tuple(map(wire, names)), options | {"credit": window}, READ | WAITS, namespace=namespace)
        self._events: deque[E] = deque()
        self._window = window
        self._taken = 0
        self.opened = False

    def __len__(self) -> int:
        return len(self._events)

    def open_by(self, moment: float) -> None:
        """Give up if the subscription has not begun at *moment*."""
        self.deadline = self.latest = moment

    def repeat(self) -> None:
        """Ask for as much as there is room for."""
        assert self.options is not None
        self.options["credit"] = max(1, self._window - len(self._events))
        self._taken = 0
        self.latest = inf

    def event(self, body: Any) -> None:
        """Take one event from the server."""
        event = self.read(body)
        if len(self._events) > 2 * self._window:
            raise ProtocolError("the server sends more events than were granted")
        if not isinstance(event, Opening):
            self._events.append(event)
        else:
            self._taken += 1
            missed = self.missed(event) if self.opened else None
            if missed is not None:
                self._events.append(missed)
            self.opened = True
            self.deadline = inf
        self.note(event)
        self.arrived()

    def read(self, body: Any) -> E | Opening:
        """The event in *body*."""
        raise NotImplementedError

    def missed(self, opening: Opening) -> E | None:
        """What tells that something was missed before *opening*, with which the server began again."""
        raise NotImplementedError

    def note(self, event: E | Opening) -> None:
        """Learn from *event*, which has just come."""

    def take(self) -> E:
        """Return the oldest event."""
        self._taken += 1
        return self._events.popleft()

    def due_credit(self) -> int:
        """How many more events to grant now; nothing until half the window was taken."""
        if self._taken * 2 < self._window:
            return 0
        taken, self._taken = self._taken, 0
        return taken

    def wake(self) -> None:
        self.arrived()

    def arrived(self) -> None:
        """Tell the owner that there is something new."""


class Subscription(Feed[Change[Any]]):
    """A WATCH. *revision* is the newest one that this subscription knows everything up to."""

    __slots__ = ("revision",)

    def __init__(
        self, keys: tuple[str, ...], prefix: str | None, *, namespace: Wire | None, window: int = WINDOW
    ) -> None:
        options: dict[str, object] = {} if prefix is None else {"prefix": wire(prefix)}
        super().__init__("WATCH", keys, options, namespace=namespace, window=window)
        self.revision = 0

    def read(self, body: Any) -> Change[Any] | Opening:
        return _change(body)

    def missed(self, opening: Opening) -> Change[Any] | None:
        if opening.revision > self.revision:
            return Change("gap", opening.revision, None, self.revision)
        return None

    def note(self, event: Change[Any] | Opening) -> None:
        self.revision = max(self.revision, event.revision)


class Listening(Feed[Message | Gap]):
    """A SUBSCRIBE. Nobody knows what was said while there was no connection."""

    __slots__ = ()

    def __init__(
        self, channels: tuple[str, ...], pattern: str | None, *, namespace: Wire | None, window: int = WINDOW
    ) -> None:
        options: dict[str, object] = {} if pattern is None else {"pattern": wire(pattern)}
        super().__init__("SUBSCRIBE", channels, options, namespace=namespace, window=window)

    def read(self, body: Any) -> Message | Gap | Opening:
        return _message(body)

    def missed(self, opening: Opening) -> Gap:
        return Gap(None)


class Monitoring(Feed[SeenCall | Gap]):
    """A MONITOR. Nobody knows what was called while there was no connection."""

    __slots__ = ()

    def __init__(self, *, window: int = WINDOW) -> None:
        super().__init__("MONITOR", (), {}, namespace=None, window=window)

    def read(self, body: Any) -> SeenCall | Gap | Opening:
        return _seen(body)

    def missed(self, opening: Opening) -> Gap:
        return Gap(None)


def _change(body: Any) -> Change[Any] | Opening:
    try:
        kind, revision, key, value = body
        if type(kind) is not str or type(revision) is not int:
            raise ProtocolError("an event of another form")
        if kind == "open":
            return Opening(revision)
        if kind != "gap" and value is not None:
            value = decode(value)
        return Change(kind, revision, None if key is None else text(key), value)
    except (TypeError, ValueError):
        raise ProtocolError("an event of another form") from None


def _message(body: Any) -> Message | Gap | Opening:
    match body:
        case ["open", *_]:
            return Opening()
        case ["gap", None, int(missed), *_]:
            return Gap(missed)
        case ["message", str() | bytes() as channel, bytes(value), pattern]:
            return Message(text(channel), decode(value), None if pattern is None else text(pattern))
    raise ProtocolError("an event of another form")


def _seen(body: Any) -> SeenCall | Gap | Opening:
    match body:
        case ["open", *_]:
            return Opening()
        case ["gap", _, _, _, _, _, _, int(missed), *_]:
            return Gap(missed)
        case ["call", int(time_ms), str(space), int(session), str(address), str(client), list(words), *_]:
            return SeenCall(time_ms / 1000, space, session, address, client, words)
    raise ProtocolError("an event of another form")

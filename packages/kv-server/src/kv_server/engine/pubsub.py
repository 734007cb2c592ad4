"""Who listens to which channels, and passing messages on. A message is a row of a commit, so that it is sent exactly
when the call that published it, or the block around that, is.

Natively a channel belongs to a namespace, and a listener is a subscription with credit. On the text door the numbered
namespaces have their channels in common, and a listener is a connection. A message published in a namespace reaches
the native listeners of that namespace, and the connections that share channels with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from kv_protocol.names import text
from kv_protocol.types import Message
from kv_server.engine.commit import Commit, Sink
from kv_server.engine.conversation import Hearing, Place
from kv_server.engine.rows import MESSAGE
from kv_server.engine.session import Session
from kv_server.engine.waiting import Listener
from kv_server.model.glob import matches
from kv_server.spec.checks import NUMBERED
from kv_server.spec.spelled import resp_value

__all__ = ["Channels", "Index", "shared"]

_NUMBERS: Final = frozenset(b"%d" % number for number in range(NUMBERED))
_SHARED: Final = b"0"

T = TypeVar("T")


def shared(namespace: bytes) -> bytes:
    """The namespace whose channels the connections of the text door in *namespace* listen to."""
    return _SHARED if namespace in _NUMBERS else namespace


class Index(Generic[T]):
    """Who asked for which names, or patterns, of which namespaces."""

    def __init__(self) -> None:
        self.spaces: dict[bytes, dict[bytes, dict[T, None]]] = {}

    def __bool__(self) -> bool:
        return bool(self.spaces)

    def of(self, space: bytes) -> dict[bytes, dict[T, None]]:
        return self.spaces.get(space, {})

    def add(self, space: bytes, name: bytes, who: T) -> None:
        self.spaces.setdefault(space, {}).setdefault(name, {})[who] = None

    def remove(self, space: bytes, name: bytes, who: T) -> None:
        names = self.spaces[space]
        del names[name][who]
        if not names[name]:
            del names[name]
        if not names:
            del self.spaces[space]

    def matching(self, space: bytes, channel: bytes) -> Iterator[tuple[bytes, list[T]]]:
        """The patterns that *channel* fits, each with who asked for it."""
        for pattern, who in list(self.of(space).items()):
            if matches(pattern, channel):
                yield pattern, list(who)


class Channels:
    """The listeners by channel and by pattern. *sinks* are the engine's: they hear of commits while anybody listens."""

    def __init__(self, sinks: list[Sink]) -> None:
        self.sinks = sinks
        self.listeners: Index[Listener] = Index()
        self.by_pattern: Index[Listener] = Index()
        self.connections: Index[Session] = Index()
        self.patterns: Index[Session] = Index()
        self.shards: Index[Session] = Index()

    @property
    def busy(self) -> bool:
        """Whether anybody listens to anything."""
        return bool(self.listeners or self.by_pattern or self.connections or self.patterns or self.shards)

    def add(self, index: Index[T], space: bytes, name: bytes, who: T) -> None:
        if not self.busy:
            self.sinks.append(self.hear)
        index.add(space, name, who)

    def remove(self, index: Index[T], space: bytes, name: bytes, who: T) -> None:
        index.remove(space, name, who)
        if not self.busy:
            self.sinks.remove(self.hear)

    # ---- native listeners
    def subscribe(self, listener: Listener) -> None:
        for channel in listener.channels:
            self.add(self.listeners, listener.namespace, channel, listener)
        if listener.pattern is not None:
            self.add(self.by_pattern, listener.namespace, listener.pattern, listener)

    def unsubscribe(self, listener: Listener) -> None:
        for channel in listener.channels:
            self.remove(self.listeners, listener.namespace, channel, listener)
        if listener.pattern is not None:
            self.remove(self.by_pattern, listener.namespace, listener.pattern, listener)

    def by_pattern_alone(self, namespace: bytes, channel: bytes) -> list[tuple[bytes, Listener]]:
        """Native listeners that hear *channel* only since it fits their pattern."""
        exact = self.listeners.of(namespace).get(channel, {})
        found = self.by_pattern.matching(namespace, channel)
        return [(pattern, listener) for pattern, who in found for listener in who if listener not in exact]

    # ---- connections of the text door
    def kept_in(self, hearing: Hearing) -> tuple[tuple[dict[Place, None], Index[Session]], ...]:
        """What a connection listens to, with the index of the like."""
        return (
            (hearing.channels, self.connections),
            (hearing.patterns, self.patterns),
            (hearing.shards, self.shards),
        )

    def leave(self, session: Session) -> None:
        """Let the connection of *session* listen to nothing any more."""
        hearing, session.hearing = session.hearing, None
        if hearing is not None:
            for places, index in self.kept_in(hearing):
                for space, name in places:
                    self.remove(index, space, name, session)

    # ---- what is asked about them
    def audience(self, namespace: bytes, channel: bytes, sharded: bool) -> int:
        """How many would hear a message now; who would hear it twice counts twice."""
        home = shared(namespace)
        if sharded:
            return len(self.shards.of(home).get(channel, ()))
        found = len(self.connections.of(home).get(channel, ())) + len(self.listeners.of(namespace).get(channel, ()))
        if self.patterns:
            found += sum(len(who) for _, who in self.patterns.matching(home, channel))
        if self.by_pattern:
            found += len(self.by_pattern_alone(namespace, channel))
        return found

    def active(self, namespace: bytes) -> dict[bytes, int]:
        """The channels with listeners that a native caller in *namespace* may know of, and how many each has."""
        found = {name: len(who) for name, who in self.connections.of(shared(namespace)).items()}
        for name, who in self.listeners.of(namespace).items():
            found[name] = found.get(name, 0) + len(who)
        return found

    def active_on_resp(self, namespace: bytes) -> dict[bytes, int]:
        """The same for a connection of the text door: channels of all namespaces that share theirs."""
        home = shared(namespace)
        found = {name: len(who) for name, who in self.connections.of(home).items()}
        for space, names in self.listeners.spaces.items():
            if shared(space) == home:
                for name, who in names.items():
                    found[name] = found.get(name, 0) + len(who)
        return found

    # ---- messages
    def hear(self, commit: Commit) -> None:
        """Pass on the messages of *commit*."""
        for row in commit.effects:
            if row[0] == MESSAGE:
                self.send(commit.namespace, row[1], row[2], row[3])

    def send(self, namespace: bytes, channel: bytes, blob: bytes, sharded: bool = False) -> None:
        """Tell everybody who listens to *channel* the value in *blob*."""
        home = shared(namespace)
        plain = resp_value(blob)
        if sharded:
            push(namespace, self.shards.of(home).get(channel, ()), "smessage", channel, plain)
            return
        push(namespace, self.connections.of(home).get(channel, ()), "message", channel, plain)
        for pattern, who in self.patterns.matching(home, channel):
            push(namespace, who, "pmessage", pattern, channel, plain)
        if self.listeners or self.by_pattern:
            name = text(channel)
            for listener in list(self.listeners.of(namespace).get(channel, ())):
                listener.tell(Message("message", name, blob, None))
            for found, listener in self.by_pattern_alone(namespace, channel):
                listener.tell(Message("message", name, blob, text(found)))


def push(namespace: bytes, sessions: Iterable[Session], kind: str, *fields: Any) -> None:
    """Tell *sessions* what was said in *namespace*, if their users may hear of that."""
    for session in list(sessions):
        if session.outbox is not None and (session.guard is None or session.guard.enters(namespace)):
            session.outbox.push(kind, *fields)

"""Who waits for what: parked calls by the names they wait for, subscriptions by key or prefix.

Both hear of every commit. A parked call is tried again, oldest first, before any new call runs. A subscription gets
the events it has credit for; the rest waits here, bounded, and what does not fit is told as one gap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

from kv_protocol.names import text
from kv_protocol.types import Change
from kv_server.engine import rows
from kv_server.engine.commit import Commit, Effect
from kv_server.engine.rows import KEYS, LOCKS
from kv_server.engine.waiting import Parked, Subscription, WouldBlock

__all__ = ["Watchers"]

_CAUSES: Final = {rows.DELETED: "delete", rows.EXPIRED: "expired", rows.EVICTED: "evicted"}


class Watchers:
    """The index of all that waits. `live` is False while nobody does, so that a commit costs nothing then.

    *peek* reads the value blob at a key of a namespace, None for a collection or nothing.
    """

    def __init__(self, peek: Callable[[bytes, bytes], bytes | None]) -> None:
        self.peek = peek
        self.live = False
        self.parked: dict[tuple[bytes, int, bytes], dict[Parked, None]] = {}
        self.by_key: dict[tuple[bytes, bytes], dict[Subscription, None]] = {}
        self.by_prefix: dict[bytes, dict[Subscription, None]] = {}
        self.woken: deque[tuple[bytes, int, bytes]] = deque()

    # ---- parked calls
    def park(self, call: Parked, blocked: WouldBlock) -> None:
        """Let *call* wait, behind those that wait already, for each of its names."""
        call.places = [(call.namespace, blocked.room, name) for name in blocked.names]
        for place in call.places:
            self.parked.setdefault(place, {})[call] = None
        self.live = True

    def withdraw(self, call: Parked) -> None:
        """Let *call* wait no longer."""
        for place in call.places:
            line = self.parked[place]
            line.pop(call, None)
            if not line:
                del self.parked[place]
        call.places = []
        self.weigh()

    def waiting_for(self, namespace: bytes, room: int, name: bytes) -> int:
        return len(self.parked.get((namespace, room, name), ()))

    # ---- subscriptions
    def subscribe(self, watch: Subscription) -> None:
        for key in watch.keys:
            self.by_key.setdefault((watch.namespace, key), {})[watch] = None
        if watch.prefix is not None:
            self.by_prefix.setdefault(watch.namespace, {})[watch] = None
        self.live = True

    def unsubscribe(self, watch: Subscription) -> None:
        for key in watch.keys:
            self.leave(self.by_key, (watch.namespace, key), watch)
        if watch.prefix is not None:
            self.leave(self.by_prefix, watch.namespace, watch)
        self.weigh()

    @staticmethod
    def leave(index: dict[Any, dict[Subscription, None]], place: Any, watch: Subscription) -> None:
        index[place].pop(watch, None)
        if not index[place]:
            del index[place]

    def weigh(self) -> None:
        self.live = bool(self.parked or self.by_key or self.by_prefix)

    # ---- commits
    def tell(self, commit: Commit) -> None:
        """Pass the changes of *commit* on: events to subscriptions, names to the line of parked calls to be tried."""
        for row in commit.effects:
            opcode = row[0]
            if opcode < LOCKS:
                self.wake(commit.namespace, KEYS, row[1])
                if opcode == rows.KEY_MOVE:
                    self.wake(row[2], KEYS, row[3])
                if self.by_key or self.by_prefix:
                    self.tell_key(commit, row)
            elif opcode == rows.LOCK_DROP:
                self.wake(commit.namespace, LOCKS, row[1])
            elif opcode >= rows.NAMESPACE_FLUSH:
                self.tell_dropped(commit, row[1])

    def wake(self, namespace: bytes, room: int, name: bytes) -> None:
        place = namespace, room, name
        if place in self.parked:
            self.woken.append(place)

    def tell_key(self, commit: Commit, row: Effect) -> None:
        opcode, key = row[0], row[1]
        revision, name = commit.revision, commit.namespace
        if opcode == rows.KEY_PUT:
            self.send(name, key, "set", revision, row[2])
        elif opcode == rows.KEY_DROP:
            self.send(name, key, _CAUSES[row[2]], revision, None)
        elif opcode == rows.KEY_EXPIRY:
            self.send(name, key, "ttl", revision, None)
        elif opcode == rows.KEY_MOVE:
            self.send(name, key, "delete", revision, None)
            self.send(row[2], row[3], "set", revision, self.peek(row[2], row[3]))

    def send(self, namespace: bytes, key: bytes, kind: str, revision: int, value: bytes | None) -> None:
        exact = self.by_key.get((namespace, key), ())
        covering = (w for w in self.by_prefix.get(namespace, ()) if key.startswith(w.prefix or b"") and w not in exact)
        for watch in list(chain(exact, covering)):
            watch.tell(Change(kind, revision, text(key), value if watch.values else None))

    def tell_dropped(self, commit: Commit, namespace: bytes) -> None:
        """Everybody in *namespace* hears that it is empty; who waits for one of its locks is tried again."""
        exact = (w for (name, _), watches in self.by_key.items() if name == namespace for w in watches)
        for watch in dict.fromkeys(chain(exact, self.by_prefix.get(namespace, ()))):
            watch.tell(Change("dropped", commit.revision, None, None))
        self.woken.extend(place for place in self.parked if place[0] == namespace)

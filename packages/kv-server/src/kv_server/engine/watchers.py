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
from kv_server.model.schedule import Schedule

__all__ = ["Watchers"]

_CAUSES: Final = {rows.DELETED: "delete", rows.EXPIRED: "expired", rows.EVICTED: "evicted"}


class Watchers:
    """The index of all that waits. `live` is False while nobody does, so that a commit costs nothing then.

    *peek* reads the value blob at a key of a namespace, None for a collection or nothing.
    """

    def __init__(self, peek: Callable[[bytes, bytes], bytes | None]) -> None:
        self.peek = peek
        self.live = False
        self.parked: dict[tuple[bytes, int, bytes], dict[object, dict[Parked, None]]] = {}
        """By what they wait for, and by kin."""
        self.by_key: dict[tuple[bytes, bytes], dict[Subscription, None]] = {}
        self.by_prefix: dict[bytes, dict[Subscription, None]] = {}
        self.woken: deque[tuple[bytes, int, bytes]] = deque()
        self.turn_at: dict[tuple[bytes, int, bytes], int] = {}
        self.turns: Schedule[tuple[bytes, int, bytes]] = Schedule(lambda due, place: self.turn_at.get(place) == due)
        """Where calls wait whose turn comes with time."""

    # ---- parked calls
    def park(self, call: Parked, blocked: WouldBlock) -> None:
        """Let *call* wait, behind those that wait already, for each of its names."""
        call.places = [(call.namespace, blocked.room, name) for name in dict.fromkeys(blocked.names)]
        for place in call.places:
            self.parked.setdefault(place, {}).setdefault(call.kin, {})[call] = None
        self.live = True

    def withdraw(self, call: Parked) -> None:
        """Let *call* wait no longer."""
        for place in call.places:
            lines = self.parked[place]
            line = lines[call.kin]
            line.pop(call, None)
            if not line:
                del lines[call.kin]
            if not lines:
                del self.parked[place]
        call.places = []
        self.weigh()

    def waiting_for(self, namespace: bytes, room: int, name: bytes, kin: object = None) -> int:
        """How many calls wait for *name*, of all kins or of one."""
        lines = self.parked.get((namespace, room, name), {})
        return sum(map(len, lines.values())) if kin is None else len(lines.get(kin, ()))

    def behind(self, call: Parked) -> list[tuple[bytes, int, bytes]]:
        """The places at which *call* is the first of its line, and not the only one."""
        lines = ((place, self.parked[place][call.kin]) for place in call.places)
        return [place for place, line in lines if len(line) > 1 and next(iter(line)) is call]

    def note_turn(self, call: Parked, blocked: WouldBlock, elapsed_ms: int) -> None:
        """Have *call* tried again when it said that it is worth it, if it did."""
        if blocked.turn_ms is not None:
            due_ms = elapsed_ms + blocked.turn_ms
            for place in call.places:
                if self.turn_at.get(place) != due_ms:
                    self.turn_at[place] = due_ms
                    self.turns.add(due_ms, place)

    def wake_due(self, elapsed_ms: int) -> bool:
        """Wake those whose turn has come by now; whether there are any."""
        while (place := self.turns.take(elapsed_ms)) is not None:
            del self.turn_at[place]
            self.woken.append(place)
        return bool(self.woken)

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
        told: set[bytes] = set()
        for row in commit.effects:
            opcode = row[0]
            if opcode < LOCKS:
                self.wake(commit.namespace, KEYS, row[1])
                if opcode in (rows.KEY_MOVE, rows.KEY_COPY):
                    self.wake(row[2], KEYS, row[3])
                if self.by_key or self.by_prefix:
                    self.tell_key(commit, row, told)
            elif opcode == rows.LOCK_DROP:
                self.wake(commit.namespace, LOCKS, row[1])
            elif rows.NAMESPACES < opcode < rows.CHANNELS:
                for name in row[1:]:
                    self.tell_dropped(commit, name)

    def wake(self, namespace: bytes, room: int, name: bytes) -> None:
        place = namespace, room, name
        if place in self.parked:
            self.woken.append(place)

    def tell_key(self, commit: Commit, row: Effect, told: set[bytes]) -> None:
        """Send the event of one row. Of a collection, whatever of it changed, a commit has one: *told* are those."""
        opcode, key = row[0], row[1]
        revision, name = commit.revision, commit.namespace
        if opcode == rows.KEY_PUT:
            self.send(name, key, "set", revision, row[2])
        elif opcode == rows.KEY_DROP:
            self.send(name, key, _CAUSES[row[2]], revision, None)
        elif opcode == rows.KEY_EXPIRY:
            self.send(name, key, "ttl", revision, None)
        elif opcode in (rows.KEY_MOVE, rows.KEY_COPY):
            if opcode == rows.KEY_MOVE:
                self.send(name, key, "delete", revision, None)
            self.send(row[2], row[3], "set", revision, self.peek(row[2], row[3]))
        elif key not in told:
            told.add(key)
            self.send(name, key, "set", revision, None)

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

"""Which transactions watch which keys, and what commits do to them: the optimistic side of WATCH.

A watched key is touched by any effect on its name, its expiry included; a transaction of which a key was touched will
not run. The index hears of commits only while somebody watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kv_server.engine.commit import Commit, Sink
from kv_server.engine.conversation import Place, Transaction
from kv_server.engine.rows import CHANNELS, EXPIRED, KEY_COPY, KEY_DROP, KEY_MOVE, LOCKS, NAMESPACES

__all__ = ["WatchedKeys"]


class WatchedKeys:
    """The index of watched keys. *sinks* are the engine's; *exists* says whether a key of a namespace lives now."""

    def __init__(self, sinks: list[Sink], exists: Callable[[bytes, bytes], bool]) -> None:
        self.sinks = sinks
        self.exists = exists
        self.by_place: dict[Place, dict[Transaction, None]] = {}

    def watch(self, transaction: Transaction, namespace: bytes, keys: Iterable[bytes]) -> None:
        """Let *transaction* watch *keys* from now on."""
        for key in keys:
            place = namespace, key
            if place not in transaction.watched:
                transaction.watched[place] = self.exists(namespace, key)
                if not self.by_place:
                    self.sinks.append(self.hear)
                self.by_place.setdefault(place, {})[transaction] = None

    def forget(self, transaction: Transaction) -> None:
        """Let *transaction* watch nothing."""
        for place in transaction.watched:
            watching = self.by_place[place]
            del watching[transaction]
            if not watching:
                del self.by_place[place]
        if transaction.watched and not self.by_place:
            self.sinks.remove(self.hear)
        transaction.watched = {}
        transaction.touched = False

    def holds(self, transaction: Transaction) -> bool:
        """Whether nothing that *transaction* watches has changed: touched by nobody, and not expired unnoticed."""
        return not transaction.touched and all(
            self.exists(*place) for place, there in transaction.watched.items() if there
        )

    def hear(self, commit: Commit) -> None:
        """Touch what *commit* changed."""
        for row in commit.effects:
            opcode = row[0]
            if opcode < LOCKS:
                stale = opcode == KEY_DROP and row[2] == EXPIRED
                if opcode != KEY_COPY:
                    self.touch((commit.namespace, row[1]), stale)
                if opcode in (KEY_MOVE, KEY_COPY):
                    self.touch((row[2], row[3]), False)
            elif NAMESPACES <= opcode < CHANNELS:
                self.touch_whole({name for name in row[1:] if type(name) is bytes})

    def touch(self, place: Place, stale: bool) -> None:
        """Touch one key. That a key which had expired when it was first watched is dropped, concerns nobody."""
        for transaction in self.by_place.get(place, ()):
            if not stale or transaction.watched[place]:
                transaction.touched = True

    def touch_whole(self, namespaces: set[bytes]) -> None:
        """Touch the keys that whole *namespaces* lost, or have now that they were exchanged."""
        for place, transactions in self.by_place.items():
            if place[0] in namespaces:
                there = self.exists(*place)
                for transaction in transactions:
                    if there or transaction.watched[place]:
                        transaction.touched = True

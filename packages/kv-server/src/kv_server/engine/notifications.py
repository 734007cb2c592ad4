"""Keyspace notifications: messages to channels about what commits changed, for those who know them from Redis.

They are derived from the rows of commits: a row has one event, which the declaration of the command that wrote it may
name otherwise, and like events that follow each other on one key within a commit are one. Off until classes of events
are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kv_protocol.values import from_octets
from kv_server.engine import rows
from kv_server.engine.commit import Commit, Effect, Sink
from kv_server.engine.pubsub import Channels
from kv_server.model.entry import LIST, SET, ZSET
from kv_server.spec.command import Command

__all__ = ["Notifications", "classes_of", "spelled"]

ALL: Final = "g$lshzxetd"  # what A stands for
MORE: Final = "KEmn"  # of these, m (missed reads) and n (new keys) leave no row of their own: they tell nothing
ORDER: Final = "g$lshzxetdn"

_DROPS: Final = {rows.DELETED: ("g", b"del"), rows.EXPIRED: ("x", b"expired"), rows.EVICTED: ("e", b"evicted")}
_GENERAL: Final = frozenset((b"restore", b"copy_to"))
_LETTERS: Final = {LIST: "l", SET: "s", ZSET: "z"}
_NAMED: Final = frozenset(
    (rows.KEY_PUT, rows.KEY_LOAD, rows.HASH_PUT, rows.SET_REMOVE, rows.ZSET_PUT, rows.ZSET_DROP, rows.GROUP_PUT,
     rows.CONSUMER_PUT)
)  # fmt: skip
"""Rows whose events a declaration may name."""
_PLAIN: Final = {
    rows.KEY_PUT: ("$", b"set"),
    rows.KEY_LOAD: ("g", b"restore"),
    rows.HASH_PUT: ("h", b"hset"),
    rows.HASH_DROP: ("h", b"hdel"),
    rows.LIST_SET: ("l", b"lset"),
    rows.LIST_INSERT: ("l", b"linsert"),
    rows.LIST_REMOVE: ("l", b"lrem"),
    rows.LIST_TRIM: ("l", b"ltrim"),
    rows.SET_ADD: ("s", b"sadd"),
    rows.SET_REMOVE: ("s", b"srem"),
    rows.ZSET_PUT: ("z", b"zadd"),
    rows.ZSET_DROP: ("z", b"zrem"),
    rows.STREAM_ADD: ("t", b"xadd"),
    rows.STREAM_DELETE: ("t", b"xdel"),
    rows.STREAM_TRIM: ("t", b"xtrim"),
    rows.STREAM_SET: ("t", b"xsetid"),
    rows.GROUP_DROP: ("t", b"xgroup-destroy"),
    rows.CONSUMER_DROP: ("t", b"xgroup-delconsumer"),
}
_SHRINKING: Final = frozenset(
    (rows.HASH_DROP, rows.LIST_POP, rows.LIST_REMOVE, rows.LIST_TRIM, rows.SET_REMOVE, rows.ZSET_DROP)
)


def classes_of(text: str) -> frozenset[str]:
    """The classes of events that *text* names. Raises `ValueError`."""
    if not set(text) <= set(ALL + MORE + "A"):
        raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    return frozenset(text.replace("A", ALL))


def spelled(classes: frozenset[str]) -> str:
    """The same as text, in the order in which Redis has them."""
    kinds = "A" if classes.issuperset(ALL) else "".join(kind for kind in ORDER if kind in classes)
    return kinds + "".join(kind for kind in "KEm" if kind in classes)


class Notifications:
    """Says what happened to keys. *sinks* are the engine's, *exists* tells whether a key of a namespace lives now."""

    def __init__(self, sinks: list[Sink], channels: Channels, exists: Callable[[bytes, bytes], bool]) -> None:
        self.sinks = sinks
        self.channels = channels
        self.exists = exists
        self.classes: frozenset[str] = frozenset()
        self.authors: list[tuple[int, Command]] = []
        """Of the commit that comes: which command wrote the rows from where on, if anybody asks."""
        self.asked = False
        """Somebody else does."""

    def choose(self, classes: frozenset[str]) -> None:
        """Tell events of *classes* from now on."""
        if self.hear in self.sinks:
            self.sinks.remove(self.hear)
        self.classes = classes
        if classes & {"K", "E"} and classes & set(ALL):
            self.sinks.append(self.hear)

    @property
    def telling(self) -> bool:
        """Somebody may want to know what happens to keys."""
        return self.hear in self.sinks

    def written(self, start: int, command: Command) -> None:
        """Hear that *command* wrote the rows from *start* on of the commit that comes; who called it, wrote none."""
        if (self.asked or self.telling) and (start or not self.authors):
            self.authors.append((start, command))

    def hear(self, commit: Commit) -> None:
        """Tell what *commit* changed."""
        authors = self.authors.copy()
        if not self.channels.busy:
            return
        last = event = None
        for at, row in enumerate(commit.effects):
            while authors and authors[0][0] <= at:
                event = authors.pop(0)[1].declaration.event
            for happened in self.events(commit, row, event.encode() if event is not None else None):
                if happened != last:
                    self.tell(*happened)
                    last = happened

    def events(self, commit: Commit, row: Effect, event: bytes | None) -> Iterator[tuple[bytes, bytes, str, bytes]]:
        """What *row* did: namespace, key, class and name of each event; *event* is how its command calls it."""
        opcode, namespace, key = row[0], commit.namespace, row[1]
        if event is not None and opcode in _NAMED:
            yield namespace, key, _class_of(row, event), event
        elif opcode in _PLAIN:
            yield namespace, key, *_PLAIN[opcode]
            if opcode == rows.KEY_PUT and row[3]:
                yield namespace, key, "g", b"expire"
        elif opcode == rows.KEY_DROP:
            yield namespace, key, *_DROPS[row[2]]
        elif opcode == rows.KEY_EXPIRY:
            yield namespace, key, "g", b"expire" if row[2] else b"persist"
        elif opcode == rows.KEY_MOVE:
            same = row[2] == namespace
            yield namespace, key, "g", b"rename_from" if same else b"move_from"
            yield row[2], row[3], "g", b"rename_to" if same else b"move_to"
        elif opcode == rows.KEY_COPY:
            yield row[2], row[3], "g", b"copy_to"
        elif opcode in (rows.LIST_PUSH, rows.LIST_POP):
            side = b"l" if row[2] else b"r"
            yield namespace, key, "l", side + (b"push" if opcode == rows.LIST_PUSH else b"pop")
        if opcode in _SHRINKING and row is last_about(key, commit.effects) and not self.exists(namespace, key):
            yield namespace, key, "g", b"del"

    def tell(self, namespace: bytes, key: bytes, kind: str, event: bytes) -> None:
        if kind in self.classes:
            if "K" in self.classes:
                self.channels.send(namespace, b"__keyspace@%b__:%b" % (namespace, key), from_octets(event))
            if "E" in self.classes:
                self.channels.send(namespace, b"__keyevent@%b__:%b" % (namespace, event), from_octets(key))


def _class_of(row: Effect, event: bytes) -> str:
    """The class of a named event: that of the type, or of none."""
    if event in _GENERAL:
        return "g"
    if row[0] == rows.KEY_LOAD:
        return _LETTERS[row[2]]
    return "t" if row[0] in (rows.GROUP_PUT, rows.CONSUMER_PUT) else _PLAIN[row[0]][0]


def last_about(key: bytes, effects: list[Effect]) -> Effect:
    """The last row of *effects* about *key*."""
    return next(row for row in reversed(effects) if row[1] == key and row[0] < rows.LOCKS)

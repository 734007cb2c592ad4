"""What every effect stands on: namespace, time and caller of the transaction, finding a key, the one door `touch`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeVar

from kv_protocol.errors import TooManyNamespaces, WrongType
from kv_server.engine.before import Keeper
from kv_server.engine.commit import Effect
from kv_server.engine.rows import EXPIRED, KEY_DROP
from kv_server.engine.session import Session
from kv_server.engine.waiting import Unfinished
from kv_server.model import sharding
from kv_server.model.container import CONTAINERS, Container
from kv_server.model.entry import KINDS, SCALAR, Entry, Loose
from kv_server.model.space import Namespace
from kv_server.model.steps import Steps, finished
from kv_server.model.store import Store
from kv_server.model.table import Table

__all__ = ["Ground", "wrong_type"]

_STEPS_AT_ONCE: Final = 16

T = TypeVar("T")


def wrong_type(expected: int, found: int) -> WrongType:
    facts = {"expected": KINDS[expected], "found": KINDS[found]}
    return WrongType("Operation against a key holding the wrong kind of value", facts)


class Ground:
    """One transaction at a time: the clocks are set, `start`, then reads and effects, then `effects` is taken away."""

    def __init__(self, store: Store, sessions: dict[int, Session], dice: Random, max_namespaces: int) -> None:
        self.waiting_for: Callable[..., int] = lambda room, name, kin=None: 0
        self.audience: Callable[[bytes, bool], int] = lambda channel, sharded: 0
        self.afford: Callable[..., None] = lambda size, namespace=None: None
        """Raises if a value of so many bytes is more than there may be in all, or in another namespace."""
        self.store = store
        self.sessions = sessions
        self.secrets: dict[bytes, Session] = {}
        self.dice = dice
        self.max_namespaces = max_namespaces
        self.revision = 1
        self.now_ms = 0
        self.elapsed_ms = 0
        self.session: Session | None = None
        self.name = b""
        self.space: Namespace | None = None
        self.effects: list[Effect] = []
        self.notices: list[tuple[int, bytes, bytes, int, str]] = []
        self.locks_granted = self.locks_lost = 0
        self.gone: dict[bytes, int] | None = None
        """What is no longer there, with its version if that is lost; None: nobody asks."""
        self.marked = False
        """Something has changed that no version tells."""
        self.before: Keeper | None = None
        self.urgent = False
        """The effects grant, extend or release a lock: whoever is told of that must be able to rely on it."""
        self.within = False
        """The call is part of several that are one commit: nothing waits."""
        self.work: Unfinished | None = None
        """What the call, which is run again, has worked out meanwhile."""
        self.kept: Any = None
        """What the call kept when it began to wait; None in its first try."""
        self.turn: bytes | None = None
        """The name at which it is the turn of a call that waits; elsewhere others may be first."""
        self.last_key: bytes | None = None
        self.last_entry: Entry | None = None
        self.last_table = store.empty

    def may_read(self, key: bytes) -> bool:
        """Whether the caller may be told what is at *key*, which it may write."""
        guard = self.session.guard if self.session is not None else None
        return guard is None or guard.reads(self.name, key)

    def start(self, namespace: bytes, session: Session | None) -> None:
        """Begin anew, in *namespace*, for *session*."""
        if namespace is not self.name or self.space is None:
            self.name = namespace
            self.space = self.store.namespaces.get(namespace)
        self.session = session
        self.last_key = None

    def slowly(self, begin: Callable[[], Steps[T]]) -> T:
        """What the steps make that *begin* returns: later, if they are many and the caller can go on later; it comes
        here again then. At once, nothing but *begin* itself looks at the store.
        """
        if self.work is not None:
            made: T = self.work.result()
            return made
        steps = begin()
        if self.within or self.session is None or not self.session.patient:
            return finished(steps)
        for _ in range(_STEPS_AT_ONCE):
            try:
                next(steps)
            except StopIteration as done:
                made = done.value
                return made
        raise Unfinished(steps)

    def again(self, work: Unfinished, run: Callable[[], T]) -> T:
        """Run the call again for which *work* was done."""
        self.work = work
        try:
            return run()
        finally:
            self.work = None

    def find(self, key: bytes) -> Entry | None:
        """The live entry at *key*, of whatever kind."""
        if key is self.last_key:
            return self.last_entry
        space = self.space
        if space is None:
            return None
        table = space.tables[sharding.shard_of(key, self.store.shift)]
        entry = table.get(key)
        if entry is not None and entry.expires_ms and entry.expires_ms <= self.now_ms:
            entry = None
        self.last_key = key
        self.last_entry = entry
        self.last_table = table
        return entry

    def exists(self, key: bytes) -> bool:
        return self.find(key) is not None

    def exists_in(self, namespace: bytes, key: bytes) -> bool:
        """Whether *key* lives in another *namespace*."""
        space = self.store.namespaces.get(namespace)
        entry = space.tables[sharding.shard_of(key, self.store.shift)].get(key) if space is not None else None
        return entry is not None and not 0 < entry.expires_ms <= self.now_ms

    def value_in(self, namespace: bytes, key: bytes) -> bytes | None:
        """The value blob at *key* in another *namespace*, for an event about it."""
        space = self.store.namespaces.get(namespace)
        entry = self.table_of(space, key).get(key) if space is not None else None
        return entry.value if entry is not None and entry.kind == SCALAR else None

    def touch(self, key: bytes) -> Entry | None:
        """Make ready to change *key*: keep what a block must be able to put back, drop what is past its deadline."""
        entry = self.find(key)
        if self.before is not None:
            self.before.keep_key(self.name, key)
        if entry is None:
            stale = self.table_of(self.open_namespace(), key).get(key)
            if stale is not None:
                self.key_drop(key, EXPIRED)
            self.last_key = None
        return entry

    def read(self, key: bytes, kind: int) -> Any:
        """The container of the collection at *key*, None if there is no such key."""
        entry = self.find(key)
        if entry is None:
            return None
        value = self.last_table.content(entry, kind)
        if value is None:
            raise wrong_type(kind, entry.kind)
        return value

    def open_collection(self, key: bytes, kind: int) -> Any:
        """The container at *key*, to be changed: made if the key is absent, its version the revision of this commit."""
        entry = self.touch(key)
        if entry is None:
            space = self.open_namespace()
            table = self.table_of(space, key)
            entry = table.put(key, Loose(kind, CONTAINERS[kind](), self.revision, 0))
            self.last_key, self.last_entry, self.last_table = key, entry, table
        value = self.last_table.content(entry, kind)
        if value is None:
            raise wrong_type(kind, entry.kind)
        entry.version = self.revision
        return value

    def close_collection(self, key: bytes, container: Container, grown: int) -> None:
        """Account for *grown* bytes more in the container at *key*; a collection without elements is gone."""
        if grown:
            self.last_table.grow(grown)
        if not len(container):
            self.last_table.remove(key)
            self.last_key = None
            self.note_gone(key)

    def note_gone(self, key: bytes, version: int = 0) -> None:
        """Tell who asks that *key* is there no more."""
        if self.gone is not None:
            self.gone[key] = version
            self.marked = True

    def mark(self) -> None:
        """Tell who asks that something has changed of which no version tells."""
        self.marked = self.gone is not None

    def open_namespace(self) -> Namespace:
        """The namespace of this transaction, made if it is new."""
        if self.space is None:
            self.space = self.namespace(self.name)
        return self.space

    def namespace(self, name: bytes) -> Namespace:
        """The namespace called *name*, made if it is new and may be."""
        spaces = self.store.namespaces
        if name not in spaces and len(spaces) >= self.max_namespaces:
            raise TooManyNamespaces(
                f"the server has its {self.max_namespaces} namespaces; drop one or raise --max-namespaces",
                {"limit": self.max_namespaces},
            )
        if self.before is not None and name not in spaces:
            self.before.made.append(name)
        return self.store.namespace(name)

    def table_of(self, space: Namespace, key: bytes) -> Table:
        return self.store.table(space, sharding.shard_of(key, self.store.shift))

    def key_drop(self, key: bytes, cause: int) -> None:
        """Take *key* away: deleted, expired, evicted."""
        if self.before is not None:
            self.before.keep_key(self.name, key)
        self.effects.append((KEY_DROP, key, cause))
        entry = self.table_of(self.open_namespace(), key).remove(key)
        self.note_gone(key, entry.version)
        self.store.discard(entry)
        self.last_key = None

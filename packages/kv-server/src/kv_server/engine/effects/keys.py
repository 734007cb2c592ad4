"""Keys of whatever type: scalars, expiry, names."""

from __future__ import annotations

from itertools import chain
from typing import Any

from kv_protocol.names import slot
from kv_server.engine.effects.patterns import PatternReads
from kv_server.engine.ground import wrong_type
from kv_server.engine.rows import KEY_COPY, KEY_EXPIRY, KEY_LOAD, KEY_MOVE, KEY_PUT
from kv_server.model.container import CONTAINERS, Container
from kv_server.model.entry import SCALAR, Cached, Loose

__all__ = ["KeyEffects"]


class KeyEffects(PatternReads):
    """What commands read and change about keys."""

    def value(self, key: bytes) -> bytes | None:
        """The value blob at *key*; a collection there is the wrong type."""
        entry = self.find(key)
        if entry is None:
            return None
        value: bytes | None = self.last_table.content(entry, SCALAR)
        if value is None:
            raise wrong_type(SCALAR, entry.kind)
        return value

    def count(self) -> int:
        return len(self.space) if self.space is not None else 0

    def scan(self, cursor: int, wanted: int) -> tuple[int, list[bytes]]:
        """One page of live keys and the cursor after it."""
        if self.space is None:
            return 0, []
        return self.store.scan(self.space, cursor, wanted)

    def all_keys(self) -> list[bytes]:
        """Every key of the namespace."""
        return list(chain.from_iterable(self.space.live_tables())) if self.space is not None else []

    def random_key(self) -> bytes | None:
        """Any key, each as likely as the others."""
        at = self.dice.randrange(self.count()) if self.count() else -1
        for table in self.space.live_tables() if self.space is not None else ():
            if at < len(table):
                return list(table)[at]
            at -= len(table)
        return None

    def used(self, key: bytes) -> int | None:
        """Of a cache by use, for how many seconds *key* was not used; by frequency, how often it was. Marks no use."""
        if self.space is None or self.space.cache is None:
            return None
        entry = self.space.tables[slot(key) >> self.store.shift].peek(key)
        if not isinstance(entry, Cached) or 0 < entry.expires_ms <= self.now_ms:
            return None
        cache = self.space.cache
        return cache.count(entry) if cache.order == "lfu" else (self.elapsed_ms - entry.used) // 1000

    def habit(self) -> str | None:
        """How the namespace chooses what to evict, if it is a cache."""
        cache = self.space.cache if self.space is not None else None
        return cache.order if cache is not None else None

    def key_put(self, key: bytes, value: bytes, expires_ms: int) -> None:
        """Set *key* to the value blob *value*, whatever it was, to expire at *expires_ms* (0: never)."""
        entry = self.find(key) if self.before is None else self.touch(key)
        if entry is None:
            entry = self.touch(key)
        self.effects.append((KEY_PUT, key, value, expires_ms))
        if entry is not None and entry.kind != SCALAR:
            self.store.discard(self.last_table.remove(key))
            entry = None
        if entry is None:
            space = self.open_namespace()
            table = self.table_of(space, key)
            entry = table.put(key, Loose(SCALAR, value, self.revision, expires_ms))
            self.last_key, self.last_entry, self.last_table = key, entry, table
        else:
            table = self.last_table
            self.last_entry = entry = table.replace(key, entry, value, self.revision)
            if entry.expires_ms == expires_ms:
                return
            space = self.open_namespace()
            table.set_expiry(key, entry, expires_ms)
        if expires_ms:
            self.store.schedule(space, table)

    def key_load(self, key: bytes, kind: int, dumped: Any, expires_ms: int) -> None:
        """Set *key* to the collection of *kind* that was dumped, whatever it was, to expire at *expires_ms*.

        Raises `ValueError` before anything has changed if it cannot be loaded.
        """
        self.key_loaded(key, kind, dumped, expires_ms, CONTAINERS[kind].load(dumped))

    def key_loaded(self, key: bytes, kind: int, dumped: Any, expires_ms: int, loaded: Container) -> None:
        """The same with the collection *loaded* already."""
        entry = self.touch(key)
        space = self.open_namespace()
        table = self.table_of(space, key)
        if entry is not None:
            self.store.discard(table.remove(key))
        self.effects.append((KEY_LOAD, key, kind, dumped, expires_ms))
        table.put(key, Loose(kind, loaded, self.revision, expires_ms))
        self.last_key = None
        if expires_ms:
            self.store.schedule(space, table)

    def key_expiry(self, key: bytes, expires_ms: int) -> None:
        """Let *key* expire at *expires_ms* (0: never). Its version stays."""
        entry = self.touch(key)
        assert entry is not None
        self.effects.append((KEY_EXPIRY, key, expires_ms))
        self.mark()
        table = self.last_table
        table.set_expiry(key, entry, expires_ms)
        if expires_ms:
            self.store.schedule(self.open_namespace(), table)

    def key_move(self, key: bytes, namespace: bytes, target: bytes) -> None:
        """Give the entry at *key* the name *target* in *namespace*, in the place of whatever is there."""
        home = self.namespace(namespace)
        entry = self.touch(key)
        assert entry is not None
        self.effects.append((KEY_MOVE, key, namespace, target))
        self.mark()
        self.table_of(self.open_namespace(), key).remove(key)
        self.last_key = None
        table = self.table_of(home, target)
        old = table.get(target)
        if self.before is not None:
            self.before.keep_key(namespace, target)
        if old is not None:
            self.store.discard(table.remove(target))
        entry.version = self.revision
        table.put(target, entry)
        self.store.schedule(home, table)

    def key_copy(self, key: bytes, namespace: bytes, target: bytes) -> None:
        """Set *target* in *namespace* to a copy of what is at *key*, in the place of whatever is there."""
        home = self.namespace(namespace)
        entry = self.find(key)
        assert entry is not None
        self.effects.append((KEY_COPY, key, namespace, target))
        self.mark()
        table = self.table_of(home, target)
        if self.before is not None:
            self.before.keep_key(namespace, target)
        if target in table:
            self.store.discard(table.remove(target))
        self.last_key = None
        twin = entry.copy()
        twin.version = self.revision
        table.put(target, twin)
        self.store.schedule(home, table)

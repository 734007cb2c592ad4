"""Keys of whatever type: scalars, expiry, names."""

from __future__ import annotations

from typing import Final

from kv_protocol.errors import WrongType
from kv_server.engine.ground import Ground, effect
from kv_server.engine.rows import KEY_EXPIRY, KEY_MOVE, KEY_PUT
from kv_server.model.entry import SCALAR, Entry

__all__ = ["KINDS", "KeyEffects"]

KINDS: Final = {SCALAR: "scalar"}


class KeyEffects(Ground):
    """What commands read and change about keys."""

    def value(self, key: bytes) -> bytes | None:
        """The value blob at *key*; a collection there is the wrong type."""
        entry = self.find(key)
        if entry is None:
            return None
        if entry.kind != SCALAR:
            raise WrongType(
                "Operation against a key holding the wrong kind of value",
                {"expected": "scalar", "found": KINDS[entry.kind]},
            )
        return entry.value

    def count(self) -> int:
        return len(self.space) if self.space is not None else 0

    def scan(self, cursor: int, wanted: int) -> tuple[int, list[bytes]]:
        """One page of live keys and the cursor after it."""
        if self.space is None:
            return 0, []
        return self.store.scan(self.space, cursor, wanted)

    def random_key(self) -> bytes | None:
        """Any key, each as likely as the others."""
        at = self.dice.randrange(self.count()) if self.count() else -1
        for table in self.space.live_tables() if self.space is not None else ():
            if at < len(table):
                return list(table)[at]
            at -= len(table)
        return None

    @effect(KEY_PUT)
    def key_put(self, key: bytes, value: bytes, expires_ms: int) -> None:
        """Set *key* to the value blob *value*, whatever it was, to expire at *expires_ms* (0: never)."""
        entry = self.find(key) if self.before is None else self.touch(key)
        if entry is None:
            entry = self.touch(key)
        self.effects.append((KEY_PUT, key, value, expires_ms))
        if entry is None:
            entry = Entry(SCALAR, value, self.revision, expires_ms)
            space = self.open_namespace()
            table = self.table_of(space, key)
            table.put(key, entry)
            self.last_key, self.last_entry, self.last_table = key, entry, table
        else:
            table = self.last_table
            table.bytes += len(value) - len(entry.value)
            entry.kind = SCALAR
            entry.value = value
            entry.version = self.revision
            if entry.expires_ms == expires_ms:
                return
            space = self.open_namespace()
            table.set_expiry(key, entry, expires_ms)
        if expires_ms:
            self.store.schedule(space, table)

    @effect(KEY_EXPIRY)
    def key_expiry(self, key: bytes, expires_ms: int) -> None:
        """Let *key* expire at *expires_ms* (0: never). Its version stays."""
        entry = self.touch(key)
        assert entry is not None
        self.effects.append((KEY_EXPIRY, key, expires_ms))
        space = self.open_namespace()
        table = self.table_of(space, key)
        table.set_expiry(key, entry, expires_ms)
        if expires_ms:
            self.store.schedule(space, table)

    @effect(KEY_MOVE)
    def key_move(self, key: bytes, namespace: bytes, target: bytes) -> None:
        """Give the entry at *key* the name *target* in *namespace*, in the place of whatever is there."""
        home = self.namespace(namespace)
        entry = self.touch(key)
        assert entry is not None
        self.effects.append((KEY_MOVE, key, namespace, target))
        self.table_of(self.open_namespace(), key).remove(key)
        self.last_key = None
        table = self.table_of(home, target)
        old = table.get(target)
        if self.before is not None:
            self.before.keep_key(namespace, target)
        if old is not None:
            table.remove(target)
        entry.version = self.revision
        table.put(target, entry)
        self.store.schedule(home, table)

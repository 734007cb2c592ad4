"""What a block of calls may have to put back: each key, lock and namespace it touched, as it was before the block."""

from __future__ import annotations

from typing import Protocol

from kv_protocol.errors import TooLarge
from kv_protocol.limits import MAX_UNDONE
from kv_protocol.names import slot
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.lock import Lock
from kv_server.model.store import Store

__all__ = ["Before", "Keeper"]


class Keeper(Protocol):
    """Whoever wants to know what something was like before it is changed: a block, or a snapshot being taken."""

    made: list[bytes]
    """Namespaces that came since."""

    def keep_key(self, namespace: bytes, key: bytes) -> None:
        """*key* is about to change."""

    def keep_lock(self, namespace: bytes, name: bytes) -> None:
        """The lock *name* is about to change."""


class Before:
    """The past of one block. Keys count as they lie in their table, also those past their deadline."""

    def __init__(self, store: Store, outer: Keeper | None) -> None:
        self.store = store
        self.outer = outer
        self.keys: dict[tuple[bytes, bytes], Entry | None] = {}
        self.locks: dict[tuple[bytes, bytes], Lock | None] = {}
        self.made: list[bytes] = []

    def keep_key(self, namespace: bytes, key: bytes) -> None:
        """Keep what is at *key*, once."""
        if self.outer is not None:
            self.outer.keep_key(namespace, key)
        place = namespace, key
        if place not in self.keys:
            space = self.store.namespaces.get(namespace)
            entry = space.tables[slot(key) >> self.store.shift].get(key) if space is not None else None
            if entry is not None and entry.kind != SCALAR and len(entry.value) > MAX_UNDONE:
                raise TooLarge(
                    f"a block changes no collection of more than {MAX_UNDONE:,} elements", {"limit": MAX_UNDONE}
                )
            self.keys[place] = None if entry is None else entry.copy()

    def keep_lock(self, namespace: bytes, name: bytes) -> None:
        """Keep who holds the lock *name*, once."""
        place = namespace, name
        if place not in self.locks:
            held = self.store.namespace(namespace).locks.get(name)
            self.locks[place] = held and held.twin()

    def put_back(self) -> None:
        """Let everything be as it was."""
        for (namespace, key), entry in self.keys.items():
            space = self.store.namespace(namespace)
            table = self.store.table(space, slot(key) >> self.store.shift)
            if key in table:
                table.remove(key)
            if entry is not None:
                table.put(key, entry)
                self.store.schedule(space, table)
        for (namespace, name), held in self.locks.items():
            space = self.store.namespace(namespace)
            gone = space.locks.pop(name, None)
            if gone is not None:
                space.grow_locks(-gone.weigh(name))
            if held is not None:
                space.put_lock(name, held)
                for hold in held.values():
                    self.store.leases.add(hold.until_ms, (namespace, name, hold.token))
        for namespace in self.made:
            self.store.drop(namespace)

"""One namespace: its tables by shard, the locks that are held in it, what all of that takes, and what it may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from kv_server.model.account import NEVER, Account
from kv_server.model.cache import Cache
from kv_server.model.collector import spare
from kv_server.model.lock import Lock
from kv_server.model.table import Table
from kv_server.model.terms import NO_TERMS, Terms

if TYPE_CHECKING:
    from kv_server.model.store import Store

__all__ = ["NAMESPACE_BYTES", "TABLE_BYTES", "Namespace"]

NAMESPACE_BYTES: Final = 3_000  # measured: what one costs with its name and its list of tables
TABLE_BYTES: Final = 330  # measured: the same of a table


class Namespace(Account):
    """A keyspace of its own. *bytes* and *keys* are those of all tables, with the locks in *bytes*; where they pass
    *most_bytes*, or reach *most_keys*, `Store.press` is called.
    """

    __slots__ = ("cache", "evicted", "lock_bytes", "locks", "name", "store", "tables", "terms")

    def __init__(self, name: bytes, store: Store) -> None:
        super().__init__(store)
        self.name = name
        self.store = store
        self.tables = [store.empty] * store.shards
        self.locks: dict[bytes, Lock] = {}
        self.lock_bytes = self.evicted = 0
        self.terms = NO_TERMS
        self.cache: Cache | None = None

    def __len__(self) -> int:
        return self.keys

    def live_tables(self) -> Iterator[Table]:
        return filter(None, self.tables)

    def grow_locks(self, delta: int) -> None:
        self.lock_bytes += delta
        self.grow(delta)

    def put_lock(self, name: bytes, held: Lock) -> None:
        """Keep *held* under *name*, which is free."""
        self.locks[name] = held
        spare(self.locks)
        self.grow_locks(held.weigh(name))

    # ---- what it may take
    def arm(self) -> None:
        """Have its limits noticed when they are passed."""
        self.most_bytes = self.terms.bytes or NEVER
        self.most_keys = self.terms.keys or NEVER

    def disarm(self) -> None:
        """They were noticed."""
        self.most_bytes = self.most_keys = NEVER

    @property
    def over(self) -> int:
        """How many bytes it has beyond its limit."""
        return max(0, self.bytes - (self.terms.bytes or NEVER))

    def apply(self, terms: Terms) -> None:
        """Live by *terms* from here on."""
        if terms.policy != self.terms.policy:
            self.cache = Cache(self, terms.policy) if terms.policy != "noeviction" else None
            self.store.turning.append(self.turn(self.cache))
        self.terms = terms
        self.arm()
        self.grow(0)
        if self.keys >= self.most_keys:
            self.whole.press(self)

    # ---- becoming a cache, or none
    def table(self) -> Table:
        """A table of the kind that this namespace has."""
        self.grow(TABLE_BYTES)
        return Table(self) if self.cache is None else self.cache.table(self, self.cache)

    def turn(self, cache: Cache | None) -> Iterator[None]:
        """Make the tables be those of *cache*, one at a time."""
        for shard in range(len(self.tables)):
            table = self.tables[shard]
            if cache is not self.cache:
                return
            if table is self.store.empty or table.cache is cache:
                continue
            table.due_ms = 0
            self.keys -= len(table)
            self.grow(-table.bytes - TABLE_BYTES)
            self.tables[shard] = made = self.table()
            for key, entry in table.items():
                made.put(key, entry)
            self.store.schedule(self, made)
            yield

"""The keys of one shard of one namespace, with the heap of their deadlines.

A table is a small interface: get, put, delete, iterate, account. This plain one is a dict; what is kept beside it is
the number of bytes it accounts for and the deadlines. The heap may hold entries that a later change made stale: they
are known by not matching their key's expiry, and swept out once they are a third of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from kv_server.model.entry import SCALAR, Entry

if TYPE_CHECKING:
    from kv_server.model.cache import Cache
    from kv_server.model.space import Namespace

__all__ = ["DEADLINE_BYTES", "ENTRY_BYTES", "Table"]

ENTRY_BYTES: Final = 232  # measured: what one key costs beyond the bytes of its name and value
DEADLINE_BYTES: Final = 136  # measured: the same of a deadline
_STALE_FLOOR: Final = 64  # a heap this small is not worth a sweep


class Table(dict[bytes, Entry]):
    """Entries by key. *due_ms* is the deadline under which the store has scheduled this table, 0 for none."""

    __slots__ = ("arrivals", "bytes", "cache", "deadlines", "due_ms", "expiring", "home", "order")

    def __init__(self, home: Namespace) -> None:
        super().__init__()
        self.home = home
        self.cache: Cache | None = None
        self.deadlines: list[tuple[int, bytes]] = []
        self.expiring = 0
        self.due_ms = 0
        self.bytes = 0
        self.arrivals = 0
        self.order: tuple[int, list[tuple[int, bytes]]] | None = None

    __hash__ = object.__hash__  # type: ignore[assignment]

    def grow(self, delta: int) -> None:
        """Account for *delta* bytes more: here, in the namespace and in the store."""
        self.bytes += delta
        home = self.home
        home.bytes += delta
        whole = home.whole
        whole.bytes += delta
        if home.bytes > home.most_bytes or whole.bytes > whole.most_bytes:
            whole.press(home)

    def put(self, key: bytes, entry: Entry) -> Entry:
        """Add *entry* under *key*, which must be absent; the entry as it lies here."""
        self[key] = entry
        self.arrivals += 1
        value = entry.value
        grown = len(key) + ENTRY_BYTES + (len(value) if entry.kind == SCALAR else entry.bytes)
        if entry.expires_ms:
            heappush(self.deadlines, (entry.expires_ms, key))
            self.expiring += 1
            grown += DEADLINE_BYTES
        home = self.home
        home.keys += 1
        self.grow(grown)
        if home.keys >= home.most_keys:
            home.whole.press(home)
        return entry

    def put_all(self, keys: Sequence[bytes], entries: Sequence[Entry]) -> None:
        """Add many scalars at once."""
        self.update(zip(keys, entries, strict=True))
        self.arrivals += len(keys)
        self.home.keys += len(keys)
        octets = sum(map(len, keys)) + sum(len(entry.value) for entry in entries)
        deadlines = [(entry.expires_ms, key) for key, entry in zip(keys, entries, strict=True) if entry.expires_ms]
        if deadlines:
            self.deadlines += deadlines
            heapify(self.deadlines)
            self.expiring += len(deadlines)
        self.grow(octets + len(keys) * ENTRY_BYTES + len(deadlines) * DEADLINE_BYTES)

    def remove(self, key: bytes) -> Entry:
        """Take *key*, which must be present, out."""
        entry = self.pop(key)
        self.home.keys -= 1
        self.grow(-len(key) - entry.bytes - ENTRY_BYTES)
        if entry.expires_ms:
            self.expiring -= 1
            self.sweep()
        return entry

    def set_expiry(self, key: bytes, entry: Entry, expires_ms: int) -> None:
        """Give the *entry* at *key* another deadline, 0 for none."""
        if entry.expires_ms:
            self.expiring -= 1
        entry.expires_ms = expires_ms
        if expires_ms:
            self.expiring += 1
            heappush(self.deadlines, (expires_ms, key))
            self.grow(DEADLINE_BYTES)
        self.sweep()

    def pass_deadline(self) -> None:
        """Forget the first deadline."""
        heappop(self.deadlines)
        self.grow(-DEADLINE_BYTES)

    def sweep(self) -> None:
        """Rebuild the heap of deadlines when a third of it is stale."""
        if 2 * len(self.deadlines) > 3 * self.expiring + 2 * _STALE_FLOOR:
            self.sweep_all()

    def sweep_all(self) -> None:
        """Make the heap of deadlines anew."""
        before = len(self.deadlines)
        self.deadlines = [(entry.expires_ms, key) for key, entry in self.items() if entry.expires_ms]
        heapify(self.deadlines)
        self.grow((len(self.deadlines) - before) * DEADLINE_BYTES)

"""The keys of one shard of one namespace in a dict, with the heap of their deadlines.

A table is a small interface: get, put, delete, iterate, account. This is the plain one. The heap may hold entries that
a later change made stale: they are known by not matching their key's expiry, and swept out once they are half of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import repeat
from typing import Any, Final

from kv_server.model.account import Account
from kv_server.model.entry import DEADLINE_BYTES, ENTRY_BYTES, SCALAR, Cached, Entry

__all__ = ["Table"]

_STALE_FLOOR: Final = 64  # a heap this small is not worth a sweep


class Table(dict[bytes, Entry]):
    """Entries by key. *due_ms* is the deadline under which the store has scheduled this table, 0 for none.

    With a *cache* its entries may be evicted.
    """

    __slots__ = ("arrivals", "bytes", "cache", "deadlines", "due_ms", "expiring", "home", "order")

    def __init__(self, home: Account, cache: Any = None) -> None:
        super().__init__()
        self.home = home
        self.cache = cache
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

    def peek(self, key: bytes) -> Entry | None:
        """The entry at *key*, without a mark that it was used."""
        return dict.get(self, key)

    def put(self, key: bytes, entry: Entry) -> Entry:
        """Add *entry* under *key*, which must be absent; the entry as it lies here."""
        if self.cache is not None:
            entry = Cached(key, entry)
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

    def put_all(
        self, keys: Sequence[bytes], blobs: Sequence[bytes], versions: Sequence[int], expiries: Sequence[int]
    ) -> None:
        """Add many scalars at once."""
        entries = list(map(Entry, repeat(SCALAR), blobs, versions, expiries))
        self.update(zip(keys, entries, strict=True))
        self.arrivals += len(keys)
        self.home.keys += len(keys)
        octets = sum(map(len, keys)) + sum(map(len, blobs))
        deadlines = [pair for pair in zip(expiries, keys, strict=True) if pair[0]]
        if deadlines:
            self.deadlines += deadlines
            heapify(self.deadlines)
            self.expiring += len(deadlines)
        self.grow(octets + len(keys) * ENTRY_BYTES + len(deadlines) * DEADLINE_BYTES)

    def replace(self, key: bytes, entry: Entry, value: bytes, version: int) -> Entry:
        """Let the scalar *entry* at *key* hold *value*; the entry as it lies here then."""
        grown = len(value) - len(entry.value)
        if grown:
            self.grow(grown)
        entry.value = value
        entry.version = version
        return entry

    def content(self, entry: Entry, kind: int) -> Any:
        """The value of *entry*, which lies here; None if it is of another *kind*."""
        return entry.value if entry.kind == kind else None

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

    def first_due(self) -> int:
        """The first deadline, be it stale or not; 0 if there is none."""
        return self.deadlines[0][0] if self.deadlines else 0

    def due_key(self, now_ms: int) -> bytes | None:
        """A key whose deadline has passed; it stays due until it is taken out. None when there is none."""
        deadlines = self.deadlines
        while deadlines and deadlines[0][0] <= now_ms:
            expires_ms, key = deadlines[0]
            entry = self.peek(key)
            if entry is not None and entry.expires_ms == expires_ms:
                return key
            heappop(deadlines)
            self.grow(-DEADLINE_BYTES)
        return None

    @property
    def pending(self) -> int:
        """How many deadlines there are, stale ones among them."""
        return len(self.deadlines)

    def clear_deadlines(self) -> None:
        """Forget all deadlines, without a word to the account."""
        self.deadlines = []

    def sweep(self) -> None:
        """Rebuild the heap of deadlines when half of it is stale."""
        if len(self.deadlines) > 2 * self.expiring + _STALE_FLOOR:
            self.sweep_all()

    def sweep_all(self) -> None:
        """Make the heap of deadlines anew."""
        before = len(self.deadlines)
        self.deadlines = [(entry.expires_ms, key) for key, entry in self.items() if entry.expires_ms]
        heapify(self.deadlines)
        self.grow((len(self.deadlines) - before) * DEADLINE_BYTES)

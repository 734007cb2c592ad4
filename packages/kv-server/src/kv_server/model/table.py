"""The keys of one shard of one namespace, with the heap of their deadlines.

A table is a small interface: get, put, delete, iterate, account. This plain one is a dict; what is kept beside it is
the number of bytes it accounts for and the deadlines. The heap may hold entries that a later change made stale: they
are known by not matching their key's expiry, and swept out once they outnumber the live ones.
"""

from heapq import heapify, heappush
from typing import Final

from kv_server.model.entry import Entry

__all__ = ["ENTRY_BYTES", "Table"]

ENTRY_BYTES: Final = 160  # measured: what one key costs beyond the bytes of its name and value
_STALE_FLOOR: Final = 64  # a heap this small is not worth a sweep


class Table(dict[bytes, Entry]):
    """Entries by key. *due_ms* is the deadline under which the store has scheduled this table, 0 for none."""

    __slots__ = ("arrivals", "bytes", "deadlines", "due_ms", "expiring", "order")

    def __init__(self) -> None:
        super().__init__()
        self.deadlines: list[tuple[int, bytes]] = []
        self.expiring = 0
        self.due_ms = 0
        self.bytes = 0
        self.arrivals = 0
        self.order: tuple[int, list[tuple[int, bytes]]] | None = None

    __hash__ = object.__hash__  # type: ignore[assignment]

    def put(self, key: bytes, entry: Entry) -> None:
        """Add *entry* under *key*, which must be absent."""
        self[key] = entry
        self.arrivals += 1
        self.bytes += len(key) + entry.bytes + ENTRY_BYTES
        if entry.expires_ms:
            self.note_deadline(key, entry.expires_ms)
            self.expiring += 1

    def remove(self, key: bytes) -> Entry:
        """Take *key*, which must be present, out."""
        entry = self.pop(key)
        self.bytes -= len(key) + entry.bytes + ENTRY_BYTES
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
            self.note_deadline(key, expires_ms)
        self.sweep()

    def note_deadline(self, key: bytes, expires_ms: int) -> None:
        heappush(self.deadlines, (expires_ms, key))

    def sweep(self) -> None:
        """Rebuild the heap of deadlines when most of it is stale."""
        if len(self.deadlines) > 2 * self.expiring + _STALE_FLOOR:
            self.sweep_all()

    def sweep_all(self) -> None:
        """Make the heap of deadlines anew."""
        self.deadlines = [(entry.expires_ms, key) for key, entry in self.items() if entry.expires_ms]
        heapify(self.deadlines)

"""One key's value with what the store knows of it."""

from typing import Any, Final

from kv_server.model.kinds import HASH, KINDS, LIST, SCALAR, SET, STREAM, ZSET

__all__ = [
    "CACHED_BYTES", "COLLECTION_BYTES", "DEADLINE_BYTES", "ENTRY_BYTES", "HASH", "KINDS", "LIST", "SCALAR", "SET",
    "STREAM", "ZSET", "Cached", "Entry", "Loose",
]  # fmt: skip

ENTRY_BYTES: Final = 232  # measured: what one key costs beyond the bytes of its name and value
DEADLINE_BYTES: Final = 136  # measured: the same of a deadline
CACHED_BYTES: Final = 100  # measured: what one key of a cache costs more, with the room that coming and going leaves
COLLECTION_BYTES: Final = {HASH: 120, LIST: 180, SET: 140, ZSET: 700, STREAM: 500}
"""Measured: what one takes beside its elements."""


class Entry:
    """A value of one kind, the revision of its last change, and its absolute expiry (0: none).

    The value of a scalar is its blob, that of a collection its container.
    """

    __slots__ = ("expires_ms", "kind", "value", "version")

    def __init__(self, kind: int, value: Any, version: int, expires_ms: int) -> None:
        self.kind = kind
        self.value = value
        self.version = version
        self.expires_ms = expires_ms

    @property
    def bytes(self) -> int:
        """What the value is accounted for."""
        return len(self.value) if self.kind == SCALAR else COLLECTION_BYTES[self.kind] + int(self.value.bytes)

    def copy(self) -> "Loose":
        """The same, to be changed apart."""
        value = self.value if self.kind == SCALAR else self.value.copy()
        return Loose(self.kind, value, self.version, self.expires_ms)


Loose = Entry
"""One that lies in no table."""


class Cached(Entry):
    """An entry that may be evicted while *place* is not negative: there it stands in the ring. *used* is when it was
    used last, or how often: a minute, and a count that grows ever more rarely in the lowest eight bits.
    """

    __slots__ = ("key", "place", "used")

    def __init__(self, key: bytes, entry: Entry) -> None:
        super().__init__(entry.kind, entry.value, entry.version, entry.expires_ms)
        self.key = key
        self.place = -1
        self.used = 0

"""One key's value with what the store knows of it."""

from typing import Any, Final

__all__ = ["COLLECTION_BYTES", "HASH", "KINDS", "LIST", "SCALAR", "SET", "STREAM", "ZSET", "Entry"]

SCALAR: Final = 1
HASH: Final = 2
LIST: Final = 3
SET: Final = 4
ZSET: Final = 5
STREAM: Final = 6

KINDS: Final = {SCALAR: "scalar", HASH: "hash", LIST: "list", SET: "set", ZSET: "zset", STREAM: "stream"}

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

    def copy(self) -> "Entry":
        """The same, to be changed apart."""
        value = self.value if self.kind == SCALAR else self.value.copy()
        return Entry(self.kind, value, self.version, self.expires_ms)

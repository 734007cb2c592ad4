"""One key's value with what the store knows of it."""

from typing import Final

__all__ = ["HASH", "LIST", "SCALAR", "SET", "STREAM", "ZSET", "Entry"]

SCALAR: Final = 1
HASH: Final = 2
LIST: Final = 3
SET: Final = 4
ZSET: Final = 5
STREAM: Final = 6


class Entry:
    """A value of one kind, the revision of its last change, and its absolute expiry (0: none)."""

    __slots__ = ("expires_ms", "kind", "value", "version")

    def __init__(self, kind: int, value: bytes, version: int, expires_ms: int) -> None:
        self.kind = kind
        self.value = value
        self.version = version
        self.expires_ms = expires_ms

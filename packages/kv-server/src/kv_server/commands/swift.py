"""GET, SET, INCR and DEL in their commonest form, from bytes to bytes: only the native build runs them here.

What is run swiftly passes the same gates, makes the same rows and counts as often as any call. Whatever is unusual
about a call, its key or who listens is left to the command itself.
"""

from __future__ import annotations

from typing import Protocol

from kv_server.engine.engine import Engine
from kv_server.engine.session import Session

__all__ = ["Swift", "swift_of"]


class Swift(Protocol):
    """Runs the calls at the beginning of an input, as many as are of that form."""

    calls: int
    """How many the last run had."""

    def text(self, session: Session, data: bytes, protocol: int) -> bytes:
        """Run command lines, and return their replies in the *protocol* of RESP. `taken` says how far that went."""

    def native(self, session: Session, data: bytes) -> bytes:
        """The same for frames of kv's own protocol."""

    taken: int
    """How many octets of its input the last run has read."""


def swift_of(engine: Engine) -> Swift | None:
    """What runs calls of *engine* swiftly, if anything does."""
    return None

"""Command lines of the plainest form, read and run without a stop: only the native build runs them here.

What may be run so is told by what a command declares: its words are keys, names, values and numbers in a fixed order.
Whatever is unusual about a line, or fails, is left to the way that all lines can go.
"""

from __future__ import annotations

from typing import Protocol

from kv_server.engine.engine import Engine
from kv_server.engine.session import Session
from kv_server.engine.ticks import Ticks
from kv_server.spec.command import Command
from kv_server.surfaces.pieces import Pieces

__all__ = ["Lanes", "lanes_of"]


class Lanes(Protocol):
    """Runs the lines at the beginning of an input, as many as are of that form."""

    calls: int
    """How many the last run had."""

    taken: int
    """How many octets of its input the last run has read."""

    command: Command | None
    """Whose call was the last of them."""

    long: bytes | Pieces | None
    """A reply that follows those that the last run has returned, and ended it."""

    def text(self, session: Session, data: bytes, protocol: int, ticks: Ticks) -> bytes:
        """Run command lines, and return their replies in the *protocol* of RESP."""


def lanes_of(engine: Engine) -> Lanes | None:
    """What runs plain lines for *engine*, if anything does."""
    return None

"""Ids of stream entries: milliseconds and a sequence number of 64 bits each; sixteen octets that sort as they count."""

from __future__ import annotations

from struct import Struct
from typing import Final

__all__ = ["FIRST", "LAST", "id_text", "make_id", "next_id", "parts", "previous_id"]

_ID: Final = Struct(">QQ")
FIRST: Final = bytes(16)
"""Before every entry: no entry has it."""
LAST: Final = b"\xff" * 16


def make_id(ms: int, sequence: int) -> bytes:
    """The id of two numbers of 64 bits."""
    return _ID.pack(ms, sequence)


def parts(id: bytes) -> tuple[int, int]:
    """Milliseconds and sequence number of *id*."""
    ms, sequence = _ID.unpack(id)
    return ms, sequence


def id_text(id: bytes) -> str:
    """How people read it."""
    ms, sequence = _ID.unpack(id)
    return f"{ms}-{sequence}"


def next_id(id: bytes) -> bytes:
    """The id after *id*, which is not the last."""
    return (int.from_bytes(id) + 1).to_bytes(16)


def previous_id(id: bytes) -> bytes:
    """The id before *id*, which is not the first."""
    return (int.from_bytes(id) - 1).to_bytes(16)

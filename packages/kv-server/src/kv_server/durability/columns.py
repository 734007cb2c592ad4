"""What a block of a snapshot says, as Python has it: things, one after the other, and scalars in four columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgpack import Unpacker

from kv_server.model.table import Table

__all__ = ["put_columns", "things"]

_VERSIONS: Final = range(1 << 64)
_EXPIRIES: Final = range(-(1 << 63), 1 << 63)


def things(octets: bytes) -> Iterator[list[Any]]:
    """What *octets* say, piece by piece."""
    pieces = Unpacker(max_buffer_size=0, strict_map_key=False, unicode_errors="surrogateescape")
    pieces.feed(octets)
    yield from pieces


def put_columns(table: Table, keys: list[Any], blobs: list[Any], versions: list[Any], expiries: list[Any]) -> int:
    """Add scalars to *table*; how many there were. Raises `ValueError` if they are none, or one of them was there."""
    columns = keys, blobs, versions, expiries
    if len(set(map(len, columns))) != 1:
        raise ValueError("columns of different lengths")
    if not keys:
        return 0
    if {*map(type, keys), *map(type, blobs)} != {bytes} or {*map(type, versions), *map(type, expiries)} != {int}:
        raise ValueError("columns of something else")
    if not _within(versions, _VERSIONS) or not _within(expiries, _EXPIRIES):
        raise ValueError("numbers that are too large")
    if len(set(keys)) != len(keys) or any(map(table.__contains__, keys)):
        raise ValueError("a key that was there")
    table.put_all(keys, blobs, versions, expiries)
    return len(keys)


def _within(numbers: list[int], bounds: range) -> bool:
    return min(numbers) in bounds and max(numbers) in bounds

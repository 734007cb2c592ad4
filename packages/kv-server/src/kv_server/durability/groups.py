"""The commits of a group as they lie in a frame: in columns, since most say the same of time and namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

from msgpack import unpackb

__all__ = ["Row", "pack_rows", "unpack_rows"]

Row = tuple[int, int, int, bytes, list[Any]]
"""A commit as the log has it: revision, both clocks, namespace, effects."""


def pack_rows(pack: Callable[[object], bytes], rows: Sequence[Row]) -> bytes:
    """The columns of *rows*. Of the three in the middle, one whose values are all the same is that value."""
    revisions, *middle, effects = zip(*rows, strict=True)
    shared = [column[0] if column.count(column[0]) == len(column) else column for column in middle]
    return pack([revisions, *shared, effects])


def unpack_rows(payload: bytes) -> Iterator[Row]:
    revisions, *shared, effects = unpackb(payload, strict_map_key=False, unicode_errors="surrogateescape")
    columns: list[Any] = [column if type(column) is list else repeat(column, len(revisions)) for column in shared]
    return zip(revisions, *columns, effects, strict=True)

"""Commits as they are read back from a frame of the log, in whose columns `groups` has written them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

from msgpack import unpackb

__all__ = ["Row", "unpack_rows"]

Row = tuple[int, int, int, bytes, list[Any]]
"""A commit as the log has it: revision, both clocks, namespace, effects."""


def unpack_rows(payload: bytes) -> Iterator[Row]:
    revisions, *shared, effects = unpackb(payload, strict_map_key=False, unicode_errors="surrogateescape")
    columns: list[Any] = [column if type(column) is list else repeat(column, len(revisions)) for column in shared]
    return zip(revisions, *columns, effects, strict=True)

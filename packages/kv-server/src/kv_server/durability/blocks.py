"""Scalars between tables and the blocks of snapshots, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from msgpack import Packer

from kv_server.durability.columns import put_columns, things
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.table import Table

__all__ = ["SCALARS", "Walk", "put", "rows_in", "things"]

SCALARS: Final = 1  # namespace, shard, then keys, values, versions and expiries in four rows


class Walk:
    """Goes through what *table* holds now, in slices, while it changes."""

    def __init__(self, table: Table) -> None:
        self.over = False
        """The last slice was taken."""
        self._table = table
        self._keys = iter(list(table))
        self._passed: set[bytes] = set()
        self._pack = Packer().pack

    def passed(self, key: bytes) -> bool:
        """Whether *key* is behind, if it was there when this began."""
        return key in self._passed

    def slice(self, most: int, left_out: set[bytes]) -> tuple[int, bytes, list[tuple[bytes, Entry]]]:
        """About *most* keys: how many were scalars, their four columns, and the others with their entries. What was
        changed, or added, since this began must be among *left_out*.
        """
        keys = list(islice(self._keys, most))
        self._passed.update(keys)
        self.over = len(keys) < most
        if left_out:
            keys = [key for key in keys if key not in left_out]
        found = [(key, self._table[key]) for key in keys]
        scalars = [pair for pair in found if pair[1].kind == SCALAR]
        rest = [pair for pair in found if pair[1].kind != SCALAR]
        entries = [entry for _, entry in scalars]
        columns = (
            [key for key, _ in scalars],
            [entry.value for entry in entries],
            [entry.version for entry in entries],
            [entry.expires_ms for entry in entries],
        )
        return len(scalars), b"".join(map(self._pack, columns)), rest


def put(table: Table, columns: list[Any], expected: int = 0) -> int:
    """Add the scalars of *columns* to *table*, which gets *expected* bytes of them, more or less; how many there were.
    Raises `ValueError` if they are none, or one of them was there.
    """
    return put_columns(table, *columns)


def rows_in(columns: list[Any]) -> Iterable[tuple[bytes, bytes, int, int]]:
    """The scalars of *columns*, one by one."""
    return zip(*columns, strict=True)

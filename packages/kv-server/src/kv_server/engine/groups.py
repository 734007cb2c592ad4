"""The commits of a group as they lie in a frame of the log: in columns; most say the same of time and namespace."""

from __future__ import annotations

from typing import Final

from msgpack import Packer

from kv_server.engine.logged import Row

__all__ = ["Group"]

_KEPT: Final = 1024 * 1024  # octets: a packer that has made more at once is let go


class Group(list[Row]):
    """Commits that are to be written."""

    def __init__(self) -> None:
        super().__init__()
        self._renew()

    def _renew(self) -> None:
        self._pack = Packer(unicode_errors="surrogateescape", autoreset=True).pack

    @property
    def last(self) -> int:
        """The revision of the last of them."""
        return self[-1][0]

    def packed(self) -> bytes:
        """Their columns. Of the three in the middle, one whose values are all the same is that value."""
        revisions, *middle, effects = zip(*self, strict=True)
        shared = [column[0] if column.count(column[0]) == len(column) else column for column in middle]
        data: bytes = self._pack([revisions, *shared, effects])
        if len(data) > _KEPT:
            self._renew()
        return data

"""Lists: value blobs in order, in one array with room at both ends.

Either end is pushed to and popped from in one step, on average; any place is read in one step. A change in the middle
moves what lies behind it, as one block of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from kv_server.model.container import CONTAINERS, Piece
from kv_server.model.entry import LIST
from kv_server.model.steps import Steps, parts

__all__ = ["ELEMENT_BYTES", "List"]

ELEMENT_BYTES: Final = 45  # measured: what one element costs beyond its bytes
_FREE: Final = b""  # fills the room before the first element
_LEAST_ROOM: Final = 16


class List:
    """The elements of one list: `cells` from `head` on."""

    __slots__ = ("bytes", "cells", "head")

    def __init__(self, blobs: Iterable[bytes] = ()) -> None:
        self.cells = list(blobs)
        self.head = 0
        self.bytes = weight(self.cells)

    def __len__(self) -> int:
        return len(self.cells) - self.head

    def __eq__(self, other: object) -> bool:
        return isinstance(other, List) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]

    # ---- reads
    def at(self, place: int) -> bytes | None:
        """The element at *place*, from the end if that is negative; None beyond either end."""
        place += len(self.cells) if place < 0 else self.head
        return self.cells[place] if self.head <= place < len(self.cells) else None

    def part(self, start: int, end: int) -> list[bytes]:
        """The elements from *start* up to *end*, places from the first one."""
        return self.cells[self.head + start : self.head + end]

    def places(self, blob: bytes, *, backward: bool, most: int) -> Iterator[int]:
        """Where *blob* stands among the first *most* elements, or *backward* among the last, the nearest first."""
        size = len(self)
        if backward:
            for place in range(size - 1, max(size - most, 0) - 1, -1):
                if self.cells[self.head + place] == blob:
                    yield place
            return
        at, end = self.head, self.head + min(size, most)
        while True:
            try:
                at = self.cells.index(blob, at, end)
            except ValueError:
                return
            yield at - self.head
            at += 1

    # ---- changes; each returns by how much the account grows, or what was taken out
    def push(self, left: bool, blobs: Sequence[bytes]) -> int:
        """Add *blobs* one after the other at the left or the right end."""
        if left:
            if self.head < len(blobs):
                room = max(len(blobs), len(self) // 2, _LEAST_ROOM)
                self.cells[: self.head] = [_FREE] * room
                self.head = room
            start = self.head - len(blobs)
            self.cells[start : self.head] = blobs[::-1]
            self.head = start
        else:
            self.cells += blobs
        return weight(blobs)

    def pop(self, left: bool, count: int) -> list[bytes]:
        """Take up to *count* elements off one end, the outermost first."""
        count = min(count, len(self))
        if not left:
            end = len(self.cells) - count
            taken = self.cells[end:]
            del self.cells[end:]
            taken.reverse()
            return taken
        head, self.head = self.head, self.head + count
        taken = self.cells[head : self.head]
        if self.head > _LEAST_ROOM and self.head * 2 > len(self.cells):
            del self.cells[: self.head]
            self.head = 0
        else:
            self.cells[head : self.head] = [_FREE] * count
        return taken

    def set(self, place: int, blob: bytes) -> int:
        """Put *blob* in the place of the element at *place*."""
        old = self.cells[self.head + place]
        self.cells[self.head + place] = blob
        return len(blob) - len(old)

    def insert(self, place: int, blob: bytes) -> int:
        """Add *blob* before the element at *place*."""
        self.cells.insert(self.head + place, blob)
        return len(blob) + ELEMENT_BYTES

    def remove(self, places: Sequence[int]) -> None:
        """Take out the elements at *places*, which ascend."""
        kept: list[bytes] = []
        start = self.head
        for place in places:
            kept += self.cells[start : self.head + place]
            start = self.head + place + 1
        kept += self.cells[start:]
        self.cells, self.head = kept, 0

    # ---- as a container
    def copy(self) -> List:
        """The same, to be changed apart."""
        made = List.__new__(List)
        made.cells, made.head, made.bytes = self.dump(), 0, self.bytes
        return made

    def pieces(self) -> list[Piece]:
        return [self.cells]

    def dump(self) -> Any:
        """The elements in their order."""
        return self.cells[self.head :]

    @classmethod
    def load(cls, dumped: Any) -> List:
        """The list that was dumped."""
        return cls(dumped)

    @classmethod
    def loading(cls, dumped: Any) -> Steps[List]:
        made = cls()
        for part in parts(dumped):
            made.bytes += made.push(False, part)
            yield
        return made


def weight(blobs: Sequence[bytes]) -> int:
    """What *blobs* are accounted for."""
    return sum(map(len, blobs)) + ELEMENT_BYTES * len(blobs)


CONTAINERS[LIST] = List

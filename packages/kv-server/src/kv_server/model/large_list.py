"""Lists of any length: value blobs in order, in one array with room at both ends.

Either end is pushed to and popped from in one step, on average; any place is read in one step. A change in the middle
moves what lies behind it, as one block of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from kv_server.model.container import Piece
from kv_server.model.steps import Steps, parts

__all__ = ["LargeList", "weight"]

ELEMENT_BYTES: Final = 45  # measured: what one element costs beyond its bytes
_FREE: Final = b""  # fills the room before the first element
_LEAST_ROOM: Final = 16


class LargeList:
    """The elements of one list: `cells` from `head` on."""

    __slots__ = ("bytes", "cells", "head")

    def __init__(self, blobs: Iterable[bytes] = ()) -> None:
        self.cells = list(blobs)
        self.head = 0
        self.bytes = weight(self.cells)

    def __len__(self) -> int:
        return len(self.cells) - self.head

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LargeList) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]

    # ---- reads
    def at(self, place: int) -> bytes | None:
        """The element at *place*, from the end if that is negative; None beyond either end."""
        place += len(self.cells) if place < 0 else self.head
        return self.cells[place] if self.head <= place < len(self.cells) else None

    def part(self, start: int, end: int) -> list[bytes]:
        """The elements from *start* up to *end*, places from the first one."""
        return self.cells[self.head + start : self.head + end]

    def places(self, blob: bytes, *, backward: bool, most: int, skip: int = 0, count: int | None = None) -> list[int]:
        """Where *blob* stands among the first *most* elements, or *backward* among the last, the nearest first: *count*
        places (all unless given) after the first *skip*.
        """
        found = self._search(blob, backward, most)
        return list(islice(found, skip, None if count is None else skip + count))

    def _search(self, blob: bytes, backward: bool, most: int) -> Iterator[int]:
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

    # ---- changes; each returns by how much the account grows
    def push(self, left: bool, blobs: Sequence[bytes]) -> int:
        """Add *blobs* one after the other at the left or the right end."""
        count = len(blobs)
        grown = weight(blobs)
        self.bytes += grown
        if not left:
            if count == 1:
                self.cells.append(blobs[0])
            else:
                self.cells += blobs
            return grown
        if self.head < count:
            room = max(count, len(self) // 2, _LEAST_ROOM)
            self.cells[: self.head] = [_FREE] * room
            self.head = room
        start = self.head - count
        if count == 1:
            self.cells[start] = blobs[0]
        else:
            self.cells[start : self.head] = blobs[::-1]
        self.head = start
        return grown

    def pop(self, left: bool, count: int) -> tuple[list[bytes], int]:
        """Take up to *count* elements off one end: these, the outermost first, and by how much the account grows."""
        size = len(self.cells)
        count = min(count, size - self.head)
        head = self.head
        if not left:
            if count == 1:
                taken = [self.cells.pop()]
            else:
                taken = self.cells[size - count :]
                del self.cells[size - count :]
                taken.reverse()
            return taken, self.shrink(taken)
        self.head += count
        if count == 1:
            taken = [self.cells[head]]
            self.cells[head] = _FREE
        else:
            taken = self.cells[head : self.head]
            self.cells[head : self.head] = [_FREE] * count
        if self.head > _LEAST_ROOM and self.head * 2 > size:
            del self.cells[: self.head]
            self.head = 0
        return taken, self.shrink(taken)

    def trim(self, start: int, end: int) -> int:
        """Keep the elements from *start* up to *end* alone, places within the list."""
        if not 0 <= start <= end <= len(self):
            raise IndexError(start, end)
        _, right = self.pop(False, len(self) - end)
        _, left = self.pop(True, start)
        return right + left

    def shrink(self, taken: Sequence[bytes]) -> int:
        """Account for what was *taken* out."""
        gone = weight(taken)
        self.bytes -= gone
        return -gone

    def set(self, place: int, blob: bytes) -> int:
        """Put *blob* in the place of the element at *place*."""
        old = self.cells[self.head + place]
        self.cells[self.head + place] = blob
        self.bytes += len(blob) - len(old)
        return len(blob) - len(old)

    def insert(self, place: int, blob: bytes) -> int:
        """Add *blob* before the element at *place*."""
        self.cells.insert(self.head + place, blob)
        self.bytes += len(blob) + ELEMENT_BYTES
        return len(blob) + ELEMENT_BYTES

    def remove(self, places: Sequence[int]) -> int:
        """Take out the elements at *places*, which ascend."""
        grown = self.shrink([self.cells[self.head + place] for place in places])
        kept: list[bytes] = []
        start = self.head
        for place in places:
            kept += self.cells[start : self.head + place]
            start = self.head + place + 1
        kept += self.cells[start:]
        self.cells, self.head = kept, 0
        return grown

    # ---- as a container
    def copy(self) -> LargeList:
        """The same, to be changed apart."""
        made = LargeList.__new__(LargeList)
        made.cells, made.head, made.bytes = self.dump(), 0, self.bytes
        return made

    def pieces(self) -> list[Piece]:
        return [self.cells]

    def dump(self) -> Any:
        """The elements in their order."""
        return self.cells[self.head :]

    @classmethod
    def load(cls, dumped: Any) -> LargeList:
        """The list that was dumped."""
        return cls(dumped)

    @classmethod
    def loading(cls, dumped: Any) -> Steps[LargeList]:
        made = cls()
        for part in parts(dumped):
            made.push(False, part)
            yield
        return made


def weight(blobs: Sequence[bytes]) -> int:
    """What *blobs* are accounted for."""
    if len(blobs) == 1:
        only = blobs[0]
        return len(only) + ELEMENT_BYTES
    return sum(map(len, blobs)) + ELEMENT_BYTES * len(blobs)

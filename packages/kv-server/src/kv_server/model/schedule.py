"""Things by the time they fall due at. What became stale is skipped, and swept out once it is the greater part."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

__all__ = ["Schedule"]

T = TypeVar("T")
_FLOOR: Final = 64  # a heap this small is not worth a sweep


class Schedule(Generic[T]):
    """A heap of deadlines. *counts* says whether a thing still falls due at the time it was added with."""

    __slots__ = ("_bound", "_counts", "_tick", "heap")

    def __init__(self, counts: Callable[[int, T], bool]) -> None:
        self.heap: list[tuple[int, int, T]] = []
        self._counts = counts
        self._bound = _FLOOR
        self._tick = count()

    @property
    def first_ms(self) -> int | None:
        """Not later than anything falls due; None if nothing ever does."""
        return self.heap[0][0] if self.heap else None

    def add(self, due_ms: int, thing: T) -> None:
        heappush(self.heap, (due_ms, next(self._tick), thing))
        if len(self.heap) > self._bound:
            counts = self._counts
            self.heap[:] = [entry for entry in self.heap if counts(entry[0], entry[2])]
            heapify(self.heap)
            self._bound = 2 * len(self.heap) + _FLOOR

    def peek(self, until_ms: int) -> T | None:
        """What falls due first, if that is by *until_ms*."""
        heap = self.heap
        while heap and heap[0][0] <= until_ms:
            due_ms, _, thing = heap[0]
            if self._counts(due_ms, thing):
                return thing
            heappop(heap)
        return None

    def take(self, until_ms: int) -> T | None:
        """The same, which is then no longer scheduled."""
        thing = self.peek(until_ms)
        if thing is not None:
            heappop(self.heap)
        return thing

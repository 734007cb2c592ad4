"""Things by their ids, kept in the order of ids: mostly added at the end, taken from the beginning, looked up by range.

An id that was taken out may go on standing in the order for a while; one is known to be dead by not being found. The
order is swept once the dead outnumber the living, and it never begins or ends with a dead one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import gt
from typing import Final, Generic, Self, TypeVar

from kv_server.model.collector import spare, spare_all
from kv_server.model.container import Piece

__all__ = ["Ledger"]

V = TypeVar("V")

_STALE_FLOOR: Final = 64  # an order with so few dead ids is not worth a sweep


class Ledger(Generic[V]):
    """What is in it by id (`found`), and walks over it in both directions."""

    __slots__ = ("_head", "_order", "found")

    def __init__(self) -> None:
        self.found: dict[bytes, V] = {}
        self._order: list[bytes] = []
        self._head = 0
        spare(self)
        self._spare(())

    @classmethod
    def of(cls, ids: Sequence[bytes], things: Sequence[V]) -> Self:
        """One that keeps *things* under *ids*, which ascend. Raises `ValueError` where one comes twice."""
        made = cls()
        made.found = dict(zip(ids, things, strict=True))
        made._order = list(ids)
        if len(made.found) != len(made._order):
            raise ValueError("an id twice")
        made._spare(things)
        return made

    def __len__(self) -> int:
        return len(self.found)

    def put(self, id: bytes, thing: V) -> None:
        """Keep *thing* under *id*, in the place of what is there."""
        order = self._order
        if id not in self.found:
            if not order or id > order[-1]:
                order.append(id)
            else:
                at = bisect_left(order, id, self._head)
                if order[at] != id:
                    order.insert(at, id)
        spare(thing)
        self.found[id] = thing
        spare(self.found)

    def take(self, id: bytes) -> V:
        """Take out what is under *id*, which must be there."""
        thing = self.found.pop(id)
        found, order = self.found, self._order
        if not found:
            order.clear()
            self._head = 0
            return thing
        while order[self._head] not in found:
            self._head += 1
        while order[-1] not in found:
            order.pop()
        if len(order) > 2 * len(found) + _STALE_FLOOR:
            self._order = [id for id in islice(order, self._head, None) if id in found]
            self._head = 0
            spare(self._order)
        return thing

    def put_all(self, ids: Sequence[bytes], things: Sequence[V]) -> None:
        """Keep *things* under *ids*, each once, none of which is in here."""
        order = self._order
        if (order and ids[0] <= order[-1]) or any(map(gt, ids, islice(ids, 1, None))):
            for id, thing in zip(ids, things, strict=True):
                self.put(id, thing)
            return
        order += ids
        self.found.update(zip(ids, things, strict=True))
        self._spare(things)

    def copy(self) -> Ledger[V]:
        """The same, to be changed apart; what is in it is in both."""
        made: Ledger[V] = Ledger()
        made.found, made._order, made._head = self.found.copy(), self._order.copy(), self._head
        made._spare(())
        return made

    def _spare(self, things: Iterable[V]) -> None:
        """Have the collector look neither at *things*, which came, nor at what they are kept in."""
        spare_all(things)
        spare(self.found)
        spare(self._order)

    def pieces(self) -> list[Piece]:
        """All it is made of, to be emptied."""
        return [self.found, self._order]

    def first(self) -> bytes | None:
        """The lowest id; None if nothing is in here."""
        return self._order[self._head] if self.found else None

    def last(self) -> bytes | None:
        """The highest id."""
        return self._order[-1] if self.found else None

    def upward(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, V]]:
        """What lies between two ids, both included, the lowest first. Nothing may change meanwhile."""
        order, found = self._order, self.found
        for at in range(bisect_left(order, low, self._head), len(order)):
            id = order[at]
            if id > high:
                return
            if id in found:
                yield id, found[id]

    def between(
        self, low: bytes, high: bytes, count: int | None, *, backwards: bool = False
    ) -> list[tuple[bytes, V]]:  # fmt: skip
        """At most *count* of them, the lowest first, or *backwards* the highest."""
        ids = self.ids(low, high, count, backwards=backwards)
        return list(zip(ids, map(self.found.__getitem__, ids), strict=True))

    def ids(self, low: bytes, high: bytes, count: int | None, *, backwards: bool = False) -> list[bytes]:
        """The ids of at most *count* of them, the lowest first, or *backwards* the highest."""
        order, found = self._order, self.found
        if len(order) - self._head != len(found):
            walk = (self.downward if backwards else self.upward)(low, high)
            return [id for id, _ in islice(walk, count)]
        start = bisect_left(order, low, self._head)
        stop = bisect_right(order, high, start)
        if count is not None and count < stop - start:
            start, stop = (stop - count, stop) if backwards else (start, start + count)
        ids = order[start:stop]
        if backwards:
            ids.reverse()
        return ids

    def downward(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, V]]:
        """The same, the highest first."""
        order, found = self._order, self.found
        for at in range(bisect_right(order, high, self._head) - 1, self._head - 1, -1):
            id = order[at]
            if id < low:
                return
            if id in found:
                yield id, found[id]

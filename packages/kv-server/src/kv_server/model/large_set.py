"""Sets of names, however large. A dict says at which place of a list each member stands, so adding, removing, picking
and walking by place are all one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, count, filterfalse, islice
from random import Random
from typing import Any, Final, TypeVar

from kv_server.model.container import Piece
from kv_server.model.steps import Steps, parts

__all__ = ["MEMBER_BYTES", "LargeSet", "few", "sample", "weight"]

MEMBER_BYTES: Final = 110  # measured: what one member costs beyond its bytes
_FEW: Final = 64  # so many changes are made one by one

T = TypeVar("T")


def few(changes: int, size: int) -> bool:
    """Whether so many *changes* to *size* elements are made one by one sooner than all at once."""
    return changes <= _FEW or changes * 4 < size


def sample(dice: Random, population: Sequence[T], count: int) -> list[T]:
    """*count* of *population*, at most all of them, by chance and in any order; large ones without a throw for each."""
    size = len(population)
    if count <= _FEW:
        return dice.sample(population, count)
    throws = Random(dice.getrandbits(64))
    if count * 8 > size:
        return list(compress(population, mask(throws, size, count)))
    chosen: dict[int, None] = {}
    while len(chosen) < count:
        numbers = memoryview(throws.randbytes(8 * (count - len(chosen)))).cast("Q")
        chosen |= dict.fromkeys(map(size.__rmod__, numbers))
    return list(map(population.__getitem__, chosen))


def mask(throws: Random, size: int, count: int) -> bytearray:
    """*size* zeros and ones, *count* of them ones, by chance: about so many at first, then some more or less."""
    likely = 256 * count // size
    drawn = bytearray(throws.randbytes(size).translate(b"\1" * likely + bytes(256 - likely)))
    left = count - drawn.count(1)
    missing = int(left > 0)
    while left:
        place = throws.randrange(size)
        if drawn[place] != missing:
            drawn[place] = missing
            left += 1 - 2 * missing
    return drawn


def numbers(count: int) -> Iterator[int]:
    """0, 1, and so on, *count* of them: the same objects for all sets."""
    _numbers.extend(range(len(_numbers), count))
    return islice(_numbers, count)


_numbers: Final[list[int]] = []


class LargeSet:
    """Members in an order that follows from what was done to them alone."""

    __slots__ = ("bytes", "members", "places")

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        self.members = list(members)
        self.places = dict(zip(self.members, numbers(len(self.members)), strict=True))
        self.bytes = weight(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, member: bytes) -> bool:
        return member in self.places

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.members)

    def which(self, names: Iterable[bytes], there: bool) -> list[bytes]:
        """Those of *names* that are in it; or, unless they are to be *there*, those that are not."""
        return list((filter if there else filterfalse)(self.places.__contains__, names))

    def picked(self, places: Iterable[int]) -> list[bytes]:
        """The members at *places*."""
        return list(map(self.members.__getitem__, places))

    def add(self, member: bytes) -> int:
        """Add *member*, which must not be there yet, and return what it is accounted for."""
        self.places[member] = len(self.members)
        self.members.append(member)
        self.bytes += len(member) + MEMBER_BYTES
        return len(member) + MEMBER_BYTES

    def add_all(self, members: Sequence[bytes]) -> int:
        """Add *members*, each once, none of which is there yet; what they are accounted for."""
        self.places.update(zip(members, count(len(self.members)), strict=False))
        self.members += members
        self.bytes += weight(members)
        return weight(members)

    def remove(self, member: bytes) -> int:
        """Take out *member*, which must be there, and return what it was accounted for. The last takes its place."""
        place = self.places.pop(member)
        last = self.members.pop()
        if place < len(self.members):
            self.members[place] = last
            self.places[last] = place
        self.bytes -= len(member) + MEMBER_BYTES
        return len(member) + MEMBER_BYTES

    def remove_all(self, members: Sequence[bytes], garbage: list[Piece]) -> int:
        """Take out *members*, each once, all of them there, and return what they were accounted for.

        The others move up. What is to be freed in slices comes to *garbage*.
        """
        before = self.pieces()
        self.cut(members)
        garbage += before
        return weight(members)

    def cut(self, members: Sequence[bytes]) -> bytearray:
        """The same; of each place, whether it was kept. What it was made of before is left as it was."""
        kept = bytearray(b"\1") * len(self.members)
        for place in map(self.places.__getitem__, members):
            kept[place] = 0
        self.members = list(compress(self.members, kept))
        self.places = dict(zip(self.members, numbers(len(self.members)), strict=True))
        self.bytes -= weight(members)
        return kept

    def page(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Up to *count* members, and the cursor of the next page; 0 begins, and ends.

        The walk goes down the places. A member that goes is replaced by one from further up, so whoever stays is met,
        and is met twice only if it had to take such a place.
        """
        top = min(cursor or len(self.members), len(self.members))
        end = max(top - count, 0)
        return end, self.members[end:top][::-1]

    def copy(self) -> LargeSet:
        """The same, to be changed apart."""
        made = LargeSet.__new__(LargeSet)
        made.members, made.places, made.bytes = self.members.copy(), self.places.copy(), self.bytes
        return made

    def pieces(self) -> list[Piece]:
        return [self.members, self.places]

    def dump(self) -> Any:
        """The members in their order."""
        return self.members.copy()

    @classmethod
    def load(cls, dumped: Any) -> LargeSet:
        """The set that was dumped."""
        made = cls(dumped)
        if len(made.places) != len(made.members):
            raise ValueError("a member twice")
        return made

    @classmethod
    def loading(cls, dumped: Any) -> Steps[LargeSet]:
        made = cls()
        places = numbers(len(dumped))
        for part in parts(dumped):
            made.places.update(zip(part, places, strict=False))
            made.members += part
            made.bytes += weight(part)
            yield
        if len(made.places) != len(made.members):
            raise ValueError("a member twice")
        return made


def weight(members: Sequence[bytes]) -> int:
    """What *members* are accounted for."""
    return sum(map(len, members)) + MEMBER_BYTES * len(members)

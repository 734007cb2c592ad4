"""Sets of names. A dict says at which place of a list each member stands, so adding, removing, picking and walking by
place are all one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import SET

__all__ = ["MEMBER_BYTES", "Set"]

MEMBER_BYTES: Final = 130  # measured: what one member costs beyond its bytes


class Set:
    """Members in an order that follows from what was done to them alone."""

    __slots__ = ("bytes", "members", "places")

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        self.members = list(members)
        self.places = {member: place for place, member in enumerate(self.members)}
        self.bytes = sum(map(len, self.members)) + MEMBER_BYTES * len(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, member: bytes) -> bool:
        return member in self.places

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.members)

    def add(self, member: bytes) -> int:
        """Add *member*, which must not be there yet, and return what it is accounted for."""
        self.places[member] = len(self.members)
        self.members.append(member)
        return len(member) + MEMBER_BYTES

    def remove(self, member: bytes) -> int:
        """Take out *member*, which must be there, and return what it was accounted for. The last takes its place."""
        place = self.places.pop(member)
        last = self.members.pop()
        if place < len(self.members):
            self.members[place] = last
            self.places[last] = place
        return len(member) + MEMBER_BYTES

    def page(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Up to *count* members, and the cursor of the next page; 0 begins, and ends.

        The walk goes down the places. A member that goes is replaced by one from further up, so whoever stays is met,
        and is met twice only if it had to take such a place.
        """
        top = min(cursor or len(self.members), len(self.members))
        end = max(top - count, 0)
        return end, self.members[end:top][::-1]

    def copy(self) -> Set:
        """The same, to be changed apart."""
        made = Set.__new__(Set)
        made.members, made.places, made.bytes = self.members.copy(), self.places.copy(), self.bytes
        return made

    def dump(self) -> Any:
        """The members in their order."""
        return self.members.copy()

    @classmethod
    def load(cls, dumped: Any) -> Set:
        """The set that was dumped."""
        return cls(dumped)


CONTAINERS[SET] = Set

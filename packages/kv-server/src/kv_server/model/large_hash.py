"""Hashes, however large: value blobs by field. Fields stand in the order in which they came."""

from __future__ import annotations

from itertools import chain
from random import Random
from typing import Any, Final

from kv_server.model.container import Piece
from kv_server.model.large_set import LargeSet, sample
from kv_server.model.steps import Steps, parts

__all__ = ["FIELD_BYTES", "LargeHash"]

FIELD_BYTES: Final = 115  # measured: what one field costs beyond the bytes of its name and value
_SMALL: Final = 512  # a hash of so many fields is walked in one page


class LargeHash(dict[bytes, bytes]):
    """The fields of one hash. Only a large one that is walked over or picked from keeps the *places* of its fields."""

    __slots__ = ("bytes", "places")

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.places: LargeSet | None = None

    __hash__ = object.__hash__  # type: ignore[assignment]

    def put(self, field: bytes, blob: bytes) -> int:
        """Set *field* to *blob*, and return by how much the account grows."""
        old = self.get(field)
        self[field] = blob
        if old is not None:
            grown = len(blob) - len(old)
        else:
            grown = len(field) + len(blob) + FIELD_BYTES
            if self.places is not None:
                self.places.add(field)
        self.bytes += grown
        return grown

    def drop(self, field: bytes) -> int:
        """Take out *field*, which must be there, and return by how much the account shrinks."""
        blob = self.pop(field)
        if self.places is not None:
            self.places.remove(field)
        shrunk = len(field) + len(blob) + FIELD_BYTES
        self.bytes -= shrunk
        return shrunk

    def page(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """About *count* fields with their values, and the cursor of the next page; 0 begins, and ends."""
        if not cursor and len(self) <= _SMALL:
            return 0, list(self.items())
        following, fields = self.placed().page(cursor, count)
        return following, list(zip(fields, map(self.__getitem__, fields), strict=True))

    def pick(self, count: int, dice: Random, *, repeats: bool) -> list[tuple[bytes, bytes]]:
        """*count* fields by chance with their values; unless there may be *repeats*, at most each of them once."""
        if not repeats and count >= len(self):
            return list(self.items())
        fields = self.placed().members if len(self) > _SMALL else list(self)
        chosen = dice.choices(fields, k=count) if repeats else sample(dice, fields, count)
        return list(zip(chosen, map(self.__getitem__, chosen), strict=True))

    def placed(self) -> LargeSet:
        """The fields with a place for each, kept from here on if there are many."""
        if self.places is not None:
            return self.places
        places = LargeSet(self)
        if len(self) > _SMALL:
            self.places = places
        return places

    def mapping(self) -> dict[bytes, bytes]:
        """All fields with their values, to be changed apart."""
        return dict.copy(self)

    def copy(self) -> LargeHash:
        """The same, to be changed apart."""
        made = LargeHash()
        made.update(self)
        made.bytes = self.bytes
        return made

    def pieces(self) -> list[Piece]:
        return [self, *(self.places.pieces() if self.places is not None else ())]

    def dump(self) -> Any:
        """Each field followed by its value."""
        return list(chain.from_iterable(self.items()))

    @classmethod
    def load(cls, dumped: Any) -> LargeHash:
        """The hash that was dumped."""
        made = cls()
        made.update(zip(dumped[::2], dumped[1::2], strict=True))
        if 2 * len(made) != len(dumped):
            raise ValueError("a field twice")
        made.bytes = sum(map(len, made)) + sum(map(len, made.values())) + FIELD_BYTES * len(made)
        return made

    @classmethod
    def loading(cls, dumped: Any) -> Steps[LargeHash]:
        made = cls()
        for part in parts(dumped):
            made.update(zip(part[::2], part[1::2], strict=True))
            made.bytes += sum(map(len, part)) + FIELD_BYTES * (len(part) // 2)
            yield
        if 2 * len(made) != len(dumped):
            raise ValueError("a field twice")
        return made

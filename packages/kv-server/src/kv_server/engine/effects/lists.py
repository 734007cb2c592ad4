"""Lists: value blobs in order under one key."""

from __future__ import annotations

from kv_server.engine.effects.hashes import HashEffects
from kv_server.engine.rows import LIST_INSERT, LIST_POP, LIST_PUSH, LIST_REMOVE, LIST_SET, LIST_TRIM
from kv_server.model.entry import LIST
from kv_server.model.list import List

__all__ = ["ListEffects"]


class ListEffects(HashEffects):
    """What commands read and change about lists. No such key reads as a list without elements."""

    def list_of(self, key: bytes) -> List | None:
        elements: List | None = self.read(key, LIST)
        return elements

    def list_len(self, key: bytes) -> int:
        elements = self.list_of(key)
        return len(elements) if elements is not None else 0

    def list_at(self, key: bytes, place: int) -> bytes | None:
        """The element at *place*, from the end if that is negative."""
        elements = self.list_of(key)
        return elements.at(place) if elements is not None else None

    def list_part(self, key: bytes, start: int, end: int) -> list[bytes]:
        """The elements from *start* up to *end*, places from the first one."""
        elements = self.list_of(key)
        return elements.part(start, end) if elements is not None else []

    def list_places(
        self, key: bytes, blob: bytes, *, backward: bool, most: int, skip: int, count: int | None
    ) -> list[int]:
        """Where *blob* stands: *count* places (None: all) after the first *skip*, looking at *most* elements."""
        elements = self.list_of(key)
        if elements is None or skip >= len(elements):
            return []
        wanted = None if count is None else min(count, len(elements))
        return elements.places(blob, backward=backward, most=most, skip=skip, count=wanted)

    def list_push(self, key: bytes, left: bool, *blobs: bytes) -> None:
        """Add *blobs*, one after the other, at the left or the right end."""
        self.list_add(key, left, blobs)

    def list_add(self, key: bytes, left: bool, blobs: tuple[bytes, ...]) -> int:
        """The same, and how many elements there are then."""
        elements: List = self.open_collection(key, LIST)
        self.effects.append((LIST_PUSH, key, left, blobs[0]) if len(blobs) == 1 else (LIST_PUSH, key, left) + blobs)
        self.close_collection(key, elements, elements.push(left, blobs))
        return len(elements)

    def list_pop(self, key: bytes, left: bool, count: int) -> list[bytes]:
        """Take *count* elements, or all if there are fewer, off one end; with the last one goes the key."""
        elements: List = self.open_collection(key, LIST)
        self.effects.append((LIST_POP, key, left, count))
        taken, grown = elements.pop(left, count)
        self.close_collection(key, elements, grown)
        return taken

    def list_set(self, key: bytes, place: int, blob: bytes) -> None:
        """Put *blob* in the place of the element at *place*."""
        elements: List = self.open_collection(key, LIST)
        self.effects.append((LIST_SET, key, place, blob))
        self.close_collection(key, elements, elements.set(place, blob))

    def list_insert(self, key: bytes, place: int, blob: bytes) -> None:
        """Add *blob* before the element at *place*; behind the last if there is none."""
        elements: List = self.open_collection(key, LIST)
        self.effects.append((LIST_INSERT, key, place, blob))
        self.close_collection(key, elements, elements.insert(place, blob))

    def list_remove(self, key: bytes, blob: bytes, backward: bool, count: int) -> int:
        """Take out the first, or *backward* the last, *count* elements that are *blob* (0: all); how many it were."""
        elements: List = self.open_collection(key, LIST)
        self.effects.append((LIST_REMOVE, key, blob, backward, count))
        wanted = min(count, len(elements)) or None
        found = elements.places(blob, backward=backward, most=len(elements), count=wanted)
        self.close_collection(key, elements, elements.remove(found[::-1] if backward else found))
        return len(found)

    def list_trim(self, key: bytes, start: int, end: int) -> None:
        """Keep the elements from *start* up to *end* alone, places within the list; if that is none, the key goes."""
        elements: List = self.open_collection(key, LIST)
        self.effects.append((LIST_TRIM, key, start, end))
        self.close_collection(key, elements, elements.trim(start, end))

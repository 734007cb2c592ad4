"""Runs of calls, and changes: the newest, up to a number; the oldest is forgotten for each that comes then.

Each has the number of those that ever came before it. They are read as plain tuples.
"""

from __future__ import annotations

from typing import Any, Self

__all__ = ["Changes", "Runs"]


class _Past:
    """The newest *most*."""

    __slots__ = ("_kept", "end", "most")

    def __init__(self, most: int = 0) -> None:
        self.most = max(most, 0)
        self.end = 0
        """The number of the next."""
        self._kept: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, place: int) -> tuple[Any, ...]:
        """The one at *place*: the oldest is at 0."""
        return self._kept[range(self.end - len(self._kept), self.end)[place] % self.most]

    def last(self, most: int) -> Self:
        """Another that keeps so many, with the newest of these."""
        made = type(self)(most)
        made._kept = [self[place] for place in range(max(0, len(self) - most), len(self))]
        made.end = len(made)
        return made

    def _keep(self, entry: tuple[Any, ...]) -> None:
        if len(self._kept) < self.most:
            self._kept.append(entry)
        elif self.most:
            self._kept[self.end % self.most] = entry
        else:
            return
        self.end += 1


class Runs(_Past):
    """Calls of one command that had revisions one after the other."""

    __slots__ = ()

    def add(self, first: int, end: int, now_ms: int, session: int, command: str) -> None:
        """Remember the calls of *command* from revision *first* up to *end*."""
        self._keep((first, end, now_ms, session, command))


class Changes(_Past):
    """What happened to keys."""

    __slots__ = ()

    def add(
        self, revision: int, now_ms: int, namespace: bytes, key: bytes | None, what: str, command: str | None,
        session: int | None, other: tuple[bytes, bytes] | None, version: int,
    ) -> None:  # fmt: skip
        """Remember one change."""
        self._keep((revision, now_ms, namespace, key, what, command, session, other, version))

    def rename(self, count: int, what: str, other: tuple[bytes, bytes]) -> None:
        """The last *count* happened because of *other*."""
        for number in range(self.end - min(count, len(self)), self.end):
            entry = self._kept[number % self.most]
            self._kept[number % self.most] = (*entry[:4], what, *entry[5:7], other, entry[8])

    def about(self, key: bytes, end: int, count: int) -> list[tuple[Any, ...]]:
        """Of the *count* before number *end*, those still kept that concern *key*, or all keys, the latest first."""
        numbers = range(max(end - count, self.end - len(self)), min(end, self.end))
        entries = [self._kept[number % self.most] for number in reversed(numbers)]
        return [entry for entry in entries if entry[3] is None or entry[3] == key]

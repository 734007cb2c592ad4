"""What Python's collector of garbage need not look at. Where a compiler was, the leaf takes it off its lists."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["spare", "spare_all"]


def spare(thing: object) -> None:
    """Spare the collector *thing*, which is in no cycle: it is freed with whoever holds it.

    A dict is to be spared again when an object was put into it that the collector could know.
    """


def spare_all(things: Iterable[object]) -> None:
    """The same for each of *things*."""

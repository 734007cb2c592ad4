"""Seconds from anywhere, as often as a hot path wants to know them."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Ticks"]


class Ticks:
    """Asks *timer*: `read()`, or `roughly()`, where that was some tens of microseconds ago will do."""

    __slots__ = ("read", "roughly")

    def __init__(self, timer: Callable[[], float]) -> None:
        self.read = self.roughly = timer

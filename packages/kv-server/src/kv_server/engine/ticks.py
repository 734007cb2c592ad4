"""Seconds from anywhere, as often as a hot path wants to know them."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Ticks"]


class Ticks:
    """Asks *timer*: `read()`."""

    __slots__ = ("read",)

    def __init__(self, timer: Callable[[], float]) -> None:
        self.read = timer

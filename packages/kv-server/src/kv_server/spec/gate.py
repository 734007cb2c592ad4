"""What the hot path asks of a command, and of the gates: few words, laid out so that they are quickly read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Hot", "Openings"]


class Hot:
    """*bit* is the command's place in gates; *common*: it runs in a transaction and needs nothing seen to before.

    `call(place, args, options)` checks what came over the wire and runs.
    """

    __slots__ = ("bit", "call", "common")

    def __init__(self, bit: int, common: bool, call: Callable[..., Any]) -> None:
        self.bit = bit
        self.common = common
        self.call = call


class Openings:
    """Which commands two gates, one behind the other, both let through; the pair that was asked for last is known."""

    __slots__ = ("_first", "_let", "_rest", "_second")

    def __init__(self) -> None:
        self._first = self._second = 0
        self._let = b"\0"
        self._rest = False

    def let(self, first: int, second: int, bit: int) -> bool:
        """Whether the command of that *bit* passes both."""
        if first is not self._first or second is not self._second:
            both = first & second
            self._first, self._second = first, second
            self._let = both.to_bytes(both.bit_length() // 8 + 1, "little", signed=True)
            self._rest = both < 0
        place = bit >> 3
        return self._let[place] >> (bit & 7) & 1 == 1 if place < len(self._let) else self._rest

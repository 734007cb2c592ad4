"""Whether who waits for the other side should look a few times before it sleeps.

Going to sleep and being woken costs more than the whole round trip on the same machine. Looking costs time of the
processor, so it is bounded, and given up for a while where it does not help: the other side is far, or busy, or on the
same core.
"""

from typing import Final

__all__ = ["LOOK_S", "Patience", "look_s"]

LOOK_S: Final = 80e-6  # about what sleeping and waking would cost
CALL_S: Final = 4e-6  # by which it takes longer for each of many calls,
MOST: Final = 100  # up to so many
FULL: Final = 12
MISS_COSTS: Final = 3  # hits
FIRST_REST: Final = 32  # times
LONGEST_REST: Final = 4_096
FOR_EVER: Final = 1 << 62


def look_s(calls: int) -> float:
    """How long to look for the replies to *calls* that were sent together."""
    return LOOK_S + min(calls, MOST) * CALL_S


class Patience:
    """Learns from each look whether the next one is worth it. It never is where time is not *real* but a test's: there
    nothing happens while anybody is awake.
    """

    __slots__ = ("_left", "_next_rest", "_rest")

    def __init__(self, *, real: bool = True) -> None:
        self._left = FULL
        self._rest = 0 if real else FOR_EVER
        self._next_rest = FIRST_REST

    def worth_it(self) -> bool:
        """Whether to look this time."""
        if self._rest:
            self._rest -= 1
            return False
        return True

    def hit(self) -> None:
        """The reply came while looking."""
        self._next_rest = FIRST_REST
        if self._left < FULL:
            self._left += 1

    def miss(self) -> None:
        """It did not."""
        self._left -= MISS_COSTS
        if self._left <= 0:
            self._left = MISS_COSTS  # the first look after the rest decides
            self._rest = self._next_rest
            self._next_rest = min(LONGEST_REST, self._next_rest * 2)

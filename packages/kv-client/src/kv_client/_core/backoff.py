"""How long to wait before the next try to connect."""

from random import Random
from typing import Final

__all__ = ["Backoff"]

FIRST_S: Final = 0.010
LONGEST_S: Final = 1.0
STEADY_S: Final = 1.0  # a connection that lived this long was a good one


class Backoff:
    """Full jitter: any time from nothing up to a bound that doubles from 10 ms to 1 s."""

    __slots__ = ("_dice", "_opened", "tries")

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._opened = 0.0
        self.tries = 0

    def next_delay(self) -> float:
        """Seconds to wait before the next try; the first try after a good connection waits for nothing."""
        self.tries += 1
        if self.tries == 1:
            return 0.0
        bound = min(LONGEST_S, FIRST_S * 2.0 ** min(self.tries - 2, 16))
        return self._dice.uniform(0.0, bound)

    def opened(self, now: float) -> None:
        """Take note that a connection was made at *now*."""
        self._opened = now

    def lost(self, now: float, *, useful: bool) -> None:
        """Take note that it ended; if it had lived for a while, or was *useful*, the tries count anew."""
        if now - self._opened >= STEADY_S:
            self.tries = 0
        elif useful:
            self.tries = 1

"""Time that passed without the clock of a face counting it: the computer slept, or a test's clock leapt."""

import sys
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Asleep", "Leaping"]


class Leaping(Protocol):
    """A clock that leaps: that of a server under test. *watch* has a function called after each leap, until what it
    returns is called; in whatever thread.
    """

    @property
    def leapt(self) -> float: ...

    def watch(self, leap: Callable[[], None]) -> Callable[[], None]: ...


class Asleep:
    """Counts such time."""

    __slots__ = ("_clock", "_counted")

    def __init__(self, clock: Leaping | None) -> None:
        self._clock = clock
        self._counted = self._seconds()

    def uncounted(self) -> float:
        """The seconds that passed so since this was last asked; less than some milliseconds are none."""
        seconds = self._seconds()
        if seconds - self._counted <= 0.01:
            return 0.0
        seconds, self._counted = seconds - self._counted, seconds
        return seconds

    def _seconds(self) -> float:
        slept = 0.0
        if sys.platform == "linux":  # elsewhere nobody says
            slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
        return slept if self._clock is None else slept + self._clock.leapt

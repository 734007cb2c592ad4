"""The server's clock as the client knows it, so that deadlines can travel as absolute times."""

from math import ceil, inf
from typing import Final

__all__ = ["ServerClock"]

DRIFT: Final = 200e-6  # two computers' clocks part by less than this, in seconds per second


class ServerClock:
    """The offset between two monotonic clocks, from the exchange that told most about it.

    A deadline that is told too late is merely less sharp; one that is told too early refuses good calls. So `stamp`
    adds all that may be wrong with the offset: half the round trip, and the drift since.
    """

    __slots__ = ("_error_ms", "_measured", "_offset_ms")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing: the server may be another one."""
        self._offset_ms = 0.0
        self._error_ms = inf
        self._measured = 0.0

    @property
    def known(self) -> bool:
        return self._error_ms != inf

    def error_ms(self, now: float) -> float:
        """How wrong the offset may be at *now*."""
        return self._error_ms + (now - self._measured) * 1000 * DRIFT

    def measure(self, sent: float, received: float, clock_ms: int) -> None:
        """Take note that the server's clock said *clock_ms* somewhere between *sent* and *received*."""
        error = (received - sent) * 500
        if error < self.error_ms(received):
            self._offset_ms = clock_ms - (sent + received) * 500
            self._error_ms = error
            self._measured = received

    def stamp(self, moment: float, now: float) -> int:
        """Return *moment* in the server's milliseconds, rounded up by all that may be wrong."""
        return ceil(moment * 1000 + self._offset_ms + self.error_ms(now)) + 1

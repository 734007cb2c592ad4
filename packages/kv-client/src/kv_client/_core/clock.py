"""The server's clock as the client knows it, so that deadlines can travel as absolute times."""

from math import inf, nan
from typing import Final

__all__ = ["ServerClock"]

DRIFT: Final = 200e-6  # two computers' clocks part by less than this, in seconds per second
AHEAD_S: Final = 120.0  # twice the time between two measurements


class ServerClock:
    """The offset between two monotonic clocks, from the exchange that told most about it.

    A deadline that is told too late is merely less sharp; one that is told too early refuses good calls. So `stamp`
    adds all that may be wrong with the offset: half the round trip, and the drift until the next measurement.
    """

    __slots__ = ("_error_ms", "_measured", "_moment", "_offset_ms", "_shift_ms", "_stamp", "known")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing: the server may be another one."""
        self.known = False
        self._moment = nan
        self._error_ms = inf
        self._offset_ms = self._shift_ms = self._measured = 0.0

    def measure(self, sent: float, received: float, clock_ms: int) -> None:
        """Take note that the server's clock said *clock_ms* somewhere between *sent* and *received*."""
        error = (received - sent) * 500
        drift = (received - self._measured) * 1000 * DRIFT
        if error < self._error_ms + drift:
            self._offset_ms = clock_ms - (sent + received) * 500
            self._error_ms = error
            self._measured = received
            drift = 0.0
        self._shift_ms = self._offset_ms + self._error_ms + drift + AHEAD_S * 1000 * DRIFT + 1
        self.known = True
        self._moment = nan

    def stamp(self, moment: float) -> int:
        """Return *moment* in the server's milliseconds, moved up by all that may be wrong."""
        if moment != self._moment:  # the calls of a batch have one
            self._stamp = int(moment * 1000 + self._shift_ms) + 1
            self._moment = moment
        return self._stamp

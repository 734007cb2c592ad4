"""The server's two clocks: wall time that never jumps, and elapsed time that counts through suspension.

Wall time is read once, at the start; from there it is elapsed time plus an offset that follows the machine's wall clock
by at most 500 ppm. So nobody who sets the clock ends a key early or makes it outlive its time. Leases and deadlines use
elapsed time alone.
"""

import time
from collections.abc import Callable
from typing import Final

from kv_server.net.wire import elapsed_ns

__all__ = ["Clock"]

_NS_PER_MS: Final = 1_000_000
_SLEW: Final = 2_000  # one part in so many: 500 ppm
_LOOK_EVERY_NS: Final = 10 * _NS_PER_MS  # how often the machine's wall clock is compared


class Clock:
    """Reads both clocks. *wall* and *elapsed* count nanoseconds.

    Neither begins below the milliseconds of *floor*: wall and elapsed time when the data was last written. *timer*
    counts seconds, for whoever shares out time: a test's stands still while anything is done.
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        elapsed: Callable[[], int] = elapsed_ns,
        floor: tuple[int, int] = (0, 0),
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.timer = timer
        self._wall = wall
        now, ahead = elapsed(), floor[1] * _NS_PER_MS
        self._elapsed = elapsed if now >= ahead else lambda: elapsed() + ahead - now
        self._own = self._elapsed is elapsed_ns
        self._last = self._elapsed()
        self._offset = max(wall(), floor[0] * _NS_PER_MS) - self._last
        self._drift = 0
        self.now_ms = self.elapsed_ms = 0
        """What was read last."""

    def read(self) -> tuple[int, int]:
        """Wall milliseconds since 1970 and elapsed milliseconds; neither ever goes back."""
        self.tick()
        return self.now_ms, self.elapsed_ms

    def tick(self) -> None:
        """Read both, into `now_ms` and `elapsed_ms`."""
        elapsed = elapsed_ns() if self._own else self._elapsed()
        if elapsed - self._last >= _LOOK_EVERY_NS:
            most = (elapsed - self._last) // _SLEW
            self._last = elapsed
            self._drift = self._wall() - elapsed - self._offset
            step = max(-most, min(most, self._drift))
            self._offset += step
            self._drift -= step
        self.now_ms = (elapsed + self._offset) // _NS_PER_MS
        self.elapsed_ms = elapsed // _NS_PER_MS

    @property
    def offset_ms(self) -> int:
        """How far the machine's wall clock is ahead of ours."""
        return self._drift // _NS_PER_MS

"""The time of a server under test: begins at a fixed moment, follows the clock of the trio run, leaps on demand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import trio
from trio.testing import MockClock

__all__ = ["BEGINS", "AtServer", "VirtualClock"]

BEGINS: Final = datetime(2030, 1, 1, tzinfo=UTC)
"""What time it is for a server when its test begins."""

_UP_S: Final = 3_600  # how long its machine has been running then

AtServer: TypeAlias = Callable[[Callable[[], None]], None]
"""Does something in the trio run of the server, and returns when it is done."""


class VirtualClock:
    """Wall time and elapsed time of a server, the same over all its restarts."""

    def __init__(self, at_server: AtServer) -> None:
        self._at_server = at_server
        self._trio = trio.lowlevel.current_clock()
        self._began_s = self._trio.current_time()
        self._leapt_s = 0.0
        self._watchers: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """What time it is for the server."""
        return BEGINS + timedelta(seconds=self._passed_s)

    def advance(self, seconds: float) -> None:
        """Let so much time have passed, in which nobody did anything, as on a machine that slept.

        A `MockClock` is moved, and with it all that runs in its trio run. Otherwise it is the server's time alone, and
        that of clients which follow this clock.
        """
        if not seconds >= 0:
            raise ValueError("time does not go back")
        self._at_server(lambda: self._leap(seconds))

    @property
    def leapt(self) -> float:
        """The seconds by which this clock went further than that of the trio run."""
        return self._leapt_s

    def watch(self, leap: Callable[[], None]) -> Callable[[], None]:
        """Call *leap*, in the trio run of the server, after each leap; until what is returned is called."""
        self._watchers.append(leap)
        return lambda: self._watchers.remove(leap)

    async def sleep(self, seconds: float) -> None:
        """Wait until so much of this time has passed."""
        end_s = self._passed_s + seconds
        while (left_s := end_s - self._passed_s) > 0:
            with trio.CancelScope(deadline=trio.current_time() + left_s) as leap:
                unwatch = self.watch(leap.cancel)
                try:
                    await trio.sleep_forever()
                finally:
                    unwatch()

    def wall_ns(self) -> int:
        return int(BEGINS.timestamp()) * 1_000_000_000 + self._passed_ns()

    def elapsed_ns(self) -> int:
        return _UP_S * 1_000_000_000 + self._passed_ns()

    @property
    def _passed_s(self) -> float:
        return self._trio.current_time() - self._began_s + self._leapt_s

    def _passed_ns(self) -> int:
        return round(self._passed_s * 1_000_000) * 1_000  # so that sums of floats do not fall short of a millisecond

    def _leap(self, seconds: float) -> None:
        if isinstance(self._trio, MockClock):
            self._trio.jump(seconds)
        else:
            self._leapt_s += seconds
            for leap in list(self._watchers):
                leap()

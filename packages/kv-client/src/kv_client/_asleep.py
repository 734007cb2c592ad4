"""How long the computer slept: a clock that counts what others leave out."""

import sys
import time

__all__ = ["asleep"]


def asleep() -> float:
    """Seconds for which the computer slept since it was started, which clocks do not count; 0 where nobody says."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)

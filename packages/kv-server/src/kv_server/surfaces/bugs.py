"""Failures of ours: each is logged with where it came from, a repeated one ever more rarely."""

from typing import Final

from kv_protocol.errors import InternalError
from kv_server.surfaces.events import Events
from kv_server.surfaces.trace import trace_of

__all__ = ["Bugs"]

_MOST: Final = 1_024


class Bugs:
    """What went wrong behind one door."""

    def __init__(self, log: Events) -> None:
        self.times = 0
        self._log = log
        self._known: dict[str, tuple[int, int]] = {}  # by trace: number, times

    def note(self, name: str, error: Exception) -> InternalError:
        """Log that the command *name* failed by *error*; what its caller is told."""
        trace = trace_of(error)
        if trace not in self._known and len(self._known) >= _MOST:
            trace = "more kinds of failures than are told apart"
        number, times = self._known.get(trace, (len(self._known) + 1, 0))
        times += 1
        self.times += 1
        self._known[trace] = number, times
        if times & (times - 1) == 0:
            self._log.error("a command failed", command=name, incident=number, times=times, trace=trace)
        return InternalError(f"a bug of the server: see incident {number} in its log")

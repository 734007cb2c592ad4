"""Whether the other side is still there: a connection that has been silent is asked, and given up if it stays so."""

from enum import Enum
from math import inf
from typing import Final

__all__ = ["Liveness", "Pulse"]

SILENT_S: Final = 15.0
ANSWER_S: Final = 5.0


class Pulse(Enum):
    """What a look at the clock says."""

    GOOD = "good"
    ASK = "ask"
    DEAD = "dead"


class Liveness:
    """The silence of one connection."""

    __slots__ = ("_asked", "heard")

    def __init__(self) -> None:
        self.stop()

    def begin(self, now: float) -> None:
        """A new connection speaks."""
        self.heard = now
        self._asked = inf

    def hear(self, now: float) -> None:
        """The connection, if there is one, has spoken."""
        if self.heard != inf:
            self.begin(now)

    def stop(self) -> None:
        """There is no connection to watch."""
        self.heard = self._asked = inf

    def next_wake(self) -> float:
        """When to look again."""
        if self._asked != inf:
            return self._asked + ANSWER_S
        return self.heard + SILENT_S

    def look(self, now: float) -> Pulse:
        """Judge the silence at *now*; after ASK the caller sends something that must be answered."""
        if self._asked != inf:
            return Pulse.DEAD if now >= self._asked + ANSWER_S else Pulse.GOOD
        if now >= self.heard + SILENT_S:
            self._asked = now
            return Pulse.ASK
        return Pulse.GOOD

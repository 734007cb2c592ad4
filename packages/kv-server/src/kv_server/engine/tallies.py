"""How often every command was called, how often it failed, and how long it took.

Counts and times are exact. Calls of one command that follow each other in a pipeline are timed together, and each of
them counts in the histogram with their mean; what is longer than a pipeline may last is a call of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import define, field

from kv_server.spec.command import Command

__all__ = ["Figures", "Tallies", "Tally"]

_SCALES: Final = 32  # powers of two of microseconds: up to more than half an hour
_SHORTEST_S: Final = 2.0**-20  # about a microsecond: what takes less is the first of them


@define
class Tally:
    """The calls of one command. *scales* counts them by powers of two of microseconds: so many took no longer."""

    calls: int = 0
    failed: int = 0
    spent_us: int = 0
    scales: list[int] = field(factory=lambda: [0] * _SCALES)

    def below(self, share: float) -> int:
        """The microseconds, a power of two, that so large a *share* of the calls did not exceed."""
        left = share * self.calls
        for scale, calls in enumerate(self.scales):
            left -= calls
            if left <= 0:
                return 1 << scale
        return 1 << _SCALES


class Figures:
    """The calls of one command as they are counted: *near* took at least *low* and less than *high* seconds, as the
    last ones did; those before are in *scales*.
    """

    __slots__ = ("_scale", "failed", "high", "low", "near", "scales", "spent_s")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from here on."""
        self.spent_s = 0.0
        self.failed = self.near = self._scale = 0
        self.low, self.high = 0.0, _SHORTEST_S
        self.scales = [0] * _SCALES

    def add(self, calls: int, mean_s: float) -> None:
        """Count so many *calls* that took *mean_s* each; their time is counted elsewhere."""
        if not self.low <= mean_s < self.high:
            self.settle()
            while mean_s >= self.high and self._scale < _SCALES - 1:
                self._scale += 1
                self.low, self.high = self.high, self.high * 2
            while mean_s < self.low and self._scale:
                self._scale -= 1
                self.low, self.high = self.low / 2 if self._scale else 0.0, self.low
        self.near += calls

    def settle(self) -> None:
        """Have all calls in *scales*."""
        self.scales[self._scale] += self.near
        self.near = 0


class Tallies:
    """The figures of *commands*, by their bits."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self._names = [command.name.lower().replace(" ", "|") for command in commands]
        self.figures = [Figures() for _ in self._names]

    def reset(self) -> None:
        """Count from here on."""
        for figures in self.figures:
            figures.reset()

    def add(self, command: Command, spent_s: float) -> None:
        """Count a call of *command*."""
        figures = self.figures[command.bit]
        figures.spent_s += spent_s
        figures.add(1, spent_s)

    def fail(self, command: Command) -> None:
        """Note that a call, which is counted elsewhere, failed."""
        self.figures[command.bit].failed += 1

    def by_name(self) -> dict[str, Tally]:
        """What was counted, by the name of the command; of both doors together."""
        found: dict[str, Tally] = {}
        for name, figures in zip(self._names, self.figures, strict=True):
            figures.settle()
            calls = sum(figures.scales)
            if calls or figures.failed:
                tally = found.setdefault(name, Tally())
                tally.calls += calls
                tally.failed += figures.failed
                tally.spent_us += round(figures.spent_s * 1e6)
                tally.scales = [one + other for one, other in zip(tally.scales, figures.scales, strict=True)]
        return found

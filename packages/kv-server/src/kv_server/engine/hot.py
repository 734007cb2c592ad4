"""Which keys are asked for most: a sample of the calls of the last minutes, bounded, and an estimate made of it."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["HotKey", "HotKeys"]

_WINDOW_MS: Final = 60_000
_MOST: Final = 1_024  # keys that are counted at once
_LEFT: Final = 256  # of them stay when there are too many


class HotKey(NamedTuple):
    """A key, and what part of the samples it had."""

    namespace: bytes
    key: bytes
    share: float
    samples: int


class Window:
    """The samples of one stretch of time. Who is forgotten and comes again begins where the forgotten ended."""

    def __init__(self, began_ms: int) -> None:
        self.began_ms = began_ms
        self.samples = 0
        self.floor = 0
        self.counts: dict[tuple[bytes, bytes], int] = {}

    def add(self, place: tuple[bytes, bytes]) -> None:
        counts = self.counts
        self.samples += 1
        counts[place] = counts.get(place, self.floor) + 1
        if len(counts) > _MOST:
            ranked = sorted(counts.items(), key=lambda item: -item[1])
            self.floor = ranked[_LEFT][1]
            self.counts = dict(ranked[:_LEFT])


class HotKeys:
    """The window of time that goes on, and the one before."""

    def __init__(self, now_ms: int) -> None:
        self.reset(now_ms)

    def reset(self, now_ms: int) -> None:
        """Count from here on."""
        self._now = Window(now_ms)
        self._before = Window(now_ms)

    def add(self, namespace: bytes, key: bytes, now_ms: int) -> None:
        """Count one sample."""
        if now_ms - self._now.began_ms >= _WINDOW_MS:
            self._before, self._now = self._now, Window(now_ms)
        self._now.add((namespace, key))

    def hottest(self, count: int) -> tuple[int, int, list[HotKey]]:
        """Since when, of how many samples, and which *count* keys had most of them."""
        windows = self._before, self._now
        samples = sum(window.samples for window in windows)
        sums: dict[tuple[bytes, bytes], int] = {}
        for window in windows:
            for place, times in window.counts.items():
                sums[place] = sums.get(place, 0) + times
        ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:count]
        found = [HotKey(*place, min(times / max(samples, 1), 1.0), times) for place, times in ranked]
        return self._before.began_ms, samples, found

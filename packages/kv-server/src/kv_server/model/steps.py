"""Work in steps, each so short that others can have their turn after it: a generator that returns what it has made."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias, TypeVar

__all__ = ["STEP", "Steps", "finished", "parts", "sorting"]

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]

STEP: Final = 1024  # elements that are looked at in one step
_GAP: Final = 64  # of so many elements one is a sample


def finished(steps: Steps[T]) -> T:
    """What *steps* make, without a pause."""
    try:
        while True:
            next(steps)
    except StopIteration as done:
        made: T = done.value
        return made


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """*items*, as many at a time as a step takes."""
    return (items[at : at + STEP] for at in range(0, len(items), STEP))


def sorting(items: Sequence[Any]) -> Steps[list[Any]]:
    """Sort *items*: short runs, and then from all of these what lies below a bound, one bound after the other."""
    runs: list[list[Any]] = []
    for part in parts(items):
        runs.append(sorted(part))
        yield
    samples = sorted(chain.from_iterable(run[_GAP // 2 :: _GAP] for run in runs))
    ordered: list[Any] = []
    starts = [0] * len(runs)
    for bound in samples[STEP // _GAP :: STEP // _GAP]:
        stops = [bisect_left(run, bound, start) for run, start in zip(runs, starts, strict=True)]
        ordered += _merged(runs, starts, stops)
        starts = stops
        yield
    return ordered + _merged(runs, starts, map(len, runs))


def _merged(runs: Sequence[list[Any]], starts: Sequence[int], stops: Any) -> list[Any]:
    places = zip(runs, starts, stops, strict=True)
    return sorted(chain.from_iterable(run[start:stop] for run, start, stop in places))

"""Sequences of steps as a hypothesis strategy."""

from __future__ import annotations

from hypothesis import strategies

from tests.redis.family import Make, draw_steps
from tests.redis.steps import Call


@strategies.composite
def sequences(draw: strategies.DrawFn, makers: list[Make]) -> tuple[int, list[Call]]:
    """A version of the protocol, and steps."""

    def choose(count: int) -> int:
        return draw(strategies.integers(0, count - 1)) if count > 1 else 0

    return draw(strategies.sampled_from([2, 3])), draw_steps(makers, choose)

"""Side by side with a real Redis: the same sequences, the same replies, but for the classes of differences.py."""

from __future__ import annotations

import time
from collections.abc import Callable

import hypothesis
import pytest

from tests.redis.contest import Contest
from tests.redis.drawing import sequences
from tests.redis.families import FAMILIES
from tests.redis.family import Family
from tests.redis.shorten import shortened
from tests.redis.steps import Call

ROUND = hypothesis.settings(
    max_examples=40,  # the clock is read between rounds
    phases=[hypothesis.Phase.generate],  # what fails is shortened by whole steps and words, in shorten.py
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_kv_answers_as_redis(family: Family, contest: Contest, seconds: float, seed: int) -> None:
    makers = contest.makers(family)
    end = time.monotonic() + seconds
    number = seed
    while number == seed or time.monotonic() < end:
        again = f"--contest-seed {number} repeats it"
        compare = comparison(family, contest, end, again)
        hypothesis.seed(number)(ROUND(hypothesis.given(sequences(makers))(compare)))()
        number += 1


def comparison(family: Family, contest: Contest, end: float, again: str) -> Callable[[tuple[int, list[Call]]], None]:
    """The test of one drawn sequence; after *end* it does nothing, so that its round is over soon."""

    def compare(drawn: tuple[int, list[Call]]) -> None:
        protocol, steps = drawn
        finding = contest.check(family, steps, protocol) if time.monotonic() < end else None
        if finding is not None:
            pytest.fail(f"{shortened(contest, family, finding)}\n  {again}", pytrace=False)

    return compare

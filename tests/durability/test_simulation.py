"""Whole servers on disks that fail, each from its seed; tests/durability/simulation.py says what must hold."""

from __future__ import annotations

from collections import Counter

import pytest

from kv_server.durability.journal import ALWAYS, FAILED, FULL, INTERVAL, NEVER, WELL
from tests.durability.simulation import simulate
from tests.engine.profile import examples

MODES = (ALWAYS, INTERVAL, NEVER)
MET = ("commits", "repeats", "snapshots", "crashes", "kills", FULL, FAILED, WELL)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", range(0, 80, 20))
def test_whatever_fails_nothing_is_lost_that_was_promised(first: int, mode: str) -> None:
    met: Counter[str] = Counter()
    for seed in range(first, first + examples(20)):
        met.update(simulate(seed, mode, 150).counts)
    assert set(MET) <= met.keys(), "these worlds were too quiet"


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", range(1_000, 21_000, 1_000))
def test_whatever_fails_nothing_is_lost_in_thousands_of_worlds(first: int, mode: str) -> None:
    for seed in range(first, first + 100):
        simulate(seed, mode, 400)

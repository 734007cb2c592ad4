"""Work in steps: what is sorted step by step is sorted, and no step does all of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kv_server.model.steps import STEP, finished, parts, sorting


@given(st.lists(st.integers(0, 50), max_size=300), st.integers(0, 20))
def test_what_is_sorted_in_steps_is_sorted(numbers: list[int], times: int) -> None:
    items = numbers * times
    assert finished(sorting(items)) == sorted(items)


def test_a_step_is_a_small_part() -> None:
    items = [number * 7919 % 50_000 for number in range(50_000)]
    assert sum(1 for _ in sorting(items)) > 1.5 * len(items) / STEP
    assert [item for part in parts(items) for item in part] == items

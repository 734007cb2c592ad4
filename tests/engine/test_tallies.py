"""Figures of calls: every call counts under the power of two of microseconds that its time is below."""

from math import frexp

from hypothesis import given
from hypothesis import strategies as st

from kv_server.engine.tallies import Figures

times = st.floats(min_value=0, max_value=1e6) | st.integers(-40, 14).map(lambda exponent: 2.0**exponent)


@given(told=st.lists(st.tuples(st.integers(1, 1_000), times)))
def test_calls_count_under_the_power_of_two_of_their_time(told: list[tuple[int, float]]) -> None:
    figures, scales = Figures(), [0] * 32
    for calls, mean_s in told:
        figures.add(calls, mean_s)
        scales[min(max(frexp(mean_s)[1] + 20, 0), 31) if mean_s else 0] += calls
    figures.settle()
    assert figures.scales == scales


def test_a_clock_that_goes_back_makes_the_shortest_calls() -> None:
    figures = Figures()
    figures.add(1, 0.5)
    figures.add(2, -1.0)
    figures.settle()
    assert figures.scales[:20] == [2] + [0] * 19 and sum(figures.scales) == 3

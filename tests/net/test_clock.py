"""The clock: never back, never faster or slower than 500 ppm off, and the elapsed part is left alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kv_server.net.clock import Clock
from kv_server.net.wire import elapsed_ns

HOUR_NS = 3_600 * 10**9
START_NS = 1_800_000_000 * 10**9


class Machine:
    """Two clocks that the test moves."""

    def __init__(self) -> None:
        self.wall_ns = START_NS
        self.elapsed_ns = 5 * HOUR_NS
        self.clock = Clock(lambda: self.wall_ns, lambda: self.elapsed_ns)

    def pass_ns(self, span_ns: int, *, wall_ns: int | None = None) -> tuple[int, int]:
        self.elapsed_ns += span_ns
        self.wall_ns += span_ns if wall_ns is None else wall_ns
        return self.clock.read()


def test_it_starts_at_the_wall_clock() -> None:
    assert Machine().clock.read() == (START_NS // 10**6, 5 * HOUR_NS // 10**6)


def test_an_hour_set_forward_or_back_moves_it_by_500_ppm_at_most() -> None:
    for jump_ns in (HOUR_NS, -HOUR_NS):
        machine = Machine()
        machine.wall_ns += jump_ns
        before_ms, _ = machine.clock.read()
        after_ms, _ = machine.pass_ns(1000 * 10**9)
        assert abs(after_ms - before_ms - 1_000_000) in (500, 499, 501)
        assert (after_ms > before_ms + 1_000_000) == (jump_ns > 0)
        assert abs(machine.clock.offset_ms - jump_ns // 10**6) <= 501


def test_it_meets_the_wall_clock_and_stays_there() -> None:
    machine = Machine()
    machine.wall_ns += 10 * 10**6
    for _ in range(100):
        machine.pass_ns(10**9)
    assert machine.clock.read()[0] == machine.wall_ns // 10**6
    assert machine.clock.offset_ms == 0


def test_a_suspended_machine_is_no_offset() -> None:
    machine = Machine()
    now_ms, elapsed_ms = machine.pass_ns(8 * HOUR_NS)
    assert now_ms == machine.wall_ns // 10**6
    assert elapsed_ms == 13 * HOUR_NS // 10**6
    assert machine.clock.offset_ms == 0


@given(st.lists(st.tuples(st.integers(0, HOUR_NS), st.integers(-HOUR_NS, HOUR_NS)), max_size=30))
def test_it_never_goes_back(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    last_ms, _ = machine.clock.read()
    for span_ns, wall_ns in steps:
        now_ms, elapsed_ms = machine.pass_ns(span_ns, wall_ns=wall_ns)
        assert elapsed_ms == machine.elapsed_ns // 10**6
        assert 0 <= now_ms - last_ms <= span_ns * 1.0005 / 10**6 + 1
        last_ms = now_ms


def test_the_systems_clock_counts() -> None:
    first = elapsed_ns()
    assert 0 < first <= elapsed_ns()

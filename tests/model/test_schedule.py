"""A schedule gives what is due in order, skips what no longer counts, and holds no more than twice what does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.model.schedule import Schedule
from tests.engine.profile import examples


@settings(max_examples=examples(100))
@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 5), st.integers(1, 50)),
            st.tuples(st.just("drop"), st.integers(0, 5), st.just(0)),
            st.tuples(st.just("take"), st.just(0), st.integers(1, 50)),
            st.tuples(st.just("peek"), st.just(0), st.integers(1, 50)),
        ),
        max_size=300,
    )
)
def test_a_schedule_is_a_sorted_list_of_what_counts(moves: list[tuple[str, int, int]]) -> None:
    due: dict[int, int] = {}
    schedule: Schedule[int] = Schedule(lambda due_ms, thing: due.get(thing) == due_ms)
    for kind, thing, when in moves:
        if kind == "set":
            due[thing] = when
            schedule.add(when, thing)
        elif kind == "drop":
            due.pop(thing, None)
        else:
            first = min(((at, each) for each, at in due.items()), default=(99, 0))
            found = schedule.take(when) if kind == "take" else schedule.peek(when)
            assert (found is None) == (first[0] > when)
            if found is not None:
                assert due[found] == first[0]
                if kind == "take":
                    del due[found]
        first_ms = schedule.first_ms
        assert not due or (first_ms is not None and first_ms <= min(due.values()))
        assert len(schedule.heap) <= 2 * 6 + 66


def test_what_falls_due_together_comes_in_the_order_it_was_added() -> None:
    schedule: Schedule[str] = Schedule(lambda due_ms, thing: True)
    for name in "cab":
        schedule.add(5, name)
    assert schedule.take(4) is None
    assert [schedule.take(5) for _ in range(4)] == ["c", "a", "b", None]
    assert schedule.first_ms is None

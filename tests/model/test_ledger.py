"""The ledger: what it holds, in order, however things come and go, and that the dead do not pile up in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kv_server.model.ledger import Ledger
from kv_server.model.stream_id import FIRST, LAST, id_text, make_id, next_id, parts, previous_id

ids = st.integers(0, 60).map(lambda number: make_id(number // 8, number % 8))
steps = st.lists(st.tuples(st.booleans(), ids), max_size=120)


@given(steps=steps, low=ids, high=ids)
def test_it_walks_in_order_over_what_was_put_and_not_taken(
    steps: list[tuple[bool, bytes]], low: bytes, high: bytes
) -> None:
    ledger: Ledger[int] = Ledger()
    plain: dict[bytes, int] = {}
    for number, (takes, id) in enumerate(steps):
        if not takes:
            ledger.put(id, number)
            plain[id] = number
        elif id in plain:
            assert ledger.take(id) == plain.pop(id)
        assert ledger.first() == min(plain, default=None)
        assert ledger.last() == max(plain, default=None)
        assert len(ledger) == len(plain)
    assert list(ledger.upward(FIRST, LAST)) == sorted(plain.items())
    within = [(id, thing) for id, thing in sorted(plain.items()) if low <= id <= high]
    assert list(ledger.upward(low, high)) == within
    assert list(ledger.downward(low, high)) == within[::-1]
    assert ledger.between(low, high, 2) == within[:2]


def test_the_dead_do_not_pile_up() -> None:
    ledger: Ledger[None] = Ledger()
    for number in range(10_000):
        ledger.put(make_id(number, 0), None)
        if number % 100:
            ledger.take(make_id(number, 0))
    assert len(ledger) == 100
    assert len(ledger._order) < 300


def test_a_queue_that_is_emptied_from_its_head_stays_cheap_to_look_at() -> None:
    ledger: Ledger[int] = Ledger()
    for number in range(1_000):
        ledger.put(make_id(1, number), number)
    for number in range(400):
        ledger.take(make_id(1, number))
    assert next(ledger.upward(FIRST, LAST)) == (make_id(1, 400), 400)
    assert ledger._order[ledger._head] == make_id(1, 400)


@given(
    ms=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, 2**64 - 1),
    other=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_ids_sort_as_their_numbers_do(ms: int, sequence: int, other: tuple[int, int]) -> None:
    id = make_id(ms, sequence)
    assert parts(id) == (ms, sequence)
    assert id_text(id) == f"{ms}-{sequence}"
    assert (id < make_id(*other)) == ((ms, sequence) < other)
    if id != LAST:
        assert parts(next_id(id)) == ((ms, sequence + 1) if sequence < 2**64 - 1 else (ms + 1, 0))
        assert previous_id(next_id(id)) == id

"""The small machines of the core: clocks, seq and seen, leases, liveness, backoff, patience, conversions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kv_client import _convert as convert
from kv_client._core.backoff import Backoff
from kv_client._core.call import DONE, SENT, TAKES, WAITS, WRITE, Call
from kv_client._core.clock import ServerClock
from kv_client._core.leases import Lease, LeaseBook, margin
from kv_client._core.liveness import Liveness, Pulse
from kv_client._core.writes import Writes
from kv_protocol.errors import InvalidArgument, ProtocolError
from kv_protocol.patience import Patience
from kv_protocol.values import encode

moments = st.floats(0, 1e6)


@given(
    offset=st.integers(-(10**12), 10**12),
    there=st.floats(0, 2),
    back=st.floats(0, 2),
    drift=st.floats(-200e-6, 200e-6),
    later=st.floats(0, 60),
    wait=st.floats(0, 30),
)
def test_a_deadline_is_never_told_too_early(offset, there, back, drift, later, wait):
    def server(moment):
        return offset + moment * (1 + drift) * 1000

    clock = ServerClock()
    clock.measure(0.0, there + back, int(server(there) // 1))
    deadline = there + back + later + wait
    assert clock.stamp(deadline) >= server(deadline) - 0.001
    assert clock.stamp(deadline) <= server(deadline) + (there + back) * 1000 + 100


def test_the_smallest_round_trip_wins_until_drift_makes_it_worse():
    clock = ServerClock()
    clock.measure(0, 0.010, 1000)
    close = clock.stamp(1.0)
    clock.measure(1, 2, 9000)  # a second under way says little
    assert clock.stamp(1.0) - close <= 1
    clock.measure(100_000, 100_001, 100_001_000)
    assert abs(clock.stamp(100_001) - 100_001_500) < 1_000


def test_a_forgotten_clock_is_not_known():
    clock = ServerClock()
    assert not clock.known
    clock.measure(0, 0, 5)
    assert clock.known
    clock.forget()
    assert not clock.known


def enter(writes, kind=WRITE):
    call = Call("SET", (), None, kind)
    call.seq = writes.next_seq
    writes.enter(call)
    return call


def test_seen_is_told_with_every_64th_write_and_only_when_it_moved():
    writes = Writes()
    told = []
    for seq in range(1, 400):
        found = writes.to_tell(seq)
        call = enter(writes)
        call.state = DONE
        if found is not None:
            told.append((seq, found))
    assert [seq for seq, _ in told] == [65, 129, 193, 257, 321, 385]
    assert all(seq == seen for seq, seen in told)


def test_seen_stays_below_what_is_unanswered():
    writes = Writes()
    first, second, third = (enter(writes) for _ in range(3))
    assert writes.seen() == 1
    second.state = third.state = DONE
    assert writes.seen() == 1
    first.state = DONE
    assert writes.seen() == 4


def test_a_call_that_waits_long_loses_its_seq_rather_than_hold_back_the_rest():
    writes = Writes()
    waiting = enter(writes, TAKES | WAITS)
    waiting.state = SENT
    for _ in range(4000):
        enter(writes).state = DONE
    assert writes.seen() == 1
    for _ in range(200):
        enter(writes).state = DONE
    assert writes.seen() == 4202
    assert waiting.seq == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200))))
def test_seen_never_passes_an_unanswered_write(steps):
    writes, calls = Writes(), []
    for answer, which in steps:
        if answer and calls:
            calls[which % len(calls)].state = DONE
        else:
            found = writes.to_tell(writes.next_seq, now=which % 2 == 0)
            assert found is None or all(call.state == DONE for call in calls if call.seq < found)
            calls.append(enter(writes))


def lease(token=1, ttl=15.0, since=0.0, name="a", namespace="shop", **options):
    return Lease(namespace, name, token, ttl=ttl, since=since, **options)


def test_a_lease_ends_before_the_servers():
    assert lease(ttl=15, since=100).until == 114.75
    assert lease(ttl=1, since=100).until == 100.9
    assert margin(0.1) == 0.01


def test_a_renewal_counts_from_before_it_was_sent_and_never_shortens():
    held = lease()
    held.renewed(5.0, 15.0)
    assert (held.until, held.renew_at) == (19.75, 10.0)
    held.renewed(3.0, 15.0)
    assert held.until == 19.75


def test_only_the_first_reason_of_a_loss_counts():
    held = lease()
    held.lose("broken")
    held.lose("restart")
    assert held.lapsed(0) == "broken"
    assert lease().lapsed(14.8) == "time"
    assert lease(hold_until=5).lapsed(5) == "max_hold"


def test_a_book_renews_together_what_belongs_together():
    book = LeaseBook()
    for held in (lease(1), lease(2, since=2, name="b"), lease(3, ttl=9, name="c"), lease(4, namespace="x")):
        book.enter(held)
    book.enter(lease(5, renew=False))
    assert book.next_wake(inf, renew=True) == 3
    assert book.due(2.9, "shop") == []
    (short,) = book.due(3, "shop")
    assert short.args == (9000, ("c", 3))
    first, other = book.due(5, "shop")
    assert (first.args, first.namespace) == ((15_000, ("a", 1), ("b", 2)), None)
    assert (other.args, other.namespace) == ((15_000, ("a", 4)), "x")
    assert book.due(5, "shop") == []  # under way
    first.body = [15_000, None]
    first.wake()
    assert book.next_wake(inf, renew=True) == 8.75  # the end of the nine seconds, unanswered


def test_an_unanswered_renewal_is_tried_again_and_tells_a_dead_connection():
    book = LeaseBook()
    book.enter(lease())
    (renewal,) = book.due(5, "shop")
    renewal.state = SENT
    assert not book.overdue(9.9, heard=4)
    assert book.overdue(10, heard=4)
    assert not book.overdue(10, heard=6)
    renewal.error = ProtocolError("lost")
    renewal.wake()
    (again,) = book.due(7, "shop")
    assert again.since == 7


def test_a_suspended_computer_shortens_what_is_held():
    book = LeaseBook()
    held = lease()
    book.enter(held)
    book.skip(10)
    assert held.lapsed(4.8) == "time"


def test_silence_is_asked_and_then_judged():
    alive = Liveness()
    assert alive.next_wake() == inf
    alive.begin(0)
    assert alive.next_wake() == 15
    assert alive.look(14.9) is Pulse.GOOD
    assert alive.look(15) is Pulse.ASK
    assert alive.look(19.9) is Pulse.GOOD
    assert alive.next_wake() == 20
    alive.hear(19.95)
    assert alive.look(20) is Pulse.GOOD
    assert alive.look(35) is Pulse.ASK
    assert alive.look(40) is Pulse.DEAD


def test_backoff_begins_at_once_grows_and_is_bounded():
    backoff = Backoff(Random(1))
    delays = [backoff.next_delay() for _ in range(100)]
    assert delays[0] == 0
    assert all(delay <= min(1.0, 0.01 * 2 ** max(0, n - 1)) for n, delay in enumerate(delays))
    assert max(delays) > 0.9
    backoff.opened(0)
    backoff.lost(0.5, useful=False)
    assert backoff.tries == 100
    backoff.lost(0.5, useful=True)
    assert 0 <= backoff.next_delay() <= 0.01
    backoff.opened(1)
    backoff.lost(3, useful=False)
    assert backoff.next_delay() == 0


def test_patience_ends_where_it_does_not_help_and_returns_where_it_does():
    patience = Patience()
    looks = 0
    for _ in range(100_000):
        if patience.worth_it():
            looks += 1
            patience.miss()
    assert looks < 50
    while not patience.worth_it():
        pass
    for _ in range(1000):
        assert patience.worth_it()
        patience.hit()


def test_nobody_is_patient_where_time_is_a_tests():
    patience = Patience(real=False)
    assert not any(patience.worth_it() for _ in range(100_000))


@pytest.mark.parametrize(
    "span, ms",
    [
        (1, 1000), (1.5, 1500), (0.0001, 1), (0, 0), (1.001, 1001), (16.1, 16_100), (timedelta(minutes=1), 60_000),
        (timedelta(microseconds=1500), 2),
    ],
)  # fmt: skip
def test_durations_round_up_to_milliseconds(span, ms):
    assert convert.duration_ms(span) == ms


@pytest.mark.parametrize("span", [-1, inf, float("nan"), "1", None, True, timedelta(-1)])
def test_what_is_no_duration_is_refused(span):
    with pytest.raises(InvalidArgument):
        convert.duration_ms(span)


def test_times_are_aware():
    assert convert.time_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1000
    assert convert.time_ms(1.5) == 1500
    for wrong in (datetime(1970, 1, 1), "now", inf, True):
        with pytest.raises(InvalidArgument):
            convert.time_ms(wrong)


def test_entries_have_seconds():
    assert convert.entry(None) is None
    assert convert.entry([encode([1]), 7, 1500]) == ([1], 7, 1.5)
    assert convert.entry([encode(None), 7, None]) == (None, 7, None)
    with pytest.raises(ProtocolError):
        convert.entry([1])


def test_a_number_is_a_number():
    assert convert.decode_number(encode(Decimal("1.5"))) == Decimal("1.5")
    for wrong in ("1", True, None):
        with pytest.raises(ProtocolError):
            convert.decode_number(encode(wrong))

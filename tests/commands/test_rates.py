"""Rate limits: never more than was agreed, all of that, and whoever waits in the order of asking."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import InvalidArgument, NotANumber, RateLimited, WrongType
from kv_server.engine.engine import PARKED
from kv_server.engine.rows import KEY_PUT
from tests.engine.profile import examples
from tests.engine.rig import Client, Rig, picture, replayed

HOUR = 3_600_000


def decisions(client: Client) -> list[tuple[int, bool]]:
    """Id of each call that waited and was answered, and whether it was allowed."""
    return [(request_id, decision.allowed) for _, request_id, decision in client.outbox.take("deliver")]


def waiting(client: Client, *args: Any, **options: Any) -> int:
    assert client.call("BRATELIMIT", *args, **options) is PARKED
    return client.rig.last_id


def test_a_limit_gives_its_burst_at_once_and_then_one_in_each_part_of_the_interval() -> None:
    rig = Rig()
    client = rig.connect()
    assert [client.call("RATELIMIT", "r", 3, 3_000) for _ in range(4)] == [
        (True, 2, 0, 1_000), (True, 1, 0, 2_000), (True, 0, 0, 3_000), (False, 0, 1_000, 3_000),
    ]  # fmt: skip
    rig.advance(999)
    assert client.call("RATELIMIT", "r", 3, 3_000) == (False, 0, 1, 2_001)
    rig.advance(1)
    assert client.call("RATELIMIT", "r", 3, 3_000) == (True, 0, 0, 3_000)


def test_a_third_of_a_second_adds_up_to_a_second() -> None:
    rig = Rig()
    client = rig.connect()
    for _ in range(10):
        assert [client.call("RATELIMIT", "r", 3, 1_000)[0] for _ in range(4)] == [True, True, True, False]
        rig.advance(1_000)


def test_more_than_one_in_a_millisecond_is_counted_too() -> None:
    rig = Rig()
    client = rig.connect()
    allowed = 0
    for _ in range(100):
        allowed += sum(client.call("RATELIMIT", "r", 5_000, 1_000, burst=5)[0] for _ in range(20))
        rig.advance(1)
    assert allowed == 500


def test_a_burst_may_be_smaller_or_larger_than_the_limit() -> None:
    client = Rig().connect()
    assert [client.call("RATELIMIT", "small", 100, 1_000, burst=1)[0] for _ in range(2)] == [True, False]
    assert [client.call("RATELIMIT", "large", 1, HOUR, burst=3)[0] for _ in range(4)] == [True, True, True, False]


def test_a_call_takes_what_it_costs_and_one_that_is_refused_takes_nothing() -> None:
    rig = Rig()
    client = rig.connect()
    assert client.call("RATELIMIT", "r", 10, 10_000, cost=7) == (True, 3, 0, 7_000)
    commits = len(rig.commits)
    assert client.call("RATELIMIT", "r", 10, 10_000, cost=4) == (False, 3, 1_000, 7_000)
    assert len(rig.commits) == commits
    assert client.call("RATELIMIT", "r", 10, 10_000, cost=3) == (True, 0, 0, 10_000)


def test_a_limit_is_a_key_that_expires_once_nothing_is_used_up() -> None:
    rig = Rig()
    client = rig.connect()
    client.call("RATELIMIT", "r", 2, 1_000)
    assert client.call("TTL", "r") == 500
    rig.advance(500)
    assert client.call("EXISTS", "r") == 0
    client.call("RATELIMIT", "r", 2, 1_000, cost=2)
    client.call("DEL", "r")
    assert client.call("RATELIMIT", "r", 2, 1_000, cost=2)[0]


@pytest.mark.parametrize("options", [{"cost": 3}, {"burst": 2**62}, {"cost": 2**62}])
def test_what_can_never_be_is_refused(options: dict[str, int]) -> None:
    client = Rig().connect()
    for word in ("RATELIMIT", "BRATELIMIT"):
        with pytest.raises(InvalidArgument):
            client.call(word, "r", 2, 1_000, **options)
        with pytest.raises(InvalidArgument):
            client.call(word, "r", 2**40, 1)


def test_a_key_that_holds_something_else_is_left_alone() -> None:
    client = Rig().connect()
    client.call("SET", "text", "a")
    client.call("SET", "huge", 10**40)
    client.call("RPUSH", "list", 1)
    for key, error in (("text", NotANumber), ("huge", InvalidArgument), ("list", WrongType)):
        with pytest.raises(error):
            client.call("RATELIMIT", key, 1, 1_000)


def test_whoever_waits_is_let_in_at_the_millisecond_in_the_order_of_asking() -> None:
    rig = Rig()
    first, second = rig.connect(), rig.connect()
    assert first.call("BRATELIMIT", "r", 1, 100)[0]
    one, two = waiting(first, "r", 1, 100), waiting(second, "r", 1, 100)
    assert rig.engine.next_due_ms() == rig.elapsed_ms + 100
    rig.advance(99)
    assert decisions(first) == decisions(second) == []
    rig.advance(1)
    assert decisions(first) == [(one, True)]
    assert decisions(second) == []
    rig.advance(100)
    assert decisions(second) == [(two, True)]


def test_nobody_overtakes_those_who_wait() -> None:
    rig = Rig()
    patient, hasty = rig.connect(), rig.connect()
    hasty.call("RATELIMIT", "r", 10, 1_000, cost=8)
    big = waiting(patient, "r", 10, 1_000, cost=6)
    assert hasty.call("RATELIMIT", "r", 10, 1_000) == (False, 0, 1, 800), "two are left, and somebody waits for six"
    with pytest.raises(RateLimited) as refused:
        hasty.call("BRATELIMIT", "r", 10, 1_000, wait=0)
    assert refused.value.retry_after > 0
    small = waiting(hasty, "r", 10, 1_000)
    rig.advance(400)
    assert decisions(patient) == [(big, True)]
    assert decisions(hasty) == []
    rig.advance(100)
    assert decisions(hasty) == [(small, True)]


def test_when_the_first_one_leaves_the_next_is_looked_at_at_once() -> None:
    rig = Rig()
    greedy, modest, other = rig.connect(), rig.connect(), rig.connect()
    greedy.call("RATELIMIT", "r", 10, 1_000, cost=9)
    for leave in (lambda request: greedy.cancel(request), lambda request: rig.advance(50), lambda _: greedy.detach()):
        request = waiting(greedy, "r", 10, 1_000, cost=10, wait=50)
        behind = waiting(modest, "r", 10, 1_000)
        assert decisions(modest) == []
        leave(request)
        assert decisions(modest) == [(behind, True)]
        other.call("DEL", "r")
        other.call("RATELIMIT", "r", 10, 1_000, cost=9)


def test_a_limit_that_is_reset_lets_those_in_who_wait() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    client.call("RATELIMIT", "r", 2, HOUR, cost=2)
    requests = [waiting(client, "r", 2, HOUR) for _ in range(3)]
    other.call("DEL", "r")
    assert decisions(client) == [(request, True) for request in requests[:2]]


def test_who_waits_too_long_is_told_and_has_taken_nothing() -> None:
    rig = Rig()
    client = rig.connect()
    client.call("RATELIMIT", "r", 1, 1_000)
    request = waiting(client, "r", 1, 1_000, wait=500)
    commits = len(rig.commits)
    rig.advance(500)
    assert client.outbox.errors() == {request: "RATE_LIMITED"}
    assert len(rig.commits) == commits
    rig.advance(500)
    assert client.call("RATELIMIT", "r", 1, 1_000)[0]


def test_a_server_that_may_not_write_lets_nobody_in_until_it_may() -> None:
    rig = Rig()
    client = rig.connect()
    client.call("RATELIMIT", "r", 1, 100)
    request, hasty = waiting(client, "r", 1, 100), waiting(client, "r", 1, 100, wait=300)
    commits = len(rig.commits)
    rig.engine.writable = False
    rig.advance(100)
    rig.advance(200)
    assert decisions(client) == []
    assert client.outbox.errors() == {hasty: "RATE_LIMITED"}
    assert len(rig.commits) == commits
    rig.engine.reopen()
    rig.advance(0)
    assert decisions(client) == [(request, True)]


@settings(max_examples=examples(60))
@given(
    limit=st.integers(1, 7),
    per=st.sampled_from([10, 97, 1_000]),
    burst=st.none() | st.integers(1, 9),
    steps=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 3), st.booleans()), max_size=40),
)
def test_in_no_interval_more_is_let_in_than_the_burst_and_what_comes_back(
    limit: int, per: int, burst: int | None, steps: list[tuple[int, int, bool]]
) -> None:
    rig = Rig()
    client = rig.connect()
    most = burst or limit
    costs: dict[int, int] = {}
    order: list[int] = []
    let_in: list[tuple[int, int]] = []
    for pause, cost, waits in steps:
        cost = min(cost, most)
        for _ in range(pause):
            rig.advance(1)
            for request_id, _ in decisions(client):
                assert order.pop(0) == request_id
                let_in.append((rig.now_ms, costs[request_id]))
        reply = client.call("BRATELIMIT" if waits else "RATELIMIT", "r", limit, per, burst=burst, cost=cost)
        if reply is PARKED:
            costs[rig.last_id] = cost
            order.append(rig.last_id)
        elif reply[0]:
            assert not order, "somebody was waiting"
            let_in.append((rig.now_ms, cost))
        else:
            assert reply[2] > 0
    for start in range(len(let_in)):
        total = 0
        for at, cost in let_in[start:]:
            total += cost
            assert total <= most + (at - let_in[start][0]) * limit / per + 1e-5
    assert {row[0] for row in rig.rows() if row[0] < 0x80} <= {KEY_PUT, 0x12}
    tx, _ = replayed(rig.commits, rig.engine)
    assert picture(tx.store) == picture(rig.store)

"""The ledger of a pool against what it promises: never too many connections, nobody overtaken, nothing kept."""

from __future__ import annotations

from collections import deque
from math import inf
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kv_pool import PoolConfig, PoolTimeout
from kv_pool._ledger import BUSY, Ask, Ledger, Seat
from kv_protocol.errors import ClientClosed, ConnectionLost, InvalidArgument


@attrs.define(eq=False)
class Client:
    connected: bool = True
    open_calls: int = 0


def made(now: float = 0.0, **config: Any) -> Ledger[Client]:
    ledger: Ledger[Client] = Ledger(PoolConfig(**config), Random(1))
    ledger.open()
    return ledger


def asked(ledger: Ledger[Client], alone: bool = True, now: float = 0.0, who: str = "task a") -> Ask[Client]:
    return ledger.ask(alone=alone, who=who, now=now, told=lambda: None)


def opening(ledger: Ledger[Client]) -> int:
    count = 0
    while ledger.to_open():
        count += 1
    return count


def opened(ledger: Ledger[Client], now: float = 0.0) -> Seat[Client]:
    assert opening(ledger) == 1
    return ledger.opened(Client(), now)


class Pool(RuleBasedStateMachine):
    """Whatever is asked, given back, opened, lost and closed, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ledger: Ledger[Client] = made(min_size=1, max_size=3, idle_timeout=5.0, lifetime=60.0)
        self.line: deque[Ask[Client]] = deque()
        self.holding: list[Ask[Client]] = []
        self.opening = 0
        self.closing: list[Seat[Client]] = []

    def settle(self) -> None:
        while self.ledger.to_open():
            self.opening += 1
        self.closing += self.ledger.to_close()
        while self.line and not self.line[0].waits:
            self.holding.append(self.line.popleft())
        assert all(ask.waits for ask in self.line), "somebody was overtaken"

    @rule(alone=st.booleans())
    def ask(self, alone: bool) -> None:
        self.line.append(asked(self.ledger, alone, self.now))
        self.settle()

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        ask = self.holding.pop(data.draw(st.integers(0, len(self.holding) - 1)))
        self.ledger.give_back(ask, self.now)
        self.settle()

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def leave_the_line(self, data: st.DataObject) -> None:
        ask = self.line[data.draw(st.integers(0, len(self.line) - 1))]
        self.line.remove(ask)
        self.ledger.give_back(ask, self.now)
        self.settle()

    @precondition(lambda self: self.opening)
    @rule(works=st.booleans())
    def open(self, works: bool) -> None:
        self.opening -= 1
        if works:
            self.ledger.opened(Client(), self.now)
        else:
            self.ledger.failed(ConnectionLost("no"), for_good=False)
            self.ledger.not_opened()
        self.settle()

    @precondition(lambda self: self.closing)
    @rule()
    def close(self) -> None:
        self.ledger.gone(self.closing.pop())
        self.settle()

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        seat = data.draw(st.sampled_from(self.holding)).seat
        assert seat is not None
        seat.client.connected = data.draw(st.booleans())

    @rule(seconds=st.sampled_from([0.1, 3.0, 6.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        assert self.ledger.tidy(self.now) > self.now
        self.settle()

    @invariant()
    def there_are_never_too_many(self) -> None:
        figures = self.ledger.statistics()
        assert figures.size <= 3
        assert figures.size == figures.idle + figures.held + figures.shared + figures.opening + figures.closing
        assert (figures.opening, figures.closing) == (self.opening, len(self.closing))

    @invariant()
    def nobody_waits_beside_a_free_one(self) -> None:
        if self.line:
            assert self.ledger.statistics().idle == 0
            assert self.ledger.statistics().size == 3 or self.opening

    @invariant()
    def who_is_alone_is_alone(self) -> None:
        for ask in self.holding:
            assert ask.seat is not None
            others = [other for other in self.holding if other.seat is ask.seat and other is not ask]
            assert not (ask.alone and others)

    def teardown(self) -> None:
        for ask in [*self.holding, *self.line]:
            self.ledger.give_back(ask, self.now)
        figures = self.ledger.statistics()
        assert (figures.held, figures.shared, figures.waiting) == (0, 0, 0)


Pool.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWhateverHappens = Pool.TestCase


def test_the_newest_idle_connection_is_given_so_that_the_others_may_age() -> None:
    ledger = made(min_size=2)
    assert opening(ledger) == 2
    first, second = ledger.opened(Client(), 0.0), ledger.opened(Client(), 1.0)
    ask = asked(ledger)
    assert ask.seat is second
    ledger.give_back(ask, 5.0)
    assert asked(ledger, now=6.0).seat is second
    assert asked(ledger, now=6.0).seat is first


def test_those_who_share_get_the_one_with_the_least_to_do_and_another_one_when_it_is_busy() -> None:
    ledger = made(min_size=1, max_size=3)
    first = opened(ledger)
    assert asked(ledger, alone=False).seat is first
    assert asked(ledger, alone=False).seat is first
    ledger.opening += 1
    second = ledger.opened(Client(), 1.0)
    assert asked(ledger, alone=False).seat is first
    first.client.open_calls = BUSY
    assert asked(ledger, alone=False).seat is second
    second.client.open_calls = BUSY + 1
    assert asked(ledger, alone=False).seat is first
    assert asked(ledger).waits


def test_a_connection_in_doubt_or_too_old_is_closed_when_it_comes_back() -> None:
    ledger = made(min_size=0, max_size=2, lifetime=10.0)
    one, two = asked(ledger), asked(ledger)
    assert opening(ledger) == 2
    ledger.opened(Client(), 0.0)
    ledger.opened(Client(), 0.0)
    assert one.seat is not None
    assert two.seat is not None
    lost, old = one.seat, two.seat
    lost.client.connected = False
    ledger.give_back(one, 1.0)
    ledger.give_back(two, 20.0)
    assert ledger.to_close() == [lost, old]
    assert ledger.statistics().closing == 2
    third = asked(ledger)
    assert opening(ledger) == 0, "what is being closed counts"
    ledger.gone(lost)
    assert opening(ledger) == 1
    assert third.waits


def test_an_idle_connection_is_closed_after_its_time_down_to_the_least() -> None:
    ledger = made(min_size=1, max_size=3, idle_timeout=5.0, lifetime=None)
    held = [asked(ledger), asked(ledger), asked(ledger)]
    assert opening(ledger) == 3
    seats = [ledger.opened(Client(), 0.0) for _ in range(3)]
    for moment, ask in enumerate(held):
        ledger.give_back(ask, float(moment))
    assert ledger.tidy(4.9) == 5.0
    assert ledger.to_close() == []
    assert ledger.tidy(6.0) == 11.0
    assert ledger.to_close() == seats[:2]
    assert ledger.tidy(100.0) == 105.0
    assert ledger.statistics().idle == 1


def test_a_time_out_names_who_has_what() -> None:
    ledger = made(min_size=1, max_size=1)
    opened(ledger)
    asked(ledger, now=1.0, who="task slow")
    late, later = asked(ledger, now=2.0), asked(ledger, now=2.0)
    error = ledger.late(late, 7.0)
    assert isinstance(error, PoolTimeout)
    assert str(error) == ("no connection within 5 s: size 1 of 1, in use 1, waiting 2; task slow has had one for 6 s")
    assert error.details == {"size": 1, "in_use": 1, "waiting": 2, "oldest_holder": "task slow", "held_for": 6.0}
    assert later.waits


def test_a_mistake_is_told_to_all_who_wait_and_trouble_only_named() -> None:
    ledger = made(min_size=0)
    one, two = asked(ledger), asked(ledger)
    assert opening(ledger) == 2
    ledger.failed(ConnectionLost("refused"), for_good=False)
    assert one.waits
    assert "the last connection that failed: refused" in str(ledger.late(one, 1.0))
    ledger.failed(InvalidArgument("no such namespace"), for_good=True)
    assert isinstance(one.error, InvalidArgument)
    assert isinstance(two.error, InvalidArgument)
    assert one.error is not two.error
    assert ledger.statistics().waiting == 0


def test_a_closed_pool_refuses_and_lets_go() -> None:
    ledger = made(min_size=1, max_size=1)
    seat = opened(ledger)
    held, waiting = asked(ledger), asked(ledger)
    assert ledger.close() == [seat]
    assert isinstance(waiting.error, ClientClosed)
    with pytest.raises(ClientClosed):
        asked(ledger)
    ledger.give_back(held, 1.0)
    assert opening(ledger) == 0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"max_size": 0}, "max_size: a whole number, at least 1"),
        ({"min_size": -1}, "min_size: a whole number, at least 0"),
        ({"min_size": 3, "max_size": 2}, "min_size 3 is above max_size 2"),
        ({"min_size": True}, "min_size"),
        ({"acquire_timeout": 0}, "acquire_timeout: seconds above 0"),
        ({"idle_timeout": "5"}, "idle_timeout"),
        ({"lifetime": inf}, "lifetime: None for no end"),
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        PoolConfig(**wrong)

"""Ten thousand calls, many cancelled in the worst moments: no answer goes astray, nothing is lost, nothing leaks."""

from __future__ import annotations

from random import Random

import trio

import kv_client
from tests.faults.processes import Server
from tests.faults.proxy import Proxy, proxy

ROUNDS = 100
CALLS = 100
ITEMS = ROUNDS * CALLS


class Tally:
    """What the calls of all rounds came to."""

    def __init__(self) -> None:
        self.returned: dict[str, list[object]] = {}
        self.wrong: list[tuple[str, object]] = []
        self.cancelled_in_flight = 0
        self.cancelled_in_turn = 0
        self.cancelled_takes = 0


async def one_call(
    client: kv_client.Client, number: int, scope: trio.CancelScope, tally: Tally, started: list[int]
) -> None:
    """A read or a take of item *number*, or a lock on it, under *scope*."""
    key = f"item:{number}"
    started.append(number)
    with scope:
        if number % 4 == 0:
            async with client.lock(f"lock:{number}", ttl=60):
                pass
        elif number % 2 == 0:
            value = await client.getdel(key)
            tally.returned.setdefault(key, []).append(value)
            if value != number:
                tally.wrong.append((key, value))
        else:
            value = await client.get(key)
            if value != number:
                tally.wrong.append((key, value))


async def one_round(client: kv_client.Client, between: Proxy, first: int, dice: Random, tally: Tally) -> None:
    """A hundred calls: 35 are cancelled while their replies are held back, 10 in the turn in which theirs arrives."""
    numbers = list(range(first, first + CALLS))
    scopes = {number: trio.CancelScope() for number in numbers}
    in_flight = dice.sample(numbers, 35)
    in_turn = dice.sample([number for number in numbers if number not in in_flight], 10)
    between.holding = trio.Event()
    seen = len(between.requests)
    async with trio.open_nursery() as nursery:
        started: list[int] = []
        for number in numbers:
            nursery.start_soon(one_call, client, number, scopes[number], tally, started)
        while len(between.requests) - seen < CALLS:
            await between.seen.wait()
        for number in in_flight:
            scopes[number].cancel()
        tally.cancelled_in_flight += len(in_flight)
        tally.cancelled_takes += sum(number % 2 == 0 for number in in_flight)
        cancel_when_answered(client, [scopes[number] for number in in_turn])
        tally.cancelled_in_turn += len(in_turn)
        holding, between.holding = between.holding, None
        holding.set()


def cancel_when_answered(client: kv_client.Client, scopes: list[trio.CancelScope]) -> None:
    """Cancel *scopes* right behind the replies of this round, before any of their tasks runs."""
    session = client._link.session
    receive = session.receive_data

    def receive_and_cancel(data: bytes, now: float) -> int:
        told = receive(data, now)
        session.receive_data = receive  # type: ignore[method-assign]
        for scope in scopes:
            scope.cancel()
        return told

    session.receive_data = receive_and_cancel  # type: ignore[method-assign]


async def test_cancelled_calls_never_mix_answers_lose_items_or_leak(server: Server) -> None:
    dice = Random(11)
    tally = Tally()
    async with proxy(server.port) as between, kv_client.connect(server.url("cancel", between.port)) as client:
        for first in range(0, ITEMS, CALLS):
            await client.mset(*[(f"item:{number}", number) for number in range(first, first + CALLS)])
            await one_round(client, between, first, dice, tally)
        assert tally.cancelled_in_flight >= 0.3 * ITEMS
        assert tally.cancelled_in_turn >= 0.1 * ITEMS
        assert tally.cancelled_takes >= 0.4 * tally.cancelled_in_flight
        assert not tally.wrong
        assert await client.locks() == []
        figures = client.statistics()
        assert figures.connections == 1, "a cancelled call cost the connection"
        assert between.connections == 1
        assert figures.open_calls == figures.waiting_calls == figures.held_locks == 0
        left = await client.mget(*[f"item:{number}" for number in range(ITEMS)])
    for number, value in enumerate(left):
        taken = tally.returned.get(f"item:{number}", [])
        present = [] if value is None else [value]
        assert taken + present == [number], f"item {number}: returned {taken}, in the store {present}"

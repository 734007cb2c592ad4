"""Rate limits between clients and the real server: turns in order, and nothing taken by whoever leaves."""

from __future__ import annotations

import pytest
import trio

import kv_client
from kv_server.testing import server
from tests.testing.rig import opened


async def waiting_calls(client: kv_client.Client, calls: int) -> None:
    """Come back once so many calls wait at the server."""
    while (await client.info())["engine"]["waiting_calls"] != calls:
        await trio.sleep(0)


async def test_tasks_of_several_clients_get_their_turns_in_the_order_of_asking(autojump_clock):
    async with server() as s, opened(s) as one, opened(s) as two, trio.open_nursery() as nursery:
        turns = []

        async def wait(number, client):
            assert (await client.limiter("l", limit=1, per=3600).acquire()).allowed
            turns.append(number)

        await wait(0, one)
        for number, client in enumerate([one, two, one, two, two], 1):
            nursery.start_soon(wait, number, client)
            await waiting_calls(one, number)
        for number in range(1, 6):
            await one.delete("l")
            await waiting_calls(one, 5 - number)
            while len(turns) == number:
                await trio.sleep(0)
            assert turns == list(range(number + 1))


async def test_a_turn_comes_by_itself_when_enough_has_come_back(autojump_clock):
    async with server() as s, opened(s) as client:
        limiter = client.limiter("l", limit=50, per=1, burst=1)
        turns = []
        for _ in range(6):
            await limiter.acquire()
            turns.append(round(trio.current_time(), 3))
        assert turns == [0, 0.02, 0.04, 0.06, 0.08, 0.1]


async def test_whoever_is_cancelled_has_taken_nothing(autojump_clock):
    async with server() as s, opened(s) as client:
        limiter = client.limiter("l", limit=1, per=3600, burst=2)
        await limiter.acquire()
        full = await client.get("l")
        for calls in (1, 5):
            async with trio.open_nursery() as nursery:
                for _ in range(calls):
                    nursery.start_soon(limiter.acquire, 2)
                await waiting_calls(client, calls)
                nursery.cancel_scope.cancel()
            await waiting_calls(client, 0)
            assert await client.get("l") == full
        assert (await limiter.check()).allowed


async def test_whoever_loses_the_connection_leaves_the_line(autojump_clock):
    async with server() as s, opened(s) as client, trio.open_nursery() as nursery:
        limiter = client.limiter("l", limit=1, per=3600, burst=2)
        await limiter.acquire()
        life = trio.CancelScope()

        async def come_and_go():
            with life:
                async with opened(s) as other:
                    await other.limiter("l", limit=1, per=3600, burst=2).acquire(2)

        nursery.start_soon(come_and_go)
        await waiting_calls(client, 1)
        nursery.start_soon(limiter.acquire)
        await waiting_calls(client, 2)
        life.cancel()
        await waiting_calls(client, 0)
        assert not (await limiter.check()).allowed, "the second one has got what was left"


async def test_a_wait_that_is_too_long_ends_with_how_long_it_would_have_been(autojump_clock):
    async with server() as s, opened(s) as client:
        limiter = client.limiter("l", limit=1, per=60)
        await limiter.acquire()
        with pytest.raises(kv_client.RateLimited) as refused:
            await limiter.acquire(wait=0.01)
        assert refused.value.retry_after == 59.99

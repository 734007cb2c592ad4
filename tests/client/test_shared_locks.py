"""Shared locks and semaphores between clients and the real server: who is let in when, and what is left behind."""

from __future__ import annotations

import random

import pytest
import trio

import kv_client
from kv_protocol.errors import InvalidArgument, LockHeld, LockLost
from kv_server.testing import server
from tests.testing.rig import opened


async def test_readers_come_in_together_and_a_writer_alone(autojump_clock):
    async with server() as s, opened(s, "one") as one, opened(s, "two") as two:
        inside = []

        async def visit(client, shared):
            async with client.lock("l", shared=shared, wait=10):
                inside.append(shared)
                assert inside == [False] or all(inside)
                await trio.sleep(0.002)
                inside.remove(shared)

        for shared in random.Random(3).choices([True, False], k=40):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(visit, one, shared)
                    nursery.start_soon(visit, two, True)
        assert await one.locks() == []


async def test_a_semaphore_is_never_overfull_and_all_get_in(autojump_clock):
    async with server() as s, opened(s) as one, opened(s) as two, opened(s) as three:
        inside = most = visits = 0

        async def visit(client):
            nonlocal inside, most, visits
            async with client.semaphore("s", 3, wait=20):
                inside += 1
                most = max(most, inside)
                await trio.sleep(0.001)
                inside -= 1
                visits += 1

        async with trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(visit, (one, two, three)[number % 3])
        assert (most, visits, inside) == (3, 60, 0)
        assert await one.locks() == []


async def test_random_cancellation_leaves_no_place_taken():
    async with server() as s, opened(s) as one, opened(s) as two:
        dice = random.Random(7)

        async def visit(client, patience):
            with trio.move_on_after(patience):
                async with client.semaphore("s", 2):
                    await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(visit, dice.choice([one, two]), dice.uniform(0, 0.05))
        for _ in range(2):
            async with one.semaphore("s", 2, wait=1), two.semaphore("s", 2, wait=1):
                assert [hold.limit for hold in await one.locks()] == [2, 2]
        assert await one.locks() == []


async def test_a_place_that_is_taken_away_ends_its_block_alone():
    async with server() as s, opened(s) as one, opened(s) as two:
        async with two.lock("l", shared=True) as stays:
            with pytest.raises(LockLost):
                async with one.lock("l", shared=True, on_lost="cancel") as held:
                    assert held.token > stays.token
                    await two.release_lock("l", held.token)
                    assert len(await two.locks()) == 1
                    with pytest.raises(kv_client.StaleFence):
                        await one.set("k", 1, fence=held)
            await two.set("k", 2, fence=stays)


async def test_what_cannot_be_is_refused():
    async with server() as s, opened(s) as client:
        with pytest.raises(InvalidArgument):
            client.semaphore("s", 0)
        async with client.lock("l", shared=True):
            with pytest.raises(RuntimeError, match="reentrant"):
                async with client.lock("l", shared=True):
                    pass
        async with client.semaphore("s", 1):
            with pytest.raises(LockHeld):
                await client.acquire_lock("s", limit=2, wait=0)

"""Pools: strict order, never too many, and nothing is left behind, whoever comes, fails or is cancelled."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import kv_client as kv
import kv_pool
import kv_pool.aio
import kv_pool.sync
from kv_pool import PoolConfig, PoolTimeout
from tests.faults.proxy import one_in

POOLS = {"trio": kv_pool, "asyncio": kv_pool.aio, "uvloop": kv_pool.aio, "sync": kv_pool.sync}


def pool_of(face, url=None, connect=None, **config: Any):
    options = {"timeout": 30.0, "connect_timeout": 20.0, **(connect or {})}
    return POOLS[face.name].KvPool(url or face.url, PoolConfig(**{"acquire_timeout": 30.0, **config}), **options)


async def test_fifty_on_two_connections_are_served_in_their_order_and_nobody_fails(face):
    order = []
    sizes = set()

    async def hold(pool, free):
        async with pool.acquire():
            await free.wait()

    async def work(pool, number):
        async with pool.acquire() as client:
            order.append(number)
            sizes.add(pool.statistics().size)
            await client.incr("n")

    async with pool_of(face, min_size=1, max_size=2) as pool:
        free = face.event()
        async with face.tasks() as tasks:
            holders = [tasks.start(hold, pool, free) for _ in range(2)]
            await face.until(lambda: pool.statistics().held == 2)
            for number in range(50):
                tasks.start(work, pool, number)
                await face.until(lambda number=number: pool.statistics().waiting == number + 1)
            free.set()
            for holder in holders:
                await holder.result()
        if not face.blocking:  # two are let go at once, and run in any order; threads as the system likes
            assert all(abs(place - number) <= 1 for place, number in enumerate(order))
        assert sorted(order) == list(range(50))
        assert sizes == {2}
        async with pool.get() as client:
            assert await client.get("n") == 50
        figures = pool.statistics()
        assert (figures.size, figures.idle, figures.opened, figures.timed_out) == (2, 2, 2, 0)
        assert figures.acquired == 54


async def test_those_who_share_get_one_connection_and_who_is_alone_another_one(face):
    async with pool_of(face, min_size=1, max_size=3) as pool:
        async with pool.get() as one, pool.get() as two, pool.acquire() as alone:
            assert one is two
            assert alone is not one
            assert await one.incr("n") + await alone.incr("n") == 3
            figures = pool.statistics()
            assert (figures.shared, figures.held, figures.idle) == (1, 1, 0)
        assert pool.statistics().idle == 2


async def test_who_waits_for_too_long_is_told_who_has_the_connections(face):
    async with pool_of(face, min_size=1, max_size=1, acquire_timeout=0.05) as pool:
        async with pool.acquire():
            with pytest.raises(PoolTimeout, match=r"size 1 of 1, in use 1, waiting 1; \w+ .* has had one for"):
                async with pool.acquire():
                    pass
            with pytest.raises(PoolTimeout) as caught:
                async with pool.get(wait=0):
                    pass
            assert {"size", "in_use", "waiting", "oldest_holder", "held_for"} <= caught.value.details.keys()
        async with pool.acquire(wait=0) as client:
            await client.set("a", 1)
        assert pool.statistics().timed_out == 2


async def test_the_exception_of_a_block_leaves_bare_and_gives_the_connection_back(face):
    with pytest.raises(ZeroDivisionError):
        async with pool_of(face, min_size=1, max_size=1) as pool:
            with pytest.raises(KeyError):
                async with pool.acquire():
                    raise KeyError
            assert pool.statistics().idle == 1
            async with pool.acquire():
                raise ZeroDivisionError


async def test_calls_over_a_pool_happen_once_though_its_connections_are_cut(face, between):
    results = []

    async def count(pool):
        for _ in range(25):
            async with pool.acquire() as client:
                results.append(await client.incr("n"))

    async with pool_of(face, face.through(between), min_size=2, max_size=4) as pool:
        between.cut_when(one_in(20, Random(5)))
        async with face.tasks() as tasks:
            for _ in range(12):
                tasks.start(count, pool)
        between.cut_when(lambda: False)
        assert between.proxy.dropped > 5
        assert pool.statistics().size <= 4
    assert sorted(results) == list(range(1, 301))


async def test_a_connection_that_comes_back_broken_is_closed_and_another_one_opened(face, between):
    async with pool_of(face, face.through(between), {"timeout": 0.3}, min_size=1, max_size=1) as pool:
        async with pool.acquire() as client:
            between.refuse()
            between.cut()
            with pytest.raises(kv.ConnectionLost):
                await client.get("a")
            assert not client.statistics().connected
        between.refuse(False)
        async with pool.acquire() as other:
            assert other is not client
            assert await other.incr("n") == 1
        figures = pool.statistics()
        assert (figures.size, figures.opened, figures.closed) == (1, 2, 1)


async def test_idle_connections_are_closed_down_to_the_least(face):
    async with pool_of(face, min_size=1, max_size=3, idle_timeout=0.05) as pool:
        async with pool.acquire(), pool.acquire(), pool.acquire():
            assert pool.statistics().held == 3

        async def look():
            async with pool.get() as client:  # threads have no background: it happens when the pool is used
                await client.exists("a")
            await face.sleep(0.03)
            return pool.statistics().size == 1

        await face.until(look)
        figures = pool.statistics()
        assert (figures.idle, figures.closed) == (1, 2)


async def test_an_old_connection_is_replaced(face):
    async with pool_of(face, min_size=1, max_size=1, lifetime=0.05) as pool:
        async with pool.acquire() as first:
            await face.sleep(0.06)
        async with pool.acquire() as second:
            assert second is not first
            assert await second.set("a", 1)


async def test_what_is_wrong_with_the_server_is_told_by_opening(face):
    with pytest.raises(kv.ConnectionLost, match="not connected after"):
        async with pool_of(face, "kv://127.0.0.1:1/x", {"connect_timeout": 0.2}, min_size=1):
            pass
    async with pool_of(face, "kv://127.0.0.1:1/x", {"connect_timeout": 0.2}, min_size=0, acquire_timeout=0.5) as pool:
        with pytest.raises(PoolTimeout, match=r"the last connection that failed: kv://127\.0\.0\.1:1: not connected"):
            async with pool.acquire():
                pass
        assert pool.statistics().waiting == 0
    with pytest.raises(kv.InvalidArgument, match="not a kv URL"):
        pool_of(face, "redis://127.0.0.1")


async def test_a_pool_is_used_inside_its_block_and_opened_once(face):
    pool = pool_of(face)
    with pytest.raises(kv.ClientClosed):
        async with pool.get():
            pass
    async with pool:
        pass
    with pytest.raises(kv.ClientClosed):
        async with pool.acquire():
            pass
    with pytest.raises(RuntimeError, match="opened once"):
        async with pool:
            pass
    with pytest.raises(kv.InvalidArgument, match="wait: seconds from 0"):
        async with pool.acquire(wait=-1):
            pass


async def test_ten_thousand_random_cancellations_leave_nothing_behind(async_face):
    face, dice = async_face, Random(11)

    async def work(pool):
        async with pool.acquire() if dice.random() < 0.7 else pool.get() as client:
            if dice.random() < 0.5:
                await client.incr("n")
            await face.sleep(0)

    async with pool_of(face, min_size=1, max_size=4) as pool:
        cancelled = 0
        while cancelled < 10_000:
            async with face.tasks() as tasks:
                for _ in range(100):
                    tasks.start(work, pool)
                for _ in range(dice.randrange(4)):
                    await face.sleep(0)
                for task in tasks.started:
                    if dice.random() < 0.9:
                        task.cancel()
                        cancelled += 1
            assert pool.statistics().size <= 4
        figures = pool.statistics()
        assert (figures.held, figures.shared, figures.waiting) == (0, 0, 0)
        async with pool.acquire(wait=1), pool.acquire(wait=1), pool.acquire(wait=1), pool.acquire(wait=1) as client:
            await client.ping()  # answers come in order: that to a call whose owner has just left is here by now
            assert client.open_calls == 0
            number = await client.incr("n")
            assert number == await client.get("n")


async def test_a_pool_that_is_left_by_cancellation_leaves_no_task_behind(async_face):
    face = async_face

    async def work():
        async with pool_of(face, min_size=2, max_size=2) as pool, pool.acquire() as client:
            await client.blpop("nothing")

    async with face.tasks() as tasks:
        task = tasks.start(work)
        await face.sleep(0.1)
        task.cancel()
    assert task.cancelled

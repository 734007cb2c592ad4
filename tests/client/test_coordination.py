"""Many locks at once, elections, and results that are worked out once: between clients and the real server."""

from __future__ import annotations

import random

import pytest
import trio

import kv_client
from kv_protocol.errors import LockHeld, LockLost, StaleFence
from kv_server.testing import server
from tests.client.test_limits import waiting_calls
from tests.testing.rig import opened


class Own(Exception):
    pass


# ---- many locks
async def test_those_who_want_the_same_locks_in_another_order_do_not_wait_for_each_other(autojump_clock):
    async with server() as s, opened(s) as one, opened(s) as two:
        names, dice, inside = ["a", "b", "c", "d"], random.Random(5), set()

        async def work(client):
            for _ in range(10):
                wanted = dice.sample(names, 3)
                async with client.lock_all(*wanted, wait=20) as held:
                    assert set(held) == set(wanted)
                    assert not inside & set(wanted)
                    inside.update(wanted)
                    await trio.sleep(0.0005)
                    inside.difference_update(wanted)

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for client in (one, two, one, two):
                    nursery.start_soon(work, client)
        assert await one.locks() == []


async def test_many_locks_are_held_all_or_not_at_all(autojump_clock):
    async with server() as s, opened(s) as one, opened(s) as two:
        async with two.lock("b"):
            with pytest.raises(LockHeld):
                async with one.lock_all("c", "a", "b", wait=5):
                    raise AssertionError("never entered")
            assert 5 <= trio.current_time() < 5.01
            assert [hold.lock for hold in await one.locks()] == ["b"]
            with trio.move_on_after(0.02):
                async with one.lock_all("a", "b"):
                    raise AssertionError("never entered")
            await waiting_calls(two, 0)
            assert [hold.lock for hold in await one.locks()] == ["b"]
        with pytest.raises(Own):
            async with one.lock_all("a", "a", "b") as held:
                assert list(held) == ["a", "b"]
                async with one.transaction() as tx:
                    tx.require_lock(held["a"])
                    tx.require_lock(held["b"])
                    tx.set("k", 1)
                raise Own
        assert await one.locks() == []


async def test_if_one_of_many_locks_is_lost_the_block_ends():
    async with server() as s, opened(s) as one, opened(s) as two:
        for name in ("a", "b"):
            with pytest.raises(LockLost):
                async with one.lock_all("a", "b"):
                    await two.break_lock(name)
                    await trio.sleep_forever()
            assert await two.locks() == []


# ---- elections
async def test_one_leads_and_the_next_follows_and_observers_see_each_in_turn():
    async with server() as s, opened(s) as one, opened(s) as two, opened(s) as three:
        seen = []

        async def lead(client, name, leave):
            async with client.election("e").lead(name) as held:
                await client.set("task", name, fence=held)
                await leave.wait()

        async with three.election("e").observe() as leaders, trio.open_nursery() as nursery:
            assert await anext(leaders) is None
            leaves = [trio.Event(), trio.Event()]
            nursery.start_soon(lead, one, "one", leaves[0])
            seen.append(await anext(leaders))
            nursery.start_soon(lead, two, "two", leaves[1])
            await waiting_calls(three, 2)
            assert await three.election("e").leader() == "one"
            async with three.election("e").observe() as late:
                assert await anext(late) == "one"
            for leave in leaves:
                leave.set()
                seen.append(await anext(leaders))
            seen += [await anext(leaders)]
        assert seen == ["one", None, "two", None]
        assert await three.election("e").leader() is None


async def test_a_leader_that_is_deposed_is_stopped_and_writes_no_more():
    async with server() as s, opened(s) as one, opened(s) as two:
        with pytest.raises(LockLost):
            async with one.election("e").lead("one") as held:
                await two.break_lock("e")
                assert await two.election("e").leader() is None
                with pytest.raises(StaleFence):
                    await one.set("task", 1, fence=held)
                await trio.sleep_forever()
        async with two.election("e", ttl=5).lead("two", wait=0):
            with pytest.raises(LockHeld):
                async with one.election("e").lead("one", wait=0):
                    pass


async def test_a_leader_that_was_not_heard_of_is_followed_by_the_next(autojump_clock):
    async with server() as s, opened(s) as two:
        async with opened(s) as one:
            await one.acquire_lock("e", ttl=15)
            async with two.election("e").lead("two", wait=30):
                assert await one.election("e").leader() == "two"


async def test_a_candidate_that_is_cancelled_leaves_nothing_behind():
    async with server() as s, opened(s) as client:
        for number in range(30):
            with trio.move_on_after(0.0002 * number):
                async with client.election("e").lead(number):
                    await trio.sleep(0.001)
        with trio.fail_after(5):
            while await client.locks():
                await trio.sleep(0.001)
        assert await client.dbsize() == 0


# ---- once
async def test_a_result_is_worked_out_once_for_all_who_ask(autojump_clock):
    async with server() as s, opened(s) as one, opened(s) as two:
        runs, results = [], []

        async def work():
            runs.append(1)
            await trio.sleep(0.02)
            return {"total": 42}

        async def ask(client):
            results.append(await client.once("report", work))

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(ask, (one, two)[number % 2])
        assert (len(runs), results) == (1, [{"total": 42}] * 20)
        assert await one.once("nothing", lambda: None) is None
        assert await one.once("nothing", lambda: 1) is None
        assert await one.locks() == []


async def test_if_the_work_fails_the_next_in_line_does_its_own():
    async with server() as s, opened(s) as one, opened(s) as two:
        begun = trio.Event()

        async def fail():
            begun.set()
            await waiting_calls(one, 1)
            raise Own

        async with trio.open_nursery() as nursery:

            async def first():
                with pytest.raises(Own):
                    await one.once("report", fail)

            nursery.start_soon(first)
            await begun.wait()
            assert await two.once("report", lambda: "good", ttl=60) == "good"
        assert 59 < (await one.ttl("report") or 0) <= 60
        with pytest.raises(LockHeld):
            async with two.lock("busy"):
                await one.once("busy", lambda: 1, wait=0)


async def test_a_result_of_whoever_lost_the_lock_is_not_kept():
    async with server() as s, opened(s) as one, opened(s) as two:

        async def slow():
            await two.break_lock("report")
            await trio.sleep_forever()

        with pytest.raises(LockLost):
            await one.once("report", slow)
        assert await two.exists("report") == 0
        assert isinstance(await two.once("report", dict), dict)
        assert kv_client.MISSING is not await one.get("report")

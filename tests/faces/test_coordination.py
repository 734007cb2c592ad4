"""Elections, work done once, rate limits, blocking pops: what waits for others."""

from __future__ import annotations

import pytest

import kv_client as kv


# ---- elections
async def test_one_leads_and_the_next_one_follows(face):
    led = []

    async def lead(client, value):
        async with client.election("e").lead(value) as held:
            led.append((value, held.token))
            await client.set("plan", value, fence=held)
            assert await client.election("e").leader() == value

    async with face.connect() as one, face.connect() as two:
        election = one.election("e", ttl=10)
        assert await election.leader() is None
        async with face.tasks() as tasks:
            async with election.lead({"at": "one"}):
                assert await two.election("e").leader() == {"at": "one"}
                with pytest.raises(kv.LockHeld):
                    async with two.election("e").lead(0, wait=0):
                        pass
                tasks.start(lead, two, "two")
                await face.until(lambda: two.statistics().waiting_calls == 1)
        assert [value for value, _ in led] == ["two"]
        assert await election.leader() is None


async def test_observers_see_every_leader_in_order(face):
    async with face.connect() as client, face.connect() as other:
        seen = []
        began = face.event()

        async def observe():
            async with other.election("e").observe() as leaders:
                async for leader in leaders:
                    seen.append(leader)
                    began.set()
                    if len(seen) == 5:
                        return

        async with face.tasks() as tasks:
            tasks.start(observe)
            await began.wait()
            for value in ("one", "two"):
                async with client.election("e").lead(value):
                    await face.until(lambda value=value: seen[-1] == value)
                await face.until(lambda: seen[-1] is None)
        assert seen == [None, "one", None, "two", None]


async def test_a_lost_lead_ends_the_block(face):
    async with face.connect() as client, face.connect() as other:
        with pytest.raises(kv.LockLost, match="broken"):
            async with client.election("e", ttl=0.9).lead("me") as held:
                await other.break_lock("e")
                await face.until(lambda: held.lost)
                await face.sleep(0)
        assert await other.election("e").leader() is None


# ---- once
async def test_one_works_and_all_others_wait_for_its_result(face):
    runs = []
    asked = face.event()

    async def work():
        runs.append(1)
        await asked.wait()
        return {"n": 42}

    async with face.connect() as one, face.connect() as two:
        async with face.tasks() as tasks:
            results = [tasks.start(client.once, "report", work) for client in (one, two, one, two)]
            await face.until(lambda: len(runs) == 1)
            await face.until(lambda: one.statistics().waiting_calls + two.statistics().waiting_calls == 3)
            asked.set()
        assert [await task.result() for task in results] == [{"n": 42}] * 4
        assert await one.once("report", lambda: 1 / 0) == {"n": 42}
    assert len(runs) == 1


async def test_work_that_fails_is_done_by_the_next_in_line(face):
    async def fail():
        await face.sleep(0)
        raise LookupError("work")

    async with face.connect() as client:
        with pytest.raises(LookupError, match="work"):
            await client.once("report", fail)
        assert await client.once("report", lambda: 7, ttl=60) == 7
        assert 50 < await client.ttl("report") <= 60
        async with client.lock("busy"), face.connect() as other:
            with pytest.raises(kv.LockHeld):
                await other.once("busy", lambda: 1, wait=0.02)


# ---- limits
async def test_a_limiter_tells_and_takes(face):
    async with face.connect() as client:
        limiter = client.limiter("l", limit=3, per=3_600)
        decisions = [await limiter.check() for _ in range(4)]
        assert [each.allowed for each in decisions] == [True, True, True, False]
        assert [each.remaining for each in decisions] == [2, 1, 0, 0]
        assert 1_000 < decisions[3].retry_after <= 1_200
        with pytest.raises(kv.RateLimited) as caught:
            await limiter.acquire(wait=0)
        assert (caught.value.code, caught.value.retryable) == ("RATE_LIMITED", True)
        assert 1_000 < caught.value.retry_after <= 1_200
        with pytest.raises(kv.RateLimited):
            await limiter.acquire(wait=0.02)
        with pytest.raises(kv.InvalidArgument):
            await limiter.check(4)
        assert await client.delete("l")
        assert (await limiter.acquire(2)).remaining == 1


async def test_those_who_wait_for_a_limit_get_their_turns(face):
    async with face.connect() as client:
        limiter = client.limiter("l", limit=100, per=1, burst=1)
        async with face.within(10):
            async with face.tasks() as tasks:
                turns = [tasks.start(limiter.acquire) for _ in range(10)]
        assert all([(await turn.result()).allowed for turn in turns])


# ---- blocking pops
async def test_pops_wait_and_are_served_in_the_order_of_asking(face):
    got = []

    async def pop(client, number):
        got.append((number, await client.list("q").wait_pop_left(wait=20)))

    async with face.connect() as one, face.connect() as two:
        async with face.tasks() as tasks:
            for number in range(6):
                client = (one, two)[number % 2]
                before = client.statistics().waiting_calls
                tasks.start(pop, client, number)
                await face.until(lambda client=client, before=before: client.statistics().waiting_calls > before)
                await client.ping()
            for number in range(6):
                await one.rpush("q", number)
                await face.until(lambda number=number: len(got) > number)
    assert got == [(number, number) for number in range(6)]


async def test_a_pop_that_waits_holds_up_nobody(face):
    async with face.connect() as client:
        async with face.tasks() as tasks:
            waiting = [tasks.start(client.blpop, "q", f"other{number}", wait=20) for number in range(50)]
            await face.until(lambda: client.statistics().waiting_calls == 50)
            assert await client.set("a", 1)
            assert await client.get("a") == 1
            await client.rpush("q", *range(50))
        popped = [await task.result() for task in waiting]
        assert sorted(value for _, value in popped) == list(range(50))
        assert client.statistics().open_calls == 0


async def test_a_pop_comes_back_with_nothing_when_its_time_is_over(face):
    async with face.connect(timeout=0.05) as client:
        assert await client.blpop("q", wait=0.2) is None
        assert await client.list("q").wait_pop_right(wait=0.01) is None
        assert await client.bzpopmin("z", wait=0.01) is None
        assert await client.blmove("q", "r", "LEFT", "RIGHT", wait=0.01) is None
        assert client.statistics().open_calls == 0


async def test_pops_of_every_kind_take_what_comes(face):
    async with face.connect() as client, face.connect() as other:
        async with face.tasks() as tasks:
            moved = tasks.start(client.blmove, "q", "r", "LEFT", "RIGHT", wait=20)
            lowest = tasks.start(client.sorted_set("z").wait_pop_lowest, wait=20)
            many = tasks.start(client.blmpop, ["m"], "LEFT", count=2, wait=20)
            await face.until(lambda: client.statistics().waiting_calls == 3)
            await other.rpush("q", "x")
            await other.sorted_set("z").add({"a": 1})
            await other.rpush("m", 1, 2, 3)
        assert await moved.result() == "x"
        assert (await lowest.result()).member == "a"
        assert (await many.result()).values == [1, 2]
        assert await client.list("r").range(0, -1) == ["x"]
        await client.zadd("z2", {"a": 1})
        with pytest.raises(kv.WrongType):
            await client.blpop("absent", "z2", wait=5)

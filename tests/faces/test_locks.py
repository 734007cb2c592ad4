"""Locks of every kind: in the order of asking, renewed, never believed to be held when they are not."""

from __future__ import annotations

import pytest

import kv_client as kv


async def waiters(client, count):
    locks = await client.locks()
    return bool(locks) and locks[0].waiters == count


async def test_locks_are_granted_in_the_order_of_asking(face):
    order = []

    async def wait(client, number):
        async with client.lock("a") as held:
            order.append((number, held.token))

    async with face.connect() as first, face.connect() as second:
        async with face.tasks() as tasks:
            async with first.lock("a", wait=0):
                for number in range(8):
                    tasks.start(wait, (first, second)[number % 2], number)
                    await face.until(lambda asked=number + 1: waiters(first, asked))
                with pytest.raises(kv.LockHeld) as caught:
                    async with second.lock("a", wait=0):
                        pass
                assert (caught.value.code, caught.value.retryable) == ("LOCK_HELD", True)
                assert 0 < caught.value.remaining <= 15
        assert [number for number, _ in order] == list(range(8))
        assert [token for _, token in order] == sorted({token for _, token in order})
        assert await first.locks() == []


async def test_waiting_for_a_lock_ends_in_time(face):
    async with face.connect(name="holder") as client, face.connect() as other:
        async with client.lock("a"):
            with pytest.raises(kv.LockHeld) as caught:
                async with other.lock("a", wait=0.05):
                    pass
            assert caught.value.owner == "holder"
            assert await face.until(lambda: waiters(client, 0)) is None
        async with other.lock("a", wait=0.05) as held:
            assert not held.lost


async def test_a_lock_outlives_its_lease_by_renewal(face):
    async with face.connect() as client, face.connect() as other:
        async with client.lock("a", ttl=0.3) as held:
            with pytest.raises(kv.LockHeld):
                async with other.lock("a", wait=0.7):
                    pass
            assert not held.lost
            assert 0 < held.remaining() <= 0.3
            await client.set("doc", 1, fence=held)
            assert (held.name, held.fence) == ("a", kv.Fence("a", held.token))
        async with other.lock("a", wait=0) as next_held:
            assert next_held.token > held.token
        with pytest.raises(kv.StaleFence):
            await client.set("doc", 2, fence=held)


async def test_a_lock_is_not_reentrant_and_used_once(face):
    async with face.connect() as client:
        lock = client.lock("a")
        async with lock:
            with pytest.raises(RuntimeError, match="holds the lock 'a' already; locks are not reentrant"):
                async with client.lock("a", wait=0):
                    pass
            async with client.lock("b", wait=0), client.ns(client.namespace + "2").lock("a", wait=0):
                pass
        with pytest.raises(RuntimeError, match="a lock object is used once"):
            async with lock:
                pass
        async with client.lock("a", wait=0):
            pass


async def test_mistakes_about_locks(face):
    async with face.connect() as client:
        with pytest.raises(kv.InvalidArgument, match="a lease must be longer than nothing"):
            client.lock("a", ttl=0)
        with pytest.raises(kv.InvalidArgument, match="a duration must be"):
            client.lock("a", ttl="1")
        with pytest.raises(kv.InvalidArgument, match="on_lost: 'cancel', 'ignore' or a function"):
            client.lock("a", on_lost="explode")
        with pytest.raises(kv.InvalidArgument, match="limit: at least 1"):
            client.semaphore("a", 0)


async def test_a_lost_lock_ends_its_block_and_raises_bare(face):
    async with face.connect() as client, face.connect() as other:
        kept = []
        with pytest.raises(kv.LockLost, match="broken by an operator") as caught:
            async with client.lock("a", ttl=0.9) as held:
                kept.append(held)
                await other.break_lock("a")
                await face.until(lambda: held.lost)
                await face.sleep(0)
        error = caught.value
        assert (type(error), error.code) == (kv.LockLost, "LOCK_LOST")
        assert (error.details["lock"], error.details["reason"]) == ("a", "broken")
        assert (error.__cause__, error.__suppress_context__) == (None, True)
        assert kept[0].lost
        assert kept[0].remaining() == 0.0
        assert repr(kept[0]).endswith(" lost>")
        with pytest.raises(kv.StaleFence):
            await client.set("doc", 2, fence=kept[0])
        await face.sleep(0)
        assert await client.ping() == "PONG"


async def test_the_bodys_own_exception_wins_and_is_bare(face):
    async with face.connect() as client, face.connect() as other:
        with pytest.raises(LookupError) as caught:
            async with client.lock("a"):
                raise LookupError("mine")
        assert (caught.value.args, caught.value.__cause__, caught.value.__context__) == (("mine",), None, None)
        with pytest.raises(LookupError):
            async with client.lock("a", wait=0, ttl=0.9, on_lost="ignore") as held:
                await other.break_lock("a")
                await face.until(lambda: held.lost)
                raise LookupError
        async with client.lock("a", wait=0):
            pass


async def test_a_lost_lock_may_tell_a_function_instead(face):
    async with face.connect() as client, face.connect() as other:
        told = []
        async with client.lock("a", ttl=0.9, on_lost=told.append) as held:
            await other.break_lock("a")
            await face.until(lambda: told)
            await client.ping()
        assert told == [held]

        def explode(_):
            raise LookupError("told")

        with pytest.raises(LookupError, match="told"):
            async with client.lock("a", ttl=0.9, wait=0, on_lost=explode) as held:
                await other.break_lock("a")
                await face.until(lambda: held.lost)
        async with client.lock("a", ttl=0.9, wait=0, on_lost="ignore") as held:
            await other.break_lock("a")
            await face.until(lambda: held.lost)


async def test_a_lock_is_held_no_longer_than_its_max_hold(face):
    async with face.connect() as client, face.connect() as other:
        with pytest.raises(kv.LockLost, match="as long as max_hold allows") as caught:
            async with client.lock("a", ttl=0.2, max_hold=0.3) as held:
                await face.until(lambda: held.lost)
                await face.sleep(0.01)
        assert caught.value.details["reason"] == "max_hold"
        async with other.lock("a", wait=5):
            pass


async def test_a_lease_that_is_not_renewed_ends(face):
    async with face.connect() as client:
        with pytest.raises(kv.LockLost):
            async with client.lock("a", ttl=0.2, renew=False) as held:
                await face.until(lambda: held.lost)
                await face.sleep(0.01)
        async with client.lock("a", wait=5):
            pass


async def test_the_lock_is_released_at_exit(face):
    async with face.connect() as client, face.connect() as other:
        for _ in range(20):
            async with client.lock("a", wait=0):
                pass
            async with other.lock("a", wait=0):
                pass
        assert client.statistics().held_locks == 0
        assert client.statistics().open_calls == 0


async def test_twenty_tasks_exclude_each_other(face):
    inside = []
    most = []

    async def work(client):
        for _ in range(3):
            async with client.lock("a"):
                inside.append(1)
                most.append(len(inside))
                await client.incr("n")
                inside.pop()

    async with face.connect() as one, face.connect() as two:
        async with face.tasks() as tasks:
            for number in range(20):
                tasks.start(work, (one, two)[number % 2])
        assert await one.get("n") == 60
    assert max(most) == 1


async def test_a_shared_lock_is_shared_but_not_with_writers(face):
    async with face.connect() as one, face.connect() as two:
        async with one.lock("a", shared=True, wait=0), two.lock("a", shared=True, wait=0):
            with pytest.raises(kv.LockHeld):
                async with face.connect() as three, three.lock("a", wait=0):
                    pass
        async with two.lock("a", wait=0):
            with pytest.raises(kv.LockHeld):
                async with one.lock("a", shared=True, wait=0):
                    pass


async def test_a_semaphore_has_its_places(face):
    inside = []
    most = []

    async def work(client):
        async with client.semaphore("s", 3):
            inside.append(1)
            most.append(len(inside))
            await face.sleep(0.005)
            inside.pop()

    async with face.connect() as client, face.connect() as other:
        async with face.tasks() as tasks:
            for number in range(12):
                tasks.start(work, (client, other)[number % 2])
        assert max(most) == 3
        async with client.semaphore("s", 2, wait=0), other.semaphore("s", 2, wait=0):
            with pytest.raises(kv.LockHeld):
                async with face.connect() as third, third.semaphore("s", 2, wait=0):
                    pass


async def test_all_locks_or_none(face):
    async with face.connect() as client, face.connect() as other:
        async with client.lock_all("b", "a", "b", wait=1) as held:
            assert list(held) == ["a", "b"]
            await client.set("doc", 1, fence=held["b"])
            with pytest.raises(kv.LockHeld):
                async with other.lock_all("0", "b", wait=0.02):
                    pass
            assert {lock.lock for lock in await client.locks()} == {"a", "b"}
        assert await client.locks() == []
        with pytest.raises(kv.LockLost) as caught:
            async with client.lock_all("a", "b", ttl=0.9) as held:
                await other.break_lock("a")
                await face.until(lambda: held["a"].lost)
                await face.sleep(0)
        assert caught.value.details["lock"] == "a"
        assert await client.locks() == []

        async def work(names):
            for _ in range(5):
                async with client.lock_all(*names):
                    await client.incr("n")

        async with face.tasks() as tasks:
            for names in ("ab", "ba", "bca", "cab"):
                tasks.start(work, names)
        assert await client.get("n") == 20


async def test_keys_go_with_the_lease_they_are_bound_to(face):
    async with face.connect() as client, face.connect() as other:
        async with client.lease(0.4) as lease, client.lease() as second:
            await client.set("one", 1, lease=lease)
            await client.set("two", 2, lease=lease)
            await client.set("three", 3, lease=second)
            await face.sleep(0.6)
            assert await other.mget("one", "two", "three") == [1, 2, 3]
            assert {key for each in await other.leases() for key in each.keys} == {"one", "two", "three"}
        assert await other.mget("one", "two", "three") == [None, None, None]
        with pytest.raises((kv.LockLost, kv.StaleFence)):
            await client.set("one", 1, lease=lease)

"""What asyncio asks of a library that waits: time-outs, task groups, cancellation told on, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
import weakref

import pytest

import kv_client as kv


def count():
    return asyncio.current_task().cancelling()


async def test_a_batch_may_be_cancelled_at_any_turn_and_has_what_it_took(asyncio_face, between):
    async def work(pending):
        async with client.batch() as batch:
            pending.extend([batch.get("a"), batch.lpop("q")])

    async with asyncio_face.connect(asyncio_face.through(between)) as client:
        for turns in range(8):
            await client.rpush("q", turns)
            pending = []
            between.hold()
            task = asyncio.ensure_future(work(pending))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            asyncio.get_running_loop().call_later(0.01, between.release)
            with pytest.raises(asyncio.CancelledError):
                await task
            if pending and pending[1].done:
                with pytest.raises(kv.CallCancelled):
                    pending[0].result()
                with contextlib.suppress(kv.CallCancelled):
                    assert pending[1].result() == turns
            await client.delete("q")
        assert client.statistics().open_calls == 0


async def test_a_timeout_is_honoured_and_leaves_no_cancellation_behind(asyncio_face, between):
    face = asyncio_face
    async with face.connect(face.through(between)) as client, face.connect() as other:
        await client.ping()

        async def lock():
            async with client.lock("held"):
                pass

        async def watch():
            async with client.watch("w") as changes:
                await anext(changes)

        async def batch():
            async with client.batch() as calls:
                calls.get("a")
                calls.lpop("q")

        async with other.lock("held"):
            for wait in (lambda: client.blpop("q"), lock, watch, lambda: client.once("held", lambda: 1)):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await wait()
                assert count() == 0
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(wait(), 0.02)
                assert count() == 0
            between.hold()
            for wait in (lambda: client.get("a"), lambda: client.set("a", 1), watch):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await wait()
                assert count() == 0
            asyncio.get_running_loop().call_later(0.1, between.release)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await batch()
            assert count() == 0
            await asyncio.sleep(0)
        await client.ping()
        assert client.statistics().open_calls == 0
        assert client.statistics().connections == 1


async def test_a_timeout_that_comes_with_the_answer_gives_the_answer_or_nothing_is_taken(asyncio_face):
    got = []
    async with asyncio_face.connect() as client:
        await client.rpush("q", *range(300))
        for number in range(300):
            try:
                async with asyncio.timeout(number * 2e-6):
                    got.append(await client.lpop("q"))
            except TimeoutError:
                pass
            assert count() == 0
        await asyncio.sleep(0)
        left = await client.lrange("q", 0, -1)
    assert got + left == list(range(300))


async def test_a_task_group_that_is_aborted_ends_although_a_pop_has_taken_something(asyncio_face, between):
    face = asyncio_face
    got, after = [], []

    async def pop(client):
        got.append((await client.blpop("q")).value)
        await asyncio.sleep(20)
        after.append("went on")

    async def fail(client):
        await face.until(lambda: between.seen("BLPOP") == 1)
        await client.ping()
        between.hold()
        async with face.connect() as other:
            await other.rpush("q", 7)
        asyncio.get_running_loop().call_later(0.05, between.release)
        raise LookupError

    async def both(client):
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(pop(client))
            group.create_task(fail(client))

    async with face.connect(face.through(between)) as client:
        with pytest.raises(BaseExceptionGroup) as caught:
            await asyncio.create_task(both(client))
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        assert (got, after) == ([7], [])
        await client.ping()
        assert client.statistics().open_calls == 0


async def test_a_cancellation_during_the_exit_of_a_lock_still_releases_it(asyncio_face, between):
    face = asyncio_face

    async def hold(client):
        async with client.lock("a"):
            between.hold()

    async with face.connect(face.through(between)) as client, face.connect() as other:
        for cancels in (1, 3):
            task = asyncio.create_task(hold(client))
            before = between.seen("UNLOCK")
            await face.until(lambda before=before: between.seen("UNLOCK") > before)
            for _ in range(cancels):
                task.cancel()
                await asyncio.sleep(0)
            assert not task.done()
            between.release()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with other.lock("a", wait=0):
                pass
        assert client.statistics().held_locks == 0
        await client.ping()
        assert client.statistics().open_calls == 0


async def test_a_cancellation_while_a_lock_is_taken_leaves_it_free(asyncio_face, between):
    face = asyncio_face
    entered = []

    async def hold(client):
        async with client.lock("a"):
            entered.append(1)
            await asyncio.sleep(20)

    async with face.connect(face.through(between)) as client, face.connect() as other:
        between.hold()
        task = asyncio.create_task(hold(client))
        await face.until(lambda: between.seen("LOCK") == 1)
        task.cancel()
        await face.until(lambda: between.seen("CANCEL") == 1)
        task.cancel()
        between.release()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with other.lock("a", wait=5):
            pass
        assert client.statistics().held_locks == 0


async def test_a_lost_lock_leaves_no_cancellation_behind(asyncio_face):
    face = asyncio_face
    async with face.connect() as client, face.connect() as other:
        with pytest.raises(kv.LockLost):
            async with client.lock("a"):
                await other.break_lock("a")
                await asyncio.sleep(20)
        assert count() == 0
        await asyncio.sleep(0)

        async with asyncio.timeout(20) as outer:
            with pytest.raises(kv.LockLost):
                async with client.lock("a", wait=0), client.lock("b", wait=0):
                    await other.break_lock("a")
                    await asyncio.sleep(20)
        assert (count(), outer.expired()) == (0, False)

        with pytest.raises(kv.LockLost):
            async with client.lock("a", wait=0):
                try:
                    await other.break_lock("a")
                    await asyncio.sleep(20)
                finally:
                    await client.ping()  # a block may still clean up
        assert count() == 0

        with pytest.raises(kv.LockLost):
            async with client.lock("a", wait=0):
                await other.break_lock("a")
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.sleep(20)
        assert count() == 0
        await asyncio.sleep(0)

        with pytest.raises(BaseExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(20))
                async with client.lock("a", wait=0):
                    await other.break_lock("a")
                    await asyncio.sleep(20)
        assert [type(error) for error in caught.value.exceptions] == [kv.LockLost]
        assert count() == 0


async def test_both_a_lost_lock_and_a_timeout_are_accounted_for(asyncio_face):
    face = asyncio_face
    async with face.connect() as client, face.connect() as other:
        for seconds in (0, 1e-4, 5e-4, 1e-3):
            try:
                async with asyncio.timeout(None) as limit:
                    async with client.lock("a", wait=5):
                        assert await other.break_lock("a")
                        limit.reschedule(asyncio.get_running_loop().time() + seconds)
                        await asyncio.sleep(20)
            except (TimeoutError, kv.LockLost):
                pass
            assert count() == 0
            await asyncio.sleep(0)
            await client.ping()


async def test_an_outer_cancellation_is_not_taken_for_a_lost_lock(asyncio_face):
    face = asyncio_face

    async def hold(client, other):
        async with client.lock("a"):
            try:
                await asyncio.sleep(20)
            finally:
                await other.break_lock("a")
                await client.ping()
                await asyncio.sleep(0.01)

    async with face.connect() as client, face.connect() as other:
        task = asyncio.create_task(hold(client, other))
        await face.until(lambda: client.statistics().held_locks == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()


async def test_cancelling_while_there_is_nobody_to_connect_to_ends_at_once(asyncio_face):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"kv://127.0.0.1:{listener.getsockname()[1]}"

        async def use():
            async with asyncio_face.connect(url):
                pass

        task = asyncio.create_task(use())
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            while connection.recv(4_096):
                pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await use()
        assert count() == 0


async def test_what_was_asked_before_the_end_of_the_block_still_leaves(asyncio_face):
    face = asyncio_face
    async with face.connect() as other:
        for number in range(20):
            async with face.connect() as client:
                call = asyncio.create_task(client.set(f"k{number}", number))
                await asyncio.sleep(0)
            with pytest.raises(kv.ConnectionLost) as caught:
                await call
            assert caught.value.maybe_applied

            async def there(number=number):
                return await other.get(f"k{number}") == number

            await face.until(there)


async def test_a_client_works_on_when_somebody_cancels_all_tasks(asyncio_face, between):
    """As programs do when they end: what they still clean up needs the client."""
    face = asyncio_face
    entered = asyncio.Event()

    async def hold():
        async with face.connect(face.through(between)) as client, client.lock("a"):
            entered.set()
            try:
                await asyncio.sleep(20)
            finally:
                await client.set("cleaned", 1)

    task = asyncio.create_task(hold())
    await entered.wait()
    for each in asyncio.all_tasks() - {asyncio.current_task()}:
        each.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with face.connect() as other, other.lock("a", wait=0):
        assert await other.get("cleaned") == 1


async def test_a_closed_client_is_held_by_nothing(asyncio_face):
    async def use():
        async with asyncio_face.connect() as client:
            async with client.lock("a"), client.watch("b"):
                await client.set("a", 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.blpop("q")
            return weakref.ref(client._link)

    made = await use()
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert made() is None


async def test_a_client_that_is_never_opened_leaves_nothing(asyncio_face):
    client = asyncio_face.connect()
    made = weakref.ref(client._link)
    del client
    gc.collect()
    assert made() is None


async def test_a_client_is_opened_in_one_task_and_closed_in_another(asyncio_face):
    """As fixtures of tests and frameworks do."""
    client = asyncio_face.connect()
    await asyncio.create_task(client.__aenter__())
    assert await client.ping() == "PONG"
    await asyncio.create_task(client.__aexit__(None, None, None))
    with pytest.raises(kv.ClientClosed):
        await client.ping()


async def test_a_reader_who_is_slow_holds_up_what_is_written_and_nothing_breaks(asyncio_face):
    async with asyncio_face.connect() as client:
        blob = b"x" * (1 << 20)
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(client.set(f"k{number}", blob))
        assert await client.strlen("k29") == 1 << 20
        assert client.statistics().connections == 1
        await client.flush()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_are_served_too(asyncio_face):
    if asyncio_face.name == "uvloop":
        pytest.skip("uvloop tells the factory what it does not know")
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    async with asyncio_face.connect() as client:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.incr("n")) for _ in range(100)]
        assert sorted(task.result() for task in tasks) == list(range(1, 101))
        async with client.lock("a"), client.watch("b"):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await client.blpop("q")
        assert count() == 0

"""Connections that break and servers that restart: reads repeat, writes happen once, locks are never believed."""

from __future__ import annotations

import signal
from random import Random

import pytest

import kv_client as kv
from tests.faults.proxy import one_in


async def test_a_cut_is_survived_by_calls_and_the_session_is_resumed(face, between):
    async with face.connect(face.through(between)) as client:
        session = await client.client_id()
        await client.set("a", 1)
        for number in range(5):
            between.cut()
            assert await client.get("a") == 1
            assert await client.incr("n") == number + 1
        figures = client.statistics()
        assert figures.connections == 6
        assert (figures.session, figures.open_calls) == (session, 0)


async def test_calls_under_way_at_a_cut_are_repeated_and_take_effect_once(face, between):
    async with face.connect(face.through(between)) as client:
        await client.set("a", 1)
        between.hold()
        async with face.tasks() as tasks:
            reads = [tasks.start(client.get, "a") for _ in range(10)]
            writes = [tasks.start(client.incr, "n") for _ in range(10)]
            await face.until(lambda: between.seen("INCR") == 10)
            between.cut()
            between.release()
        assert [await read.result() for read in reads] == [1] * 10
        assert sorted([await write.result() for write in writes]) == list(range(1, 11))
        assert client.statistics().repeated >= 20
        assert await client.get("n") == 10


async def test_increments_over_cut_connections_give_each_number_once(face, between):
    results = []
    tasks_at_once, calls = 20, 100

    async def count(client):
        for _ in range(calls):
            results.append(await client.incr("n"))

    async with face.connect(face.through(between)) as client:
        between.cut_when(one_in(40, Random(7)))
        async with face.tasks() as tasks:
            for _ in range(tasks_at_once):
                tasks.start(count, client)
        between.cut_when(lambda: False)
        assert client.statistics().connections > 20
        assert between.proxy.dropped > 50
    assert sorted(results) == list(range(1, tasks_at_once * calls + 1))


async def test_a_batch_and_a_transaction_over_a_cut_happen_once(face, between):
    async with face.connect(face.through(between)) as client, face.connect() as other:
        await client.ping()

        async def batched():
            async with client.batch() as batch:
                counts = [batch.incr("n") for _ in range(50)]
            return [count.result() for count in counts]

        async def at_once():
            async with client.transaction() as tx:
                count = tx.incr("m", by=5)
            return count.result()

        for work, word, outcome in ((batched, "INCR", list(range(1, 51))), (at_once, "ATOMIC", 5)):
            between.hold()
            async with face.tasks() as tasks:
                working = tasks.start(work)
                await face.until(lambda word=word: between.seen(word) >= 1)
                between.cut()
                between.release()
            assert await working.result() == outcome
        assert await other.mget("n", "m") == [50, 5]


async def test_a_pop_that_waits_goes_on_waiting_after_a_cut(face, between):
    async with face.connect(face.through(between)) as client, face.connect() as other:
        async with face.tasks() as tasks:
            popping = tasks.start(client.blpop, "q", wait=20)
            await face.until(lambda: between.seen("BLPOP") == 1)
            between.cut()
            await face.until(lambda: between.seen("BLPOP") == 2)
            await other.rpush("q", 1)
        assert (await popping.result()).value == 1
        assert await other.llen("q") == 0


async def test_a_lock_is_held_over_a_cut_and_a_waiter_goes_on_waiting(face, between):
    order = []

    async def wait(client, number):
        async with client.lock("a"):
            order.append(number)

    async with face.connect(face.through(between)) as client, face.connect() as other:
        async with face.tasks() as tasks:
            async with client.lock("a") as held:
                tasks.start(wait, client, 0)
                await face.until(lambda: between.seen("LOCK") == 2)
                tasks.start(wait, other, 1)
                await face.until(lambda: other.statistics().waiting_calls == 1)
                between.cut()
                await client.set("doc", 1, fence=held)
                assert not held.lost
                await face.until(lambda: between.seen("EXTEND") >= 1)
        assert sorted(order) == [0, 1]
        assert await other.locks() == []


async def test_a_lock_behind_a_dead_network_is_lost_in_time(face, between):
    async with face.connect(face.through(between), timeout=1) as client, face.connect() as other:
        with pytest.raises(kv.LockLost, match="before a renewal was confirmed") as caught:
            async with client.lock("a", ttl=0.5) as held:
                between.refuse()
                between.cut()
                await face.until(lambda: held.lost)
                await face.sleep(0.01)
        assert caught.value.details["reason"] == "time"
        async with other.lock("a", wait=5) as next_held:
            assert next_held.token > held.token


async def test_a_server_that_restarts_has_forgotten_the_locks(face, own_server):
    async with face.connect(own_server.url()) as client, face.connect(own_server.url()) as other:
        await client.set("a", 1)
        told = []
        with pytest.raises(kv.LockLost, match="the server was restarted") as caught:
            async with client.lock("a") as held, other.lock("b", on_lost=told.append):
                own_server.restart()

                async def lost():
                    await client.mget("a", "b")
                    await other.mget("a", "b")
                    return held.lost and told

                await face.until(lost)
                await face.sleep(0.01)
        assert caught.value.details["reason"] == "restart"
        assert await client.get("a") is None
        assert await client.incr("n") == 1
        assert client.statistics().connections == 2


async def test_a_write_that_was_sent_to_a_server_that_died_may_have_been_applied(face, own_server):
    async with face.connect(own_server.url()) as client:
        await client.ping()
        own_server.running.send_signal(signal.SIGSTOP)
        async with face.tasks() as tasks:
            writing, reading = tasks.start(client.set, "a", 1), tasks.start(client.get, "a")
            await face.until(lambda: client.statistics().open_calls == 2 and not client.statistics().unsent_calls)
            own_server.restart()
            with pytest.raises(kv.ConnectionLost) as caught:
                await writing.result()
            assert await reading.result() is None
        assert caught.value.maybe_applied is True
        assert str(caught.value).startswith("SET: the connection was lost before the answer came")


async def test_a_server_that_says_goodbye_is_left_without_an_error(face, own_server):
    async with face.connect(own_server.url(), timeout=30) as client:
        await client.ping()
        results = []

        async def count():
            for _ in range(200):
                results.append(await client.get("n"))

        async with face.tasks() as tasks:
            tasks.start(count)
            await face.until(lambda: len(results) > 20)
            own_server.end()
            own_server.start()
        assert len(results) == 200
        assert client.statistics().connections == 2


async def test_a_connection_that_is_cut_right_after_its_greeting_is_made_again(face, between):
    """Whatever the moment of the cut: nothing is sent into the void, nothing crashes, nothing waits for ever."""
    async with face.connect(face.through(between)) as client:
        for number in range(30):
            await client.set("a", number)
            before = between.seen("HELLO")
            between.cut()
            async with face.tasks() as tasks:
                reading = tasks.start(client.get, "a")
                await face.until(lambda before=before: between.seen("HELLO") > before)
                between.cut()
            assert await reading.result() == number
        assert client.statistics().open_calls == 0

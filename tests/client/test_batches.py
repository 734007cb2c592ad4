"""Batches: one write, results of their own, nothing sent on an exception, bounded however long they are."""

import gc
from weakref import ref

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_client._async.link import FIRST
from kv_client._trio.pump import REST_S
from kv_protocol.values import encode


class Own(Exception):
    pass


async def fill(client, count, results):
    async with client.batch() as batch:
        results += [batch.get(f"k{n}") for n in range(count)]


async def test_the_calls_of_a_short_batch_leave_in_one_send_and_have_their_results(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        batch = starting(nursery, fill, client, FIRST, results)
        await wait_all_tasks_blocked()
        sends = wire.sends
        requests = [await wire.expect("GET") for _ in range(FIRST)]
        assert wire.sends == sends + 1
        for request in reversed(requests):
            wire.reply(request, encode(request[2][0]))
        await batch.result()
        assert [result.result() for result in results] == [f"k{n}" for n in range(FIRST)]


async def test_the_server_may_begin_with_the_first_calls_of_a_long_batch(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        batch = starting(nursery, fill, client, 2 * FIRST + 1, results)
        requests = [await wire.expect("GET") for _ in range(2 * FIRST + 1)]
        assert [request[2] for request in requests] == [[f"k{n}"] for n in range(2 * FIRST + 1)]
        for request in requests:
            wire.reply(request)
        await batch.result()
        assert {result.result() for result in results} == {None}


async def test_a_batch_that_is_over_is_freed_at_once(peer, starting):
    async def work():
        async with client.batch() as batch:
            batch.get("a")
        return ref(batch)

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        batch = starting(nursery, work)
        request = await wire.expect("GET")
        gc.disable()
        try:
            wire.reply(request)
            assert (await batch.result())() is None
        finally:
            gc.enable()


async def test_an_error_of_one_call_is_its_own(peer, starting):
    async def work():
        async with client.batch() as batch:
            good, bad = batch.get("a"), batch.incr("b")
        return good, bad

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        batch = starting(nursery, work)
        wire.reply(await wire.expect("GET"), encode(1))
        wire.fail(await wire.expect("INCR"), "NOT_NUMBER", "a list")
        good, bad = await batch.result()
        assert good.result() == 1
        with pytest.raises(kv_client.NotANumber, match="a list"):
            bad.result()


async def test_a_result_before_the_end_is_a_mistake(peer):
    with pytest.raises(RuntimeError, match="no result yet"):
        async with peer.client() as client, client.batch() as batch:
            batch.get("a").result()


async def test_an_exception_in_the_block_sends_nothing(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        pending = []

        async def body():
            async with client.batch() as batch:
                pending.append(batch.set("a", 1))
                raise Own

        with pytest.raises(Own):
            await body()
        with pytest.raises(RuntimeError):
            pending[0].result()
        call = starting(nursery, client.get, "after")
        wire.reply(await wire.expect("GET"))
        await call.result()


async def test_an_empty_batch_is_no_call(peer):
    async with peer.opened() as (client, _):
        async with client.batch():
            pass
        assert client.statistics().sent == 0


async def test_a_batch_is_used_once_and_only_inside_its_block(peer):
    async with peer.opened() as (client, _):
        batch = client.batch()
        with pytest.raises(RuntimeError):
            batch.get("a")
        async with batch:
            pass
        with pytest.raises(RuntimeError):
            batch.get("a")


async def test_calls_that_wait_are_no_part_of_a_batch(peer):
    async with peer.opened() as (client, _):
        with pytest.raises(kv_client.InvalidArgument):
            async with client.batch() as batch:
                batch._add("LOCK", ("a",), None, 2 | 4, lambda reply: reply)


async def test_a_batch_beyond_the_bound_goes_in_parts(peer, starting):
    async def serve():
        while True:
            request = await wire.expect("GET")
            seen.append(client.statistics().open_calls)
            await wire.writable()
            wire.reply(request, encode(1))

    seen = []
    async with peer.opened(timeout=60) as (client, wire), trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        results = []
        await fill(client, 10_000, results)
        assert {result.result() for result in results} == {1}
        assert max(seen) <= 8_192
        nursery.cancel_scope.cancel()


async def test_a_cancelled_batch_leaves_the_connection_good(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        batch = starting(nursery, fill, client, 3, results)
        requests = [await wire.expect("GET") for _ in range(3)]
        wire.reply(requests[0], encode("first"))
        await wait_all_tasks_blocked()
        batch.scope.cancel()
        await batch.done.wait()
        assert batch.scope.cancelled_caught
        assert results[0].result() == "first"
        with pytest.raises(kv_client.CallCancelled):
            results[1].result()
        after = starting(nursery, client.get, "after")
        for request in requests[1:]:
            wire.reply(request, encode("late"))
        wire.reply(await wire.expect("GET"), encode("after"))
        assert await after.result() == "after"


async def test_what_a_cancelled_batch_took_is_in_its_results(peer, starting):
    async def work():
        async with client.batch() as batch:
            taken.append(batch.getdel("a"))
            taken.append(batch.getdel("b"))

    taken = []
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        batch = starting(nursery, work)
        requests = [await wire.expect("GETDEL") for _ in range(2)]
        batch.scope.cancel()
        cancels = [await wire.expect("CANCEL") for _ in range(2)]
        assert [cancel[2] for cancel in cancels] == [[request[0]] for request in requests]
        wire.reply(requests[0], encode("taken"))
        wire.reply(cancels[0], False)
        wire.fail(requests[1], "CANCELLED")
        wire.reply(cancels[1], True)
        await batch.done.wait()
        assert batch.scope.cancelled_caught
        assert taken[0].result() == "taken"
        with pytest.raises(kv_client.CallCancelled):
            taken[1].result()


async def test_a_batch_without_answers_times_out_call_by_call(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, _):
        results = []
        with trio.fail_after(3):
            await fill(client, 3, results)
        for result in results:
            with pytest.raises(kv_client.CallTimeout):
                result.result()


async def test_a_batch_is_resent_over_a_resumed_session(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        batch = starting(nursery, fill, client, 3, results)
        wire.reply(await wire.expect("GET"), encode(0))
        peer.welcome["resumed"] = True
        await wait_all_tasks_blocked()
        wire.close()
        wire = await peer.wire(1)
        for _ in range(2):
            wire.reply(await wire.expect("GET"), encode(1))
        await batch.result()
        assert [result.result() for result in results] == [0, 1, 1]


async def leads(client, wire):
    """Let who asks next, and is alone, read its own replies."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.get, "before")
        wire.reply(await wire.expect("GET"))
    assert client._link.pump.resting is not None


async def test_who_is_alone_with_a_batch_reads_its_replies(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        await leads(client, wire)
        batch = starting(nursery, fill, client, 3, results)
        requests = [await wire.expect("GET") for _ in range(3)]
        assert client._link.pump.leader is not None
        for request in requests:
            wire.reply(request, encode(request[2][0]))
            await wait_all_tasks_blocked()
        await batch.result()
        assert [result.result() for result in results] == ["k0", "k1", "k2"]
        assert client._link.pump.leader is None


async def test_another_may_join_who_reads_the_replies_of_a_batch(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        await leads(client, wire)
        batch = starting(nursery, fill, client, 2, results)
        requests = [await wire.expect("GET") for _ in range(2)]
        other = starting(nursery, client.get, "other")
        asked = await wire.expect("GET")
        for request in requests:
            wire.reply(request, encode("batch"))
        await batch.result()
        wire.reply(asked, encode("other"))
        assert await other.result() == "other"
        assert [result.result() for result in results] == ["batch"] * 2


async def test_who_reads_its_own_batch_may_be_cancelled(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        await leads(client, wire)
        batch = starting(nursery, fill, client, 2, results)
        requests = [await wire.expect("GET") for _ in range(2)]
        wire.reply(requests[0], encode("first"))
        await wait_all_tasks_blocked()
        batch.scope.cancel()
        await batch.done.wait()
        assert batch.scope.cancelled_caught
        assert results[0].result() == "first"
        with pytest.raises(kv_client.CallCancelled):
            results[1].result()
        wire.reply(requests[1])
        after = starting(nursery, client.get, "after")
        wire.reply(await wire.expect("GET"), encode("after"))
        assert await after.result() == "after"


async def test_the_time_of_a_batch_ends_for_who_reads_its_replies(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        results = []
        await leads(client, wire)
        batch = starting(nursery, fill, client, 2, results)
        with trio.fail_after(3):
            await batch.result()
        for result in results:
            with pytest.raises(kv_client.CallTimeout):
                result.result()


async def test_a_batch_goes_on_over_the_next_connection_whoever_read_the_last(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        results = []
        await leads(client, wire)
        batch = starting(nursery, fill, client, 2, results)
        for _ in range(2):
            await wire.expect("GET")
        wire.close()
        wire = await peer.wire(1)
        for _ in range(2):
            request = await wire.expect("GET")
            wire.reply(request, encode(request[2][0]))
        await batch.result()
        assert [result.result() for result in results] == ["k0", "k1"]


async def test_what_a_batch_takes_is_waited_for_and_not_read_by_its_owner(peer, starting):
    async def work():
        async with client.batch() as batch:
            taken.append(batch.getdel("a"))

    taken = []
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        await leads(client, wire)
        batch = starting(nursery, work)
        request = await wire.expect("GETDEL")
        assert client._link.pump.leader is None
        batch.scope.cancel()
        cancel = await wire.expect("CANCEL")
        wire.reply(request, encode("taken"))
        wire.reply(cancel, False)
        await batch.done.wait()
        assert taken[0].result() == "taken"


async def test_who_asks_when_the_reader_has_rested_is_heard_at_once(peer, autojump_clock):
    async def serve():
        while True:
            wire.reply(await wire.expect("GET"), encode(1))

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        for _ in range(20):
            await client.get("a")
            rests = trio.current_time()
            await client.get("led")
            await trio.sleep_until(rests + REST_S)
            asks = trio.current_time()
            await client.get("b")
            assert trio.current_time() == asks
        nursery.cancel_scope.cancel()

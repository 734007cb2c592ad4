"""Deadlines: what travels, what ends at the client, what an error says about the call."""

import math

import pytest
import trio

import kv_client
from kv_protocol.values import encode


async def test_the_default_time_out_travels_as_server_time(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        await trio.sleep(1)
        starting(nursery, client.get, "a")
        request = await wire.expect("GET")
        assert 53_000 <= request[4][1] <= 53_030  # the server said 50,000 at our 0; 1 s have passed, 2 are left
        wire.reply(request)


async def test_the_callers_own_deadline_travels_if_it_is_nearer(peer, starting, autojump_clock):
    async def hurry():
        with trio.fail_after(0.5):
            await client.get("a")

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        starting(nursery, hurry)
        request = await wire.expect("GET")
        assert 50_500 <= request[4][1] <= 50_530
        wire.reply(request)


async def test_without_any_bound_no_deadline_travels(peer, starting):
    async with peer.opened(timeout=None) as (client, wire), trio.open_nursery() as nursery:
        starting(nursery, client.get, "a")
        request = await wire.expect("GET")
        assert 1 not in request[4]
        wire.reply(request)


@pytest.mark.parametrize("word, maybe_applied", [("get", False), ("set", True)])
async def test_no_answer_in_time_is_a_time_out_that_says_what_may_have_happened(
    peer, starting, autojump_clock, word, maybe_applied
):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, getattr(client, word), "a", *([1] if word == "set" else []))
        request = await wire.request()
        began = trio.current_time()
        with pytest.raises(kv_client.CallTimeout) as caught:
            await call.result()
        assert caught.value.maybe_applied is maybe_applied
        assert trio.current_time() - began == pytest.approx(2, abs=0.01)
        wire.reply(request, 1)  # late: reaches nobody
        after = starting(nursery, client.get, "b")
        wire.reply(await wire.expect("GET"), encode("b"))
        assert await after.result() == "b"
        assert peer.dials == 1


async def test_calls_one_after_the_other_each_have_their_whole_time(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        for _ in range(4):
            call = starting(nursery, client.get, "a")
            request = await wire.expect("GET")
            await trio.sleep(1.5)
            wire.reply(request, encode(1))
            assert await call.result() == 1


async def test_what_takes_is_cancelled_at_the_server_when_its_time_is_over(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        request = await wire.expect("GETDEL")
        cancel = await wire.expect("CANCEL")
        wire.fail(request, "CANCELLED")
        wire.reply(cancel, True)
        with pytest.raises(kv_client.CallTimeout) as caught:
            await call.result()
        assert not caught.value.maybe_applied


async def test_what_was_taken_at_the_last_moment_is_returned(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        request = await wire.expect("GETDEL")
        await wire.expect("CANCEL")
        wire.reply(request, encode("taken"))
        assert await call.result() == "taken"


async def test_a_refusal_as_too_late_that_is_not_true_is_tried_again_without_deadline(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.set, "a", 1)
        wire.fail(await wire.expect("SET"), "DEADLINE")
        measure = await wire.expect("TIME")
        request = await wire.expect("SET")
        assert 1 not in request[4]
        wire.reply(measure, [0, 60_000])
        wire.reply(request, 5)
        assert await call.result() == 5
        starting(nursery, client.get, "b")
        request = await wire.expect("GET")
        assert request[4][1] >= 64_000
        wire.reply(request)


async def test_a_silent_connection_is_asked_and_then_replaced(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        began = trio.current_time()
        asked = await wire.expect("TIME")
        assert trio.current_time() - began == pytest.approx(15, abs=0.1)
        wire.reply(asked, [0, 65_000])
        await wire.expect("TIME")
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        assert await wire.ended()
        assert trio.current_time() - began == pytest.approx(35, abs=0.1)
        wire = await peer.wire(1)
        call = starting(nursery, client.get, "a")
        wire.reply(await wire.expect("GET"))
        await call.result()


async def test_an_idle_client_sleeps(peer, autojump_clock):
    """Its timers are those of liveness alone; nothing polls."""
    async with peer.opened() as (_, wire):

        async def answer():
            while True:
                wire.reply(await wire.expect("TIME"), [0, 50_000 + math.floor(trio.current_time() * 1000)])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            await trio.sleep(600)
            nursery.cancel_scope.cancel()
        assert peer.dials == 1


async def test_the_calls_of_a_batch_that_are_refused_as_too_late_are_tried_again_and_one_look_at_the_clock_is_enough(
    peer, starting
):
    async def work():
        async with client.batch() as batch:
            return [batch.set("a", 1), batch.set("b", 2)]

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        batch = starting(nursery, work)
        refused = [await wire.expect("SET") for _ in range(2)]
        for request in refused:
            wire.fail(request, "DEADLINE")
        await wire.expect("TIME")
        for number, request in enumerate(refused):
            again = await wire.expect("SET")
            assert again[4] == {2: request[4][2]}, "under the same number, without a deadline"
            wire.reply(again, number)
        assert [pending.result() for pending in await batch.result()] == [0, 1]

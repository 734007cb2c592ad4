"""Bounds: how many calls and bytes are open at once, who waits, in which order, and for how long."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_client._core import calls as bounds
from kv_protocol.values import encode


@pytest.fixture(autouse=True)
def tight(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_CALLS", 4)
    monkeypatch.setattr(bounds, "MAX_BYTES", 10_000)


async def test_callers_beyond_the_bound_wait_in_line(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        calls = []
        for n in range(10):
            calls.append(starting(nursery, client.get, str(n)))
            await wait_all_tasks_blocked()
        assert client.statistics().open_calls == 4
        order = []
        for _ in range(10):
            request = await wire.expect("GET")
            order.append(int(request[2][0]))
            assert client.statistics().open_calls <= 5
            wire.reply(request, encode(order[-1]))
            await wait_all_tasks_blocked()
        assert order == list(range(10))
        assert [await call.result() for call in calls] == order


async def test_bytes_count_too(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for n in range(3):
            starting(nursery, client.set, str(n), "x" * 6000)
            await wait_all_tasks_blocked()
        assert client.statistics().open_calls == 2
        for _ in range(3):
            wire.reply(await wire.expect("SET"), 1)


async def test_who_waits_in_line_has_a_time_out_and_nothing_was_sent(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        held = [starting(nursery, client.get, "held") for _ in range(4)]
        await wait_all_tasks_blocked()
        await trio.sleep(1)
        late = starting(nursery, client.set, "a", 1)
        for call in held:
            with pytest.raises(kv_client.CallTimeout):
                await call.result()
        with pytest.raises(kv_client.CallTimeout) as caught:
            await late.result()
        assert not caught.value.maybe_applied
        for _ in range(4):
            await wire.expect("GET")


async def test_who_is_cancelled_in_line_leaves_it(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for _ in range(4):
            starting(nursery, client.get, "held")
        await wait_all_tasks_blocked()
        gone, stays = starting(nursery, client.get, "gone"), starting(nursery, client.get, "stays")
        await wait_all_tasks_blocked()
        gone.scope.cancel()
        await gone.done.wait()
        for _ in range(5):
            request = await wire.expect("GET")
            assert request[2] != ["gone"]
            wire.reply(request, encode(1))
        assert await stays.result() == 1


async def test_calls_that_wait_at_the_server_do_not_count(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for n in range(8):
            starting(nursery, client.lock(str(n)).__aenter__)
        for _ in range(8):
            await wire.expect("LOCK")
        call = starting(nursery, client.get, "a")
        wire.reply(await wire.expect("GET"), encode(1))
        assert await call.result() == 1
        nursery.cancel_scope.cancel()


async def test_closing_wakes_the_line(peer, starting):
    async with trio.open_nursery() as nursery:
        async with peer.opened() as (client, wire):
            for _ in range(4):
                starting(nursery, client.get, "held")
            await wait_all_tasks_blocked()
            waiting = starting(nursery, client.get, "waiting")
            await wait_all_tasks_blocked()
            await wire.expect("GET")
        with pytest.raises(kv_client.ClientClosed):
            await waiting.result()


async def test_a_server_that_does_not_read_stops_the_sender_not_the_loop(peer, starting, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_BYTES", 1 << 24)
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        calls = [starting(nursery, client.set, str(n), b"x" * 2_000_000) for n in range(3)]
        await wait_all_tasks_blocked()  # the socket is full
        for _ in range(3):
            wire.reply(await wire.expect("SET"), 1)
        assert [await call.result() for call in calls] == [1, 1, 1]

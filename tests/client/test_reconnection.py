"""Lost connections: what is sent again, in which order, and what fails because nobody can tell."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_protocol.patience import LOOK_S
from kv_protocol.values import encode


async def test_the_next_connection_presents_the_session(peer, starting, autojump_clock):
    async with peer.opened() as (_, wire):
        wire.close()
        request = await (await peer.arrival(1)).expect("HELLO")
        assert request[3]["session"] == b"s" * 16


async def test_a_resumed_session_gets_every_unanswered_call_again_in_order_under_its_seq(
    peer, starting, autojump_clock
):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        calls, before = [], []
        for n in range(6):
            calls.append(starting(nursery, *((client.set, f"k{n}", n) if n % 2 else (client.get, f"k{n}"))))
            before.append(await wire.request())
        wire.reply(before[1], 11)
        assert await calls[1].result() == 11
        peer.welcome["resumed"] = True
        wire.close()
        wire = await peer.wire(1)
        after = [await wire.request() for _ in range(5)]
        expected = [request for n, request in enumerate(before) if n != 1]
        assert [(r[1], r[2]) for r in after] == [(r[1], r[2]) for r in expected]
        assert [r[4].get(2) for r in after] == [r[4].get(2) for r in expected]
        for request in after:
            wire.reply(request, encode("v") if request[1] == "GET" else 5)
        assert [await call.result() for call in calls] == ["v", 11, "v", 5, "v", 5]
        assert client.statistics().repeated == 5


async def test_a_lost_session_fails_sent_writes_and_repeats_reads(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        read = starting(nursery, client.get, "a")
        await wire.expect("GET")
        write = starting(nursery, client.set, "a", 1)
        assert (await wire.expect("SET"))[4][2] == 1
        wire.close()
        wire = await peer.wire(1)
        with pytest.raises(kv_client.ConnectionLost, match="SET: the connection was lost") as caught:
            await write.result()
        assert caught.value.maybe_applied
        wire.reply(await wire.expect("GET"), encode(1))
        assert await read.result() == 1
        fresh = starting(nursery, client.set, "a", 2)
        request = await wire.expect("SET")
        assert request[4][2] == 1  # a new session counts anew
        wire.reply(request, 1)
        await fresh.result()


async def test_writes_made_while_disconnected_are_sent_fresh(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        peer.refusals = 3
        wire.close()
        await wait_all_tasks_blocked()
        write = starting(nursery, client.set, "a", 1)
        wire = await peer.wire(1)
        request = await wire.expect("SET")
        assert request[4][2] == 1
        wire.reply(request, 8)
        assert await write.result() == 8
        assert peer.dials == 5


async def test_calls_wait_for_the_connection_within_their_deadline(peer, starting, autojump_clock):
    async with peer.opened(timeout=3) as (client, wire), trio.open_nursery() as nursery:
        peer.refusals = 10_000
        wire.close()
        await wait_all_tasks_blocked()
        began = trio.current_time()
        call = starting(nursery, client.set, "a", 1)
        with pytest.raises(kv_client.ConnectionLost, match=r"kv://peer:7440: .*tries.*Connection refused") as caught:
            await call.result()
        assert not caught.value.maybe_applied
        assert trio.current_time() - began == pytest.approx(3, abs=0.01)


async def test_a_sent_write_that_times_out_while_disconnected_may_have_been_applied(peer, starting, autojump_clock):
    async with peer.opened(timeout=3) as (client, wire), trio.open_nursery() as nursery:
        peer.refusals = 10_000
        call = starting(nursery, client.set, "a", 1)
        await wire.expect("SET")
        wire.close()
        with pytest.raises(kv_client.ConnectionLost) as caught:
            await call.result()
        assert caught.value.maybe_applied


async def test_tries_are_spread_and_never_more_than_a_second_apart(peer, starting, autojump_clock):
    async with peer.opened() as (_, wire):
        peer.refusals = 10_000
        wire.close()
        await trio.sleep(60)
        assert 60 < peer.dials < 400


async def test_a_connection_that_dies_at_once_is_not_hammered(peer, autojump_clock):
    async def drop():
        number = 0
        while True:
            (await peer.wire(number)).close()
            number += 1

    async with peer.client():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drop)
            await trio.sleep(20)
            nursery.cancel_scope.cancel()
        assert peer.dials < 150


async def test_goaway_finishes_open_calls_and_reconnects(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        old = starting(nursery, client.get, "old")
        request = await wire.expect("GET")
        wire.push("GOAWAY", "SHUTTING_DOWN", "soon")
        await wait_all_tasks_blocked()
        new = starting(nursery, client.set, "new", 1)
        await wait_all_tasks_blocked()
        assert peer.dials == 1
        wire.reply(request, encode("finished"))
        assert await old.result() == "finished"
        wire = await peer.wire(1)
        wire.reply(await wire.expect("SET"), 4)
        assert await new.result() == 4


async def test_goaway_on_an_idle_connection_reconnects_at_once(peer, autojump_clock):
    async with peer.opened() as (_, wire):
        wire.push("GOAWAY", "SHUTTING_DOWN", "soon")
        assert await wire.ended()
        await peer.wire(1)


async def test_a_server_that_shuts_down_gets_the_call_again_after_the_reconnection(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.set, "a", 1)
        wire.fail(await wire.expect("SET"), "SHUTTING_DOWN")
        wire = await peer.wire(1)
        wire.reply(await wire.expect("SET"), 4)
        assert await call.result() == 4


@pytest.mark.parametrize("look_s", [LOOK_S, 0.0])
async def test_too_many_unseen_answers_is_answered_with_seen(peer, starting, monkeypatch, look_s):
    monkeypatch.setattr("kv_client._trio.pump.LOOK_S", look_s)  # 0: the answer always comes when looking is over
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for _ in range(3):
            call = starting(nursery, client.set, "a", 1)
            wire.reply(await wire.expect("SET"), 1)
            await call.result()
        call = starting(nursery, client.set, "a", 1)
        request = await wire.expect("SET")
        assert 3 not in request[4]
        wire.fail(request, "BUSY", "unseen", {"limit": 16_384})
        request = await wire.expect("SET")
        assert (request[4][2], request[4][3]) == (4, 4)
        wire.reply(request, 9)
        assert await call.result() == 9


async def test_garbage_from_the_server_costs_the_connection_not_the_calls(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.get, "a")
        await wire.expect("GET")
        wire.send([1, 0])
        wire = await peer.wire(1)
        wire.reply(await wire.expect("GET"), encode(1))
        assert await call.result() == 1


async def test_a_call_that_breaks_three_connections_is_given_up(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.get, "a")
        for number in range(3):
            await wire.expect("GET")
            wire.send([0, 2, ["PROTOCOL", "what is that?", {}]])
            wire = await peer.wire(number + 1)
        with pytest.raises(kv_client.ProtocolError, match="what is that"):
            await call.result()


async def test_hello_without_an_answer_is_a_failed_try(peer, starting, autojump_clock):
    async with peer.opened(connect_timeout=2) as (client, wire), trio.open_nursery() as nursery:
        peer.silent = True
        wire.close()
        wire = await peer.wire(1)
        peer.silent = False
        assert await wire.ended()
        wire = await peer.wire(2)
        call = starting(nursery, client.get, "a")
        wire.reply(await wire.expect("GET"))
        await call.result()


async def test_a_server_that_is_full_is_tried_again(peer, autojump_clock):
    peer.silent = True

    async def refuse():
        wire = await peer.wire(0)
        peer.silent = False
        wire.send([1, 2, ["CONNECTIONS", "full", {"limit": 1}]])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        async with peer.client():
            assert peer.dials == 2


async def test_a_client_waits_while_the_server_reads_its_data(peer, starting, autojump_clock):
    async with peer.opened(timeout=60) as (client, wire), trio.open_nursery() as nursery:
        write = starting(nursery, client.set, "a", 1)
        seq = (await wire.expect("SET"))[4][2]
        peer.silent = True
        wire.close()
        for number in range(1, 9):
            wire = await peer.arrival(number)
            hello = await wire.expect("HELLO")
            assert hello[3]["session"] == b"s" * 16
            if number < 8:
                wire.fail(hello, "LOADING", "the server is reading its data, 50 % so far")
                wire.close()
        peer.welcome["resumed"] = True
        wire.reply(hello, peer.welcome)
        request = await wire.expect("SET")
        assert request[4][2] == seq
        wire.reply(request, 7)
        assert await write.result() == 7


async def test_a_client_is_opened_once_the_server_has_read_its_data_or_fails_and_says_why(
    peer, starting, autojump_clock
):
    async def answer(loading: int) -> None:
        for number in range(len(peer.wires), 10**6):
            wire = await peer.arrival(number)
            hello = await wire.expect("HELLO")
            if loading:
                loading -= 1
                wire.fail(hello, "LOADING", "the server is reading its data, 50 % so far")
                wire.close()
            else:
                wire.reply(hello, peer.welcome)

    peer.silent = True
    for loading in (3, 10**6):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, loading)
            if loading == 3:
                async with peer.client():
                    assert len(peer.wires) == 4
            else:
                with pytest.raises(kv_client.ConnectionLost, match="reading its data, 50 %"):
                    async with peer.client():
                        pass
            nursery.cancel_scope.cancel()

"""One connection: HELLO, batching, the order of replies, what is refused."""

import msgpack
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_protocol.values import encode


async def test_hello_tells_version_name_and_namespace(peer):
    async with peer.client(name="billing"):
        request = await peer.wires[0].expect("HELLO")
        assert request[2:4] == [[1], {"client": "billing", "namespace": "shop"}]


async def test_construction_does_no_io(peer):
    peer.client()
    await trio.testing.wait_all_tasks_blocked()
    assert peer.dials == 0


async def test_a_value_comes_back(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        got = starting(nursery, client.get, "a")
        request = await wire.expect("GET")
        assert request[2] == ["a"]
        wire.reply(request, encode({"x": 1}))
        assert await got.result() == {"x": 1}


async def test_calls_of_one_turn_leave_in_one_send(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        first = starting(nursery, client.get, "first")  # who is alone sends at once
        request = await wire.expect("GET")
        many = [starting(nursery, client.get, str(n)) for n in range(20)]
        await wait_all_tasks_blocked()
        sends = wire.sends
        requests = [await wire.expect("GET") for _ in range(20)]
        assert wire.sends == sends + 1
        for answered in (request, *requests):
            wire.reply(answered, encode(1))
        assert {await call.result() for call in (first, *many)} == {1}


async def test_woken_callers_ask_again_in_one_send(peer, starting):
    async def twice(key):
        await client.get(key)
        await client.get(key)

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for n in range(20):
            starting(nursery, twice, str(n))
        requests = [await wire.expect("GET") for _ in range(20)]
        wire.send(*([request[0], 0, encode(1)] for request in requests))
        await wait_all_tasks_blocked()
        sends = wire.sends
        for request in [await wire.expect("GET") for _ in range(20)]:
            wire.reply(request)
        assert wire.sends == sends + 1


async def test_replies_in_any_order_find_their_callers(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        calls = {n: starting(nursery, client.get, str(n)) for n in range(10)}
        requests = [await wire.expect("GET") for _ in range(10)]
        for request in sorted(requests, key=lambda request: request[2][0], reverse=True):
            wire.reply(request, encode(int(request[2][0])))
        assert {n: await call.result() for n, call in calls.items()} == {n: n for n in range(10)}


async def test_a_lone_caller_and_others_that_join_all_get_their_answers(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for round_ in range(3):
            lone = starting(nursery, client.get, "lone")
            first = await wire.expect("GET")
            joined = starting(nursery, client.get, "joined")
            second = await wire.expect("GET")
            wire.reply(first, encode(round_))
            assert await lone.result() == round_
            wire.reply(second, encode(-round_))
            assert await joined.result() == -round_


async def test_a_frame_in_pieces_is_one_reply(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        got = starting(nursery, client.get, "a")
        number = (await wire.expect("GET"))[0]
        data = b"\x00\x00\x00\x07\x93" + bytes([0xCD]) + number.to_bytes(2, "big") + b"\x00\xc4\x00"
        data = len(data[4:]).to_bytes(4, "big") + b"\x93\xcd" + number.to_bytes(2, "big") + b"\x00\xc0"
        data = (len(data) - 4).to_bytes(4, "big") + data[4:]
        for byte in data:
            wire.send_bytes(bytes([byte]))
            await wait_all_tasks_blocked()
        assert await got.result() is None


async def test_large_replies_are_taken_in_large_pieces_and_small_ones_are_not(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        room = client._link.session.room
        for _ in range(2):
            large = starting(nursery, client.get, "large")
            request = await wire.expect("GET")
            body = msgpack.packb([request[0], 0, encode(bytes(4 * room))])
            sent, rooms = len(body).to_bytes(4, "big") + body, []
            for start in range(0, len(sent), room):
                wire.send_bytes(sent[start : start + room])
                await wait_all_tasks_blocked()
                rooms.append(client._link.session.room)
            assert rooms[0] > room
            assert await large.result() == bytes(4 * room)
            small = starting(nursery, client.get, "small")
            wire.reply(await wire.expect("GET"), encode(1))
            assert await small.result() == 1
            assert client._link.session.room == room


async def test_an_error_is_raised_with_its_facts(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.set, "a", 1, if_version=3)
        request = await wire.expect("SET")
        assert request[3] == {"if_version": 3}
        wire.fail(request, "CONDITION", "no such version", {"current": [encode("now"), 9, 1500]})
        with pytest.raises(kv_client.ConditionFailed, match="no such version") as caught:
            await call.result()
        assert caught.value.current == kv_client.Entry("now", 9, 1.5)


async def test_an_unknown_error_code_keeps_its_text(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.get, "a")
        wire.fail(await wire.expect("GET"), "NEWER", "something else")
        with pytest.raises(kv_client.InternalError, match="NEWER: something else"):
            await call.result()


async def test_a_namespace_view_names_it_in_every_call(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        starting(nursery, client.ns("other").get, "a")
        request = await wire.expect("GET")
        assert request[4][4] == "other"
        wire.reply(request)
        starting(nursery, client.ns("shop").get, "a")
        request = await wire.expect("GET")
        assert 4 not in request[4]
        wire.reply(request)


async def test_a_fence_travels_with_the_write(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        starting(nursery, client.set, "a", 1, fence=kv_client.Fence("invoice", 12))
        request = await wire.expect("SET")
        assert request[4][5] == ["invoice", 12]
        wire.reply(request, 1)


async def test_names_that_are_no_text_survive(peer, starting):
    key = b"\xff\x00raw".decode("utf-8", "surrogateescape")
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        starting(nursery, client.get, key)
        request = await wire.expect("GET")
        assert request[2] == [b"\xff\x00raw"]
        wire.reply(request)


async def test_what_cannot_be_sent_is_refused_and_leaves_the_connection_good(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        with pytest.raises(kv_client.InvalidArgument):
            await client.set("a", (1, 2))
        with pytest.raises(kv_client.InvalidArgument):
            await client.get(b"a")
        with pytest.raises(kv_client.InvalidArgument, match="GETRANGE"):
            await client.getrange("a", 2**70, 1)
        call = starting(nursery, client.get, "b")
        wire.reply(await wire.expect("GET"), encode(2))
        assert await call.result() == 2


async def test_a_request_beyond_the_servers_limit_is_refused_here(peer):
    peer.welcome["limits"] = {"frame": 1000}
    async with peer.opened() as (client, _):
        with pytest.raises(kv_client.TooLarge):
            await client.set("a", "x" * 1000)


async def test_use_before_and_after_is_refused(peer):
    client = peer.client()
    with pytest.raises(kv_client.ClientClosed):
        await client.get("a")
    async with client:
        pass
    with pytest.raises(kv_client.ClientClosed):
        await client.get("a")
    with pytest.raises(RuntimeError, match="once"):
        await client.__aenter__()


def test_use_from_another_run_is_refused(peer):
    client = peer.client()

    async def leak():
        await client.__aenter__()
        failures = []

        def elsewhere():
            async def use():
                with pytest.raises(RuntimeError, match="another"):
                    await client.get("a")
                failures.append("raised")

            trio.run(use)

        await trio.to_thread.run_sync(elsewhere)
        assert failures == ["raised"]
        await client.__aexit__(None, None, None)

    trio.run(leak)


async def test_statistics_count(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.get, "a")
        request = await wire.expect("GET")
        assert client.statistics().open_calls == 1
        wire.reply(request)
        await call.result()
        figures = client.statistics()
        assert (figures.connected, figures.connections, figures.sent, figures.answered) == (True, 1, 1, 1)
        assert (figures.place, figures.server, figures.session) == ("kv://peer:7440", "peer 1", 3)


async def test_an_unknown_version_is_told_at_once(peer):
    peer.silent = True

    async def refuse():
        wire = await peer.wire(0)
        wire.send([1, 2, ["VERSION", "speaks 2 to 3", {"protocol": [2, 3]}]])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(kv_client.UnsupportedVersion, match="speaks 2 to 3"):
            async with peer.client():
                pass
    assert peer.dials == 1


async def test_an_unreachable_server_is_named_with_tries_and_reason(peer, autojump_clock):
    peer.refusals = 1000
    with pytest.raises(kv_client.ConnectionLost, match=r"kv://peer:7440: .* \d+ tries.*Connection refused") as caught:
        async with peer.client(connect_timeout=3):
            pass
    assert not caught.value.maybe_applied
    assert trio.current_time() == pytest.approx(3)
    assert peer.dials > 3

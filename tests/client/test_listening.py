"""Listening to channels: messages in order, credit, gaps of the server and of a reconnection, the end."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_client import Gap, Message
from kv_protocol.values import encode


async def follow(listener, seen, opened):
    async with listener as messages:
        opened.set()
        async for message in messages:
            seen.append(message)


async def listening(nursery, starting, wire, listener):
    """Start following *listener* and have it opened."""
    seen, opened = [], trio.Event()
    started = starting(nursery, follow, listener, seen, opened)
    request = await wire.expect("SUBSCRIBE")
    wire.more(request, ["open", None, None, None])
    await opened.wait()
    return started, seen, request


async def test_messages_come_in_order_with_their_values(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        _, seen, request = await listening(nursery, starting, wire, client.subscribe("a", "b", pattern="user:*"))
        assert request[2] == ["a", "b"]
        assert request[3]["pattern"] == "user:*"
        assert request[3]["credit"] > 0
        wire.more(request, ["message", "a", encode({"n": 1}), None])
        wire.more(request, ["message", b"\xff", encode(None), "user:*"])
        wire.more(request, ["gap", None, 6, None])
        await wait_all_tasks_blocked()
        assert seen == [
            Message("a", {"n": 1}, None),
            Message("\udcff", None, "user:*"),
            Gap(6),
        ]
        nursery.cancel_scope.cancel()


async def test_credit_is_granted_as_messages_are_taken(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        _, _, request = await listening(nursery, starting, wire, client.subscribe("a"))
        window = request[3]["credit"]
        for n in range(window):
            wire.more(request, ["message", "a", encode(n), None])
        credit = await wire.expect("CREDIT")
        assert credit[2][0] == request[0]
        nursery.cancel_scope.cancel()


async def test_a_reconnection_is_a_gap_of_unknown_size(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        _, seen, request = await listening(nursery, starting, wire, client.subscribe("a"))
        wire.more(request, ["message", "a", encode(1), None])
        await wait_all_tasks_blocked()
        wire.close()
        wire = await peer.wire(1)
        request = await wire.expect("SUBSCRIBE")
        wire.more(request, ["open", None, None, None])
        wire.more(request, ["message", "a", encode(2), None])
        await trio.sleep(0.1)
        assert seen == [
            Message("a", 1, None),
            Gap(None),
            Message("a", 2, None),
        ]
        nursery.cancel_scope.cancel()


async def test_leaving_the_block_ends_it(peer, starting):
    async def one(client):
        async with client.subscribe("a") as messages:
            async for message in messages:
                return message.value

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        first = starting(nursery, one, client)
        request = await wire.expect("SUBSCRIBE")
        wire.more(request, ["open", None, None, None])
        wire.more(request, ["message", "a", encode(5), None])
        assert await first.result() == 5
        assert (await wire.expect("CANCEL"))[2] == [request[0]]


@pytest.mark.parametrize("event", [[5], 5, ["message", "a", "text", None], ["gap", None, "many", None]])
async def test_an_event_of_another_form_is_a_broken_server(peer, starting, event):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        opened = starting(nursery, follow, client.subscribe("a"), [], trio.Event())
        for connection in range(3):
            request = await wire.expect("SUBSCRIBE")
            wire.more(request, event)
            if connection < 2:
                wire = await peer.wire(connection + 1)
        with pytest.raises(kv_client.ProtocolError):
            await opened.result()

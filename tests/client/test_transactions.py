"""Transactions of the client: one request, results after the block, nothing at all on a conflict or an exception."""

import pytest
import trio

import kv_client
from kv_client import Fence
from kv_protocol.values import encode


class Own(Exception):
    pass


async def test_all_calls_leave_in_one_request_and_have_their_results(peer, starting):
    async def work(client):
        async with client.transaction() as tx:
            first, second = tx.incr("x"), tx.get("y", default=7)
            tx.require("k", version=12)
            tx.require("gone", version=0)
            tx.require_lock(Fence("l", 5))
            tx.set("z", "v", ttl=1.5, fence=Fence("m", 6))
            assert not first.done
        return first.result(), second.result()

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        done = starting(nursery, work, client)
        request = await wire.expect("ATOMIC")
        assert request[2] == [
            ["INCR", ["x"], None],
            ["GET", ["y"], None],
            ["SET", ["z", encode("v")], {"ttl": 1500}],
        ]
        assert request[3] == {"require": [["k", 12], ["gone", 0]], "locks": [["l", 5], ["m", 6]]}
        assert request[4][2] == 1, "it has a seq, as any write"
        wire.reply(request, [encode(3), None, 99])
        assert await done.result() == (3, 7)


async def test_a_conflict_is_raised_at_the_end_and_lists_the_keys(peer, starting):
    pending = []

    async def work(client):
        async with client.transaction() as tx:
            pending.append(tx.incr("x"))
            tx.require("k", version=12)

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        done = starting(nursery, work, client)
        wire.fail(await wire.expect("ATOMIC"), "TX_CONFLICT", "other versions", {"keys": [["k", 13], [b"\xff", 0]]})
        with pytest.raises(kv_client.TransactionConflict) as caught:
            await done.result()
        assert caught.value.keys == {"k": 13, "\udcff": 0}
        with pytest.raises(kv_client.TransactionConflict):
            pending[0].result()


async def test_an_exception_in_the_block_sends_nothing(peer):
    async with peer.opened() as (client, _):
        with pytest.raises(Own):
            async with client.transaction() as tx:
                tx.set("a", 1)
                raise Own
        assert client.statistics().sent == 0


async def test_an_empty_transaction_is_no_call(peer):
    async with peer.opened() as (client, _):
        async with client.transaction():
            pass
        assert client.statistics().sent == 0


async def test_a_transaction_is_used_once_and_only_inside_its_block(peer):
    async with peer.opened() as (client, _):
        tx = client.transaction()
        for use in (lambda: tx.get("a"), lambda: tx.require("a", version=1), lambda: tx.require_lock(Fence("l", 1))):
            with pytest.raises(RuntimeError, match="inside its"):
                use()
        async with tx:
            with pytest.raises(kv_client.InvalidArgument):
                tx.require("a", version=-1)
        with pytest.raises(RuntimeError):
            tx.get("a")


async def test_every_fence_is_required_also_two_of_one_lock(peer, starting):
    async def work(client):
        async with client.transaction() as tx:
            tx.set("a", 1, fence=Fence("l", 4))
            tx.hash("b").set({"c": 2}, fence=Fence("l", 5))
            tx.require_lock(Fence("l", 5))

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        done = starting(nursery, work, client)
        request = await wire.expect("ATOMIC")
        assert request[3] == {"locks": [["l", 4], ["l", 5]]}
        wire.reply(request, [1, 1])
        await done.result()


async def test_it_is_made_in_the_namespace_of_its_view(peer, starting):
    async def work(client):
        async with client.ns("other").transaction() as tx:
            tx.set("a", 1)

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        done = starting(nursery, work, client)
        request = await wire.expect("ATOMIC")
        assert request[4][4] == "other"
        wire.reply(request, [5])
        await done.result()


async def test_another_number_of_replies_is_a_broken_server(peer, starting):
    async def work(client):
        async with client.transaction() as tx:
            tx.set("a", 1)

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        done = starting(nursery, work, client)
        wire.reply(await wire.expect("ATOMIC"), [1, 2])
        with pytest.raises(kv_client.ProtocolError):
            await done.result()

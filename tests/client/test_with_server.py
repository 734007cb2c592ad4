"""The client and the real server in one trio run, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import trio

import kv_client
from kv_server.app.config import Config
from kv_server.app.wiring import serve
from kv_server.net.address import Address
from kv_server.testing import server
from tests.testing.rig import opened as near


@asynccontextmanager
async def served(path: object = None) -> AsyncIterator[str]:
    """A server; its URL, to which a namespace may be added."""
    async with trio.open_nursery() as nursery:
        bind = Address(host="127.0.0.1", port=0) if path is None else Address(path=str(path))
        server = await nursery.start(serve, Config(bind=(bind,), drain_timeout=0))
        yield f"kv://127.0.0.1:{server.addresses[0].port}" if path is None else f"kv+unix://{path}"
        nursery.cancel_scope.cancel()


def opened(url: str, name: str | None = None) -> kv_client.Client:
    """A client with time enough for a busy machine."""
    return kv_client.connect(url, name=name, timeout=60)


VALUES = [
    None, True, 1, 1.0, "1", b"1", Decimal("1.0"), 2**70, [1, [2]], {"a": None}, datetime(2026, 1, 1, tzinfo=UTC),
]  # fmt: skip


async def test_values_come_back_as_they_were():
    async with served() as url, opened(f"{url}/shop") as client:
        for value in VALUES:
            await client.set("a", value)
            back = await client.get("a")
            assert (back, type(back)) == (value, type(value))
        assert await client.get("absent") is None
        assert await client.get("absent", default=7) == 7


async def test_namespaces_are_apart():
    async with served() as url, opened(f"{url}/shop") as client:
        await client.set("a", 1)
        await client.ns("other").set("a", 2)
        assert (await client.get("a"), await client.ns("other").get("a")) == (1, 2)
        assert await client.namespaces() == ["other", "shop"]


async def test_a_unix_socket_is_a_server_too(tmp_path):
    async with served(tmp_path / "kv.sock") as url, opened(f"{url}?namespace=shop") as client:
        await client.set("a", 1)
        assert await client.namespaces() == ["shop"]


async def test_conditions_tell_the_entry_as_it_is():
    async with served() as url, opened(url) as client:
        version = await client.set("a", "first", ttl=60)
        entry = await client.get_entry("a")
        assert entry is not None
        assert (entry.value, entry.version) == ("first", version)
        assert 59 < entry.ttl <= 60
        with pytest.raises(kv_client.ConditionFailed) as caught:
            await client.set("a", "second", if_version=version - 1)
        assert caught.value.current[:2] == ("first", version)
        assert await client.add("a", "third") is False
        assert await client.add("b", "third") is True


async def test_updates_of_many_tasks_lose_nothing():
    async def work(client):
        for _ in range(5):
            await client.update("sum", lambda value: 1 if value is kv_client.MISSING else value + 1, attempts=200)

    async with served() as url, opened(url) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(work, client)
        assert await client.get("sum") == 100


async def test_a_batch_and_its_errors():
    async with served() as url, opened(url) as client:
        await client.set("text", "x")
        async with client.batch() as batch:
            one, bad, two = batch.incr("n"), batch.incr("text"), batch.incr("n")
        assert (one.result(), two.result()) == (1, 2)
        with pytest.raises(kv_client.NotANumber):
            bad.result()


async def test_locks_are_granted_in_the_order_of_asking():
    order = []

    async def wait(client, number):
        async with client.lock("a"):
            order.append(number)

    async with served() as url, opened(url) as first, opened(url) as second:
        async with trio.open_nursery() as nursery:
            async with first.lock("a", wait=0):
                for number in range(10):
                    nursery.start_soon(wait, (first, second)[number % 2], number)
                    while (await first.locks())[0].waiters <= number:
                        pass
                with pytest.raises(kv_client.LockHeld):
                    await second.lock("a", wait=0).__aenter__()
        assert order == list(range(10))
        assert await first.locks() == []


async def test_a_broken_lock_cancels_its_block_and_its_fence_is_stale():
    async with served() as url, opened(url, name="holder") as holder, opened(url) as other:
        kept = []

        async def body():
            async with holder.lock("a") as held:
                kept.append(held)
                await holder.set("doc", 1, fence=held)
                assert (await other.locks())[0].owner == "holder"
                assert await other.break_lock("a")
                await trio.sleep_forever()

        with pytest.raises(kv_client.LockLost, match="broken"):
            await body()
        with pytest.raises(kv_client.StaleFence):
            await holder.set("doc", 2, fence=kept[0])
        assert await other.get("doc") == 1


async def test_a_lock_outlives_its_lease_by_renewal(autojump_clock):
    async with server() as s, near(s) as client, near(s) as other:
        async with client.lock("a", ttl=15) as held:
            with trio.move_on_after(100):
                await other.lock("a").__aenter__()
                pytest.fail("two holders")
            await client.set("doc", 1, fence=held)
        async with other.lock("a", wait=0) as next_held:
            assert next_held.token > held.token


async def test_a_lock_that_was_waited_for_begins_with_a_whole_lease(autojump_clock):
    async with server() as s, near(s) as client, near(s) as other:
        async with trio.open_nursery() as nursery:
            entered = trio.Event()

            async def wait():
                async with other.lock("a", ttl=15) as held:
                    assert held.remaining() > 14
                    entered.set()

            async with client.lock("a"):
                nursery.start_soon(wait)
                await trio.sleep(9)  # more than a third of the lease; not confirmed, 6 would be left
                assert not entered.is_set()
            await entered.wait()


async def test_a_watch_tells_every_change_in_order():
    async with served() as url, opened(url) as client, opened(url) as writer:
        async with client.watch("a", prefix="user:") as changes:
            versions = [await writer.set("user:1", n) for n in range(1000)]
            await writer.set("other", 1)
            await writer.delete("user:1")
            await writer.set("a", {"n": 1})
            seen = []
            async for change in changes:
                seen.append(change)
                if change.key == "a":
                    break
        assert [change.revision for change in seen[:1000]] == versions
        assert [change.value for change in seen[:1000]] == list(range(1000))
        assert [(change.kind, change.key, change.value) for change in seen[1000:]] == [
            ("delete", "user:1", None),
            ("set", "a", {"n": 1}),
        ]


async def test_the_servers_end_is_survived():
    async with trio.open_nursery() as nursery:
        config = Config(bind=(Address(host="127.0.0.1", port=0),), drain_timeout=0)
        ended, gone = trio.CancelScope(), trio.Event()

        async def first(*, task_status=trio.TASK_STATUS_IGNORED):
            with ended:
                await serve(config, task_status=task_status)
            gone.set()

        server = await nursery.start(first)
        address = server.addresses[0]
        async with kv_client.connect(f"kv://127.0.0.1:{address.port}") as client:
            await client.set("a", 1)
            ended.cancel()
            await gone.wait()
            nursery.start_soon(serve, Config(bind=(address,), drain_timeout=0))
            assert await client.get("a") is None  # another server, with nothing in it
            assert client.statistics().connections == 2
        nursery.cancel_scope.cancel()


async def test_eight_thousand_calls_and_more_at_once():
    async with served() as url, opened(url) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(10_000):
                nursery.start_soon(client.incr, "n")
        assert await client.get("n") == 10_000


async def test_a_transaction_is_all_or_nothing():
    async with served() as url, opened(f"{url}/shop") as client:
        version = await client.set("a", 1)
        async with client.lock("l") as held, client.transaction() as tx:
            total = tx.incr("a", by=4)
            tx.require("a", version=version)
            tx.require_lock(held)
            pages = [tx.set(f"k{n}", n) for n in range(200)]
            tx.mset(*[(f"m{n}", n) for n in range(200)])
        assert total.result() == 5
        assert len({page.result() for page in pages}) == 1
        with pytest.raises(kv_client.TransactionConflict) as caught:
            async with client.transaction() as tx:
                tx.set("a", 9)
                for number in range(300):
                    tx.require(f"k{number}", version=0)
        assert len(caught.value.keys) == 200
        with pytest.raises(kv_client.NotANumber):
            async with client.transaction() as tx:
                tx.set("a", "text")
                tx.incr("a")
        assert await client.get("a") == 5


async def test_messages_reach_listeners_of_both_doors():
    async with served() as url, opened(url) as client, trio.open_nursery() as nursery:
        heard = []

        async def listen(task_status):
            async with client.subscribe("news", pattern="n*s") as messages:
                task_status.started()
                async for message in messages:
                    heard.append((message.channel, message.value, message.pattern))
                    if len(heard) == 3:
                        return

        await nursery.start(listen)
        host, port = url.removeprefix("kv://").split(":")
        text = await trio.open_tcp_stream(host, int(port))
        await text.send_all(b"PUBLISH news hello\r\nPUBLISH noes x\r\n")
        assert await client.publish("news", {"n": 1}) == 1
        assert await client.ns("other").publish("news", 0) == 0
    assert sorted(heard, key=repr) == sorted(
        [("news", "hello", None), ("noes", "x", "n*s"), ("news", {"n": 1}, None)], key=repr
    )
    await text.aclose()

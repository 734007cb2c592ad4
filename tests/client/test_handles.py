"""Handles of single keys: every type, in namespaces, batches and transactions, and walks over many pages."""

from __future__ import annotations

import inspect
from decimal import Decimal

import pytest
import trio
from tools.emitters.client import commands_in
from tools.emitters.handles import handles_of

import kv_client
from kv_client import Fence, FieldValue, Scored
from kv_client._async import handles as _handles
from kv_server.commands import CATALOG
from tests.client.test_with_server import opened, served

ACCESSORS = ["bitmap", "geo", "hash", "hyperloglog", "list", "set_of", "sorted_set", "stream"]
HANDLES = list(handles_of(commands_in(CATALOG)))


@pytest.mark.parametrize("accessor", ACCESSORS)
async def test_a_handle_knows_its_key_and_asks_nothing(peer, accessor):
    async with peer.opened() as (client, _):
        for owner in (client, client.ns("other"), client.batch(), client.transaction()):
            handle = getattr(owner, accessor)("k")
            assert handle.key == "k"
            assert repr(handle).endswith(" 'k'>")
        assert client.statistics().sent == 0


@pytest.mark.parametrize("handle", HANDLES, ids=lambda each: f"{each.kind.name}.{each.name}")
def test_a_handle_has_what_its_command_takes_but_the_key(handle):
    method = getattr(getattr(_handles, handle.kind.name), handle.name)
    flat = inspect.signature(getattr(_handles.Commands, handle.method.name)).parameters
    own = inspect.signature(method).parameters
    options = {name for name, each in flat.items() if each.kind is each.KEYWORD_ONLY}
    assert options <= own.keys()
    in_batch = getattr(getattr(_handles, f"Batch{handle.kind.name}"), handle.name, None)
    if handle.waits or handle.walks:
        assert in_batch is None
    else:
        assert inspect.signature(in_batch).parameters.keys() == own.keys()


async def test_a_handle_sends_its_key_where_the_command_has_it(peer, starting):
    async def sent(nursery, wire, call, *args, **options):
        answer = starting(nursery, call, *args, **options)
        request = await wire.request()
        wire.reply(request, 0)
        assert await answer.result() == 0
        return request[1:4]

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        ask = (nursery, wire)
        assert await sent(*ask, client.bitmap("t").store, "AND", "a", "b") == ["BITOP", ["AND", "t", "a", "b"], None]
        assert await sent(*ask, client.hyperloglog("a").count, "b") == ["PFCOUNT", ["a", "b"], None]
        size = client.set_of("a").intersection_size
        assert await sent(*ask, size, "b", "c", limit=5) == ["SINTERCARD", [["a", "b", "c"]], {"limit": 5}]
        store = client.sorted_set("t").store_union
        assert await sent(*ask, store, "a", "b", weights=[1, 2]) == [
            "ZUNIONSTORE", ["t", ["a", "b"]], {"weights": [1, 2]},
        ]  # fmt: skip
        push = client.list("l").push_left
        assert (await sent(*ask, push, 1, fence=Fence("m", 3)))[0] == "LPUSH"


async def test_namespaces_keep_equal_keys_apart():
    async with served() as url, opened(f"{url}/shop") as client:
        await client.hash("user").set({"name": "Ada"})
        await client.ns("other").hash("user").set({"name": "Bob"})
        assert await client.hash("user").get("name") == "Ada"
        assert await client.ns("other").hash("user").get_all() == {"name": "Bob"}
        assert await client.ns("shop").hash("user").size() == 1


async def test_one_or_nothing_or_as_many_as_asked_for():
    async with served() as url, opened(url) as client:
        values, names, scores = client.list("l"), client.set_of("s"), client.sorted_set("z")
        assert (await values.pop_left(), await values.pop_left(default=7), await values.pop_left(2)) == (None, 7, [])
        await values.push_right(None, "a", "b")
        assert await values.pop_left(default=7) is None
        assert await values.find("b") == 1
        assert await values.find("x") is None
        assert await values.find("b", count=0) == [1]
        assert await values.pop_right(5) == ["b", "a"]
        assert (await names.pop(), await names.pop(1), await names.random()) == (None, set(), None)
        await names.add("x")
        assert (await names.random(), await names.random(-2), await names.pop(3)) == ("x", ["x", "x"], {"x"})
        assert (await scores.pop_lowest(), await scores.pop_highest(2)) == (None, [])
        await scores.add({"a": 1, "b": 2})
        assert await scores.pop_highest() == Scored(2.0, "b")
        assert await scores.random() == Scored(1.0, "a")
        assert await client.hash("h").random() is None


async def test_mappings_and_pairs_are_the_same():
    async with served() as url, opened(url) as client:
        await client.mset({"a": 1}, ("b", 2))
        assert await client.mget("a", "b") == [1, 2]
        assert await client.msetnx({"a": 5, "c": 5}) is False
        await client.hash("h").set({"x": 1, "y": 2}, ("z", 3))
        assert await client.hash("h").get_all() == {"x": 1, "y": 2, "z": 3}
        await client.sorted_set("s").add({"a": 1}, (2, "b"), Scored(3.0, "c"))
        assert await client.sorted_set("s").range(0, -1) == [(1.0, "a"), (2.0, "b"), (3.0, "c")]
        await client.geo("g").add({"Rome": (12.5, 41.9)}, (2.35, 48.85, "Paris"))
        assert await client.geo("g").size() == 2
        entry = await client.stream("t").add({"n": 1}, ("n2", b"\xff"))
        assert (await client.stream("t").range(entry, entry))[0].fields == {"n": 1, "n2": b"\xff"}
        with pytest.raises(kv_client.InvalidArgument):
            await client.hash("h").set({})
        with pytest.raises(kv_client.InvalidArgument):
            await client.hash("h").set({1: 2})


async def test_counting_answers_in_the_class_that_is_added():
    async with served() as url, opened(url) as client:
        for stored in ("5", b"5", Decimal("5"), 5):
            await client.hash("h").set({"n": stored})
            await client.set("n", stored)
            for total in (await client.incr("n"), await client.hash("h").increment("n", 1)):
                assert (type(total), total) == (int, 6)
        for step in (0.5, Decimal("0.5"), 1):
            assert type(await client.incr(f"by {step!r}", by=step)) is type(step)
            assert type(await client.hash("new").increment(f"by {step!r}", step)) is type(step)


async def test_walks_meet_everything_over_many_pages():
    async with served() as url, opened(url) as client:
        fields = {f"f{number}": number for number in range(2_000)}
        await client.hash("h").set(fields)
        met = [item async for item in client.hash("h").scan(count=50)]
        assert type(met[0]) is FieldValue
        assert dict(met) == fields
        await client.set_of("s").add(*fields)
        assert {member async for member in client.set_of("s").scan()} == fields.keys()
        await client.sorted_set("z").add(fields)
        walk = client.sorted_set("z").scan(match="f1?")
        assert {scored.member async for scored in walk} == {f"f1{number}" for number in range(10)}
        with pytest.raises(StopAsyncIteration):
            await anext(walk)
        await client.mset({f"key:{number}": number for number in range(500)})
        assert len([key async for key in client.keys("key:*", count=10)]) == 500
        assert [key async for key in client.keys(type="set")] == ["s"]
        assert [item async for item in client.hash("absent").scan()] == []


async def test_a_batch_and_a_transaction_have_handles():
    async with served() as url, opened(f"{url}/shop") as client:
        async with client.batch() as batch:
            pushed, popped = batch.list("l").push_right(1, 2, 3), batch.list("l").pop_left(2)
            single = batch.list("l").pop_left(default="none")
            wrong = batch.hash("l").size()
            empty = batch.list("l").pop_left(default="none")
        assert (pushed.result(), popped.result(), single.result(), empty.result()) == (3, [1, 2], 3, "none")
        assert wrong.result() == 0, "the list was empty by then, and no key"
        version = await client.set("guard", 1)
        async with client.lock("m") as held, client.transaction() as tx:
            tx.require("guard", version=version)
            tx.require_lock(held)
            added = tx.sorted_set("z").add({"a": 1})
            members = tx.set_of("s").members()
            id = tx.stream("t").add({"n": 1}, fence=held)
        assert (added.result(), members.result()) == (1, set())
        assert (await client.stream("t").range("-", "+"))[0].id == id.result()
        with pytest.raises(kv_client.TransactionConflict) as caught:
            async with client.transaction() as tx:
                tx.hash("h").set({"a": 1})
                tx.require("guard", version=0)
        assert caught.value.keys == {"guard": version}
        with pytest.raises(kv_client.StaleFence):
            async with client.transaction() as tx:
                tx.hash("h").set({"a": 1})
                tx.require_lock(held)
        with pytest.raises(kv_client.WrongType):
            async with client.transaction() as tx:
                tx.hash("h").set({"a": 1})
                tx.list("z").pop_left()
        assert await client.exists("h") == 0


async def test_waiting_pops_of_handles_get_what_comes():
    async with served() as url, opened(url) as client, opened(url) as other, trio.open_nursery() as nursery:
        got = []

        async def wait(pop):
            got.append(await pop(wait=30))

        nursery.start_soon(wait, client.list("l").wait_pop_left)
        nursery.start_soon(wait, client.sorted_set("z").wait_pop_highest)
        while sum(each.parked for each in await other.clients()) < 2:
            pass
        await other.list("l").push_right({"n": 1})
        await other.sorted_set("z").add({"a": 1, "b": 2})
        with trio.fail_after(30):
            while len(got) < 2:
                await trio.sleep(0.01)
        assert {"n": 1} in got
        assert Scored(2.0, "b") in got
        assert await client.list("l").wait_pop_right(wait=0, default="none") == "none"


async def test_a_stream_is_followed_over_what_comes_later():
    async with served() as url, opened(url) as client, opened(url) as writer:
        log = writer.stream("log")
        await log.add({"n": -1})
        seen = []
        async with trio.open_nursery() as nursery:

            async def follow(task_status):
                entries = client.stream("log").follow(count=3)
                task_status.started()
                async for entry in entries:
                    seen.append(entry.fields["n"])
                    if len(seen) == 10:
                        return

            await nursery.start(follow)
            while not sum(each.parked for each in await writer.clients()):
                pass
            for number in range(10):
                await log.add({"n": number})
        assert seen == list(range(10)), "from the end at the first step, and without what was there"
        everything = [entry.fields["n"] async for entry in first(11, client.stream("log").follow("0-0", count=4))]
        assert everything == list(range(-1, 10))


async def first(count, entries):
    async for entry in entries:
        yield entry
        count -= 1
        if not count:
            return

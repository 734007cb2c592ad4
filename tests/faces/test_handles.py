"""Handles of single keys, walks over many pages, streams that are followed."""

from __future__ import annotations

import pytest

import kv_client as kv


async def test_a_hash(face):
    async with face.connect() as client:
        user = client.hash("user")
        assert await user.set({"name": "Ada", "born": 1815}, ("tags", ["a"])) == 3
        assert await user.add("name", "Bob") is False
        assert await user.get("name") == "Ada"
        assert await user.get("absent", default=1) == 1
        assert await user.get_many("name", "absent") == ["Ada", None]
        assert await user.increment("born", by=2) == 1817
        assert await user.get_all() == {"name": "Ada", "born": 1817, "tags": ["a"]}
        assert await user.delete("tags", "absent") == 1
        assert (await user.has("name"), await user.size(), sorted(await user.fields())) == (True, 2, ["born", "name"])
        assert await user.expire(60) is True
        assert 50 < await user.ttl() <= 60


async def test_a_list(face):
    async with face.connect() as client:
        todo = client.list("todo")
        assert await todo.pop_left() is None
        assert await todo.push_right(1, "two", None) == 3
        assert await todo.push_left(0) == 4
        assert await todo.range(0, -1) == [0, 1, "two", None]
        assert await todo.pop_left() == 0
        assert await todo.pop_right(default=9) is None
        assert await todo.pop_left(5) == [1, "two"]
        await todo.push_right("a", "b", "a")
        assert (await todo.find("a", rank=2), await todo.remove(0, "a"), await todo.size()) == (2, 2, 1)
        with pytest.raises(kv.OutOfRange):
            await todo.set(5, "x")


async def test_a_set_and_a_sorted_set(face):
    async with face.connect() as client:
        names, scores = client.set_of("names"), client.sorted_set("scores")
        assert await names.add("a", "b", "a") == 2
        assert await names.members() == {"a", "b"}
        assert await names.has_many("a", "x") == [True, False]
        assert await names.pop(5) == {"a", "b"}
        assert await names.pop() is None
        assert await scores.add({"a": 1, "b": 2.5}) == 2
        assert await scores.increment(2, "a") == 3
        assert await scores.range(0, -1) == [(2.5, "b"), (3.0, "a")]
        assert await scores.rank("a") == kv.Ranked(1, 3.0)
        assert await scores.pop_lowest() == kv.Scored(2.5, "b")
        with pytest.raises(kv.WrongType):
            await client.set_of("scores").add("a")


async def test_a_bitmap_a_sketch_and_places(face):
    async with face.connect() as client:
        bits, sketch, places = client.bitmap("bits"), client.hyperloglog("sketch"), client.geo("places")
        assert await bits.set(7, True) is False
        assert (await bits.get(7), await bits.count()) == (True, 1)
        assert await sketch.add("a", "b") is True
        assert await sketch.count() == 2
        assert await places.add({"Rome": (12.5, 41.9), "Paris": (2.35, 48.85)}) == 2
        assert 1_000 < await places.distance("Rome", "Paris", "KM") < 1_200


async def test_a_stream_and_its_group(face):
    async with face.connect() as client:
        log = client.stream("log")
        ids = [await log.add({"n": number}) for number in range(3)]
        assert [entry.fields["n"] for entry in await log.range("-", "+")] == [0, 1, 2]
        await log.create_group("g", "0")
        read = await log.read_group("g", "one", count=2)
        assert [entry.id for entry in read] == ids[:2]
        assert await log.ack("g", ids[0]) == 1
        assert (await log.pending("g")).consumers == {"one": 1}
        assert (await log.info()).length == 3


async def test_handles_in_batches_and_transactions_and_namespaces(face):
    async with face.connect() as client:
        async with client.batch() as batch:
            size, got = batch.hash("h").set({"a": 1}), batch.hash("h").get("a")
        async with client.transaction() as tx:
            pushed = tx.list("l").push_right("x", "y")
        assert (size.result(), got.result(), pushed.result()) == (1, 1, 2)
        assert await client.ns(client.namespace + "other").hash("h").get_all() == {}


async def test_walks_meet_everything_once(face):
    async with face.connect() as client:
        names = {f"n{number}" for number in range(250)}
        await client.mset(dict.fromkeys(names, 0))
        await client.hash("hash").set(dict.fromkeys(names, 1))
        await client.set_of("set").add(*names)
        await client.sorted_set("zset").add(dict.fromkeys(names, 2))
        keys = [key async for key in client.keys("n*", count=17)]
        assert (len(keys), set(keys)) == (250, names)
        assert [key async for key in client.keys(type="hash")] == ["hash"]
        assert {item.field for item in [item async for item in client.hash("hash").scan(count=20)]} == names
        assert {member async for member in client.set_of("set").scan(match="n1*")} == {
            name for name in names if name.startswith("n1")
        }
        assert {item.member async for item in client.sorted_set("zset").scan()} == names
        assert [key async for key in client.keys("absent*")] == []


async def test_a_walk_that_is_left_early_leaves_nothing_open(face):
    async with face.connect() as client:
        await client.mset({f"n{number}": 0 for number in range(100)})
        async for _ in client.keys(count=10):
            break
        assert client.statistics().open_calls == 0


async def test_a_stream_is_followed_as_entries_come(face):
    async with face.connect() as client, face.connect() as writer:
        log = client.stream("log")
        await log.add({"n": 0})
        seen = []
        begun = face.event()

        async def follow():
            async for entry in log.follow("0-0"):
                seen.append(entry.fields["n"])
                begun.set()
                if len(seen) == 50:
                    return

        async with face.tasks() as tasks:
            tasks.start(follow)
            await begun.wait()
            for number in range(1, 50):
                await writer.stream("log").add({"n": number})
        assert seen == list(range(50))


async def test_a_stream_is_followed_from_its_end(face):
    async with face.connect() as client:
        log = client.stream("log")
        await log.add({"n": "old"})
        seen = []

        async def follow():
            async for entry in log.follow():
                seen.append(entry.fields["n"])
                if len(seen) == 2:
                    return

        async with face.tasks() as tasks:
            tasks.start(follow)
            await face.until(lambda: client.statistics().waiting_calls == 1)
            await log.add({"n": "new"})
            await log.add({"n": "newer"})
        assert seen == ["new", "newer"]

"""Watches and listeners: everything in order, and where something was missed, it is said."""

from __future__ import annotations

import pytest

import kv_client as kv


async def test_a_watch_tells_every_change_in_order(face):
    async with face.connect() as client, face.connect() as writer:
        seen = []
        async with client.watch("a", prefix="user:") as changes:
            versions = [await writer.set("user:1", number) for number in range(600)]
            await writer.set("other", 1)
            await writer.expire("user:1", 60)
            await writer.delete("user:1")
            await writer.set("a", {"n": 1})
            async for change in changes:
                seen.append(change)
                if change.key == "a":
                    break
            assert changes.revision == seen[-1].revision
        assert [change.revision for change in seen[:600]] == versions
        assert [change.value for change in seen[:600]] == list(range(600))
        assert [(change.kind, change.key, change.value) for change in seen[600:]] == [
            ("ttl", "user:1", None),
            ("delete", "user:1", None),
            ("set", "a", {"n": 1}),
        ]
        await client.ping()
        assert client.statistics().open_calls == 0


async def test_a_watch_is_read_by_one_and_used_once(face):
    async with face.connect() as client:
        watch = client.watch("a")
        with pytest.raises(RuntimeError, match="use a watch inside its "):
            await anext(watch)
        async with watch as changes:
            async with face.tasks() as tasks:
                first = tasks.start(changes.__anext__)
                await face.until(lambda: watch._call.waiter.taken)
                with pytest.raises(RuntimeError, match="iterates over this watch already"):
                    await anext(changes)
                await client.set("a", 1)
                assert (await first.result()).value == 1
        with pytest.raises(RuntimeError):
            await anext(watch)
        with pytest.raises(RuntimeError, match="a watch is used once"):
            async with watch:
                pass


async def test_a_watch_may_be_left_early(face):
    async with face.connect() as client, face.connect() as writer:
        for _ in range(3):
            async with client.watch(prefix="") as changes:
                await writer.set("a", 1)
                await writer.set("a", 2)
                async for change in changes:
                    assert change.value == 1
                    break
        with pytest.raises(LookupError):
            async with client.watch("a") as changes:
                raise LookupError
        await client.ping()
        assert client.statistics().open_calls == client.statistics().waiting_calls == 0


async def test_a_watch_without_keys_is_a_mistake(face):
    async with face.connect() as client:
        with pytest.raises(kv.InvalidArgument):
            async with client.watch():
                pass
        assert client.statistics().open_calls == 0


async def test_a_cut_shows_as_a_gap_and_the_watch_goes_on(face, between):
    async with face.connect(face.through(between)) as client, face.connect() as writer:
        async with client.watch("a") as changes:
            first = await writer.set("a", 1)
            assert (await anext(changes)).revision == first
            between.refuse()
            between.cut()
            missed = await writer.set("a", 2)
            between.refuse(False)
            gap = await anext(changes)
            assert (gap.kind, gap.key, gap.value) == ("gap", None, first)
            assert gap.revision >= missed
            last = await writer.set("a", 3)
            change = await anext(changes)
            assert (change.kind, change.revision, change.value) == ("set", last, 3)
        assert client.statistics().connections == 2


async def test_messages_come_in_order_from_channels_and_patterns(face):
    async with face.connect() as client, face.connect() as other:
        async with client.subscribe("news", pattern="alerts:*") as messages:
            for number in range(300):
                assert await other.publish("news", number) == 1
            assert await other.publish("alerts:disk", {"full": 0.97}) == 1
            assert await other.publish("else", 0) == 0
            heard = []
            async for message in messages:
                heard.append(message)
                if message.pattern:
                    break
            assert heard[:300] == [kv.Message("news", number, None) for number in range(300)]
            assert heard[300] == kv.Message("alerts:disk", {"full": 0.97}, "alerts:*")
            assert await other.channels() == ["news"]
        await client.ping()
        assert await other.publish("news", 1) == 0


async def test_a_cut_is_a_gap_for_listeners_too(face, between):
    async with face.connect(face.through(between)) as client, face.connect() as other:
        async with client.subscribe("news") as messages:
            await other.publish("news", 1)
            assert (await anext(messages)).value == 1
            between.cut()
            assert await anext(messages) == kv.Gap(None)

            async def heard():
                return await other.publish("news", 2)

            await face.until(heard)
            assert (await anext(messages)).value == 2


async def test_listening_does_not_hold_up_calls(face):
    async with face.connect() as client:
        async with client.watch(prefix="") as changes, client.subscribe("news") as messages:
            for number in range(50):
                await client.set("a", number)
                await client.publish("news", number)
            assert [(await anext(changes)).value for _ in range(50)] == list(range(50))
            assert [(await anext(messages)).value for _ in range(50)] == list(range(50))
        assert client.statistics().connections == 1


async def test_a_watch_ends_with_its_client(face):
    client = face.connect()
    async with face.tasks() as tasks:
        async with client:
            watch = client.watch("a")
            await watch.__aenter__()
            reading = tasks.start(watch.__anext__)
            await face.until(lambda: watch._call.waiter.taken)
        with pytest.raises(kv.ClientClosed):
            await reading.result()
    await watch.__aexit__(None, None, None)


async def test_a_reader_who_is_slow_is_told_how_much_was_missed(face):
    async with face.connect() as client, face.connect() as other:
        async with client.subscribe("news") as messages:
            for _ in range(10):
                async with other.batch() as batch:
                    for _ in range(500):
                        batch.publish("news", 1)
            async with other.batch() as batch:
                batch.publish("news", "last")
            heard, missed = 0, 0
            while True:
                message = await anext(messages)
                if isinstance(message, kv.Gap):
                    missed += message.missed
                elif message.value == "last":
                    break
                else:
                    heard += 1
            assert heard + missed == 5_000
            assert missed > 0
        assert client.statistics().connections == 1

"""`update`, `add`: no write of anybody else is lost, and the loop ends."""

import pytest
import trio

import kv_client
from kv_protocol.values import decode, encode


class Store:
    """One key at the server's end."""

    def __init__(self, wire, value=None, version=0):
        self.wire = wire
        self.value = value
        self.version = version
        self.sets = 0
        self.rival = lambda: None

    async def serve(self):
        while True:
            request = await self.wire.request()
            _, word, _, options, _ = request
            if word == "GETENTRY":
                self.wire.reply(request, self.entry())
                continue
            self.rival()
            if (options or {}).get("if_version", self.version) != self.version or (
                (options or {}).get("if_absent") and self.version
            ):
                self.wire.fail(request, "CONDITION", "changed", {"current": self.entry()})
                continue
            self.sets += 1
            self.options = options
            self.value = None if word == "DEL" else decode(request[2][1])
            self.version = 0 if word == "DEL" else self.version + 1
            self.wire.reply(request, self.version or 1)

    def entry(self):
        return [encode(self.value), self.version, None] if self.version else None


async def test_the_function_gets_the_value_and_its_result_is_written_with_the_ttl_kept(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire, 5, 9)
        nursery.start_soon(store.serve)
        assert await client.update("a", lambda value: value + 1) == 6
        assert (store.value, store.version, store.options) == (6, 10, {"if_version": 9, "keep_ttl": True})
        nursery.cancel_scope.cancel()


async def test_an_absent_key_is_missing_and_an_async_function_will_do(peer):
    async def change(value):
        assert value is kv_client.MISSING
        await trio.lowlevel.checkpoint()
        return ["new"]

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire)
        nursery.start_soon(store.serve)
        assert await client.update("a", change) == ["new"]
        assert store.options == {"if_version": 0, "keep_ttl": True}
        nursery.cancel_scope.cancel()


async def test_a_rival_is_never_overwritten(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire, 0, 1)
        rivals = iter(range(5))

        def rival():
            if next(rivals, None) is not None:
                store.value += 10
                store.version += 1

        store.rival = rival
        nursery.start_soon(store.serve)
        assert await client.update("a", lambda value: value + 1) == 51
        nursery.cancel_scope.cancel()


async def test_it_gives_up_after_its_attempts(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire, 0, 1)

        def rival():
            store.version += 1

        store.rival = rival
        nursery.start_soon(store.serve)
        seen = []
        with pytest.raises(kv_client.ConditionFailed):
            await client.update("a", lambda value: seen.append(value) or 1, attempts=4)
        assert len(seen) == 4
        nursery.cancel_scope.cancel()


async def test_delete_and_abort(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire, "x", 3)
        nursery.start_soon(store.serve)
        assert await client.update("a", lambda value: kv_client.ABORT) == "x"
        assert store.sets == 0
        assert await client.update("a", lambda value: kv_client.DELETE) is kv_client.MISSING
        assert store.version == 0
        assert await client.update("a", lambda value: kv_client.DELETE) is kv_client.MISSING
        assert store.sets == 1
        nursery.cancel_scope.cancel()


async def test_an_error_of_the_function_is_the_callers(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire, "x", 3)
        nursery.start_soon(store.serve)
        with pytest.raises(ZeroDivisionError):
            await client.update("a", lambda value: 1 / 0)
        assert store.sets == 0
        nursery.cancel_scope.cancel()


async def test_add_sets_what_is_absent_only(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        store = Store(wire)
        nursery.start_soon(store.serve)
        assert await client.add("a", 1, ttl=2.5) is True
        assert store.options == {"ttl": 2500, "if_absent": True}
        assert await client.add("a", 2) is False
        assert store.value == 1
        nursery.cancel_scope.cancel()

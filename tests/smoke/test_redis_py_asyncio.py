"""redis-py under asyncio: what differs from the blocking one, which is how it waits and listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.redis.servers import Server

pytestmark = pytest.mark.smoke

Part = Callable[[Any], Awaitable[None]]


@asynccontextmanager
async def connected(server: Server, protocol: int) -> AsyncIterator[Any]:
    from redis.asyncio import Redis

    async with Redis(port=server.port, protocol=protocol, decode_responses=True, socket_timeout=20) as client:
        yield client


async def values_and_collections(client: Any) -> None:
    assert await client.set("k", "é", ex=100) is True
    assert await client.get("k") == "é"
    assert await client.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert await client.hgetall("h") == {"a": "1", "b": "2"}
    assert await client.rpush("l", 1, 2, 3) == 3
    assert await client.sadd("s", "x") == 1
    assert await client.zadd("z", {"one": 1}) == 1
    assert await client.zrange("z", 0, -1) == ["one"]
    assert await asyncio.gather(*(client.incr("n") for _ in range(100))) is not None
    assert await client.get("n") == "100"
    await client.mset({f"many:{number}": number for number in range(1_000)})
    assert len({key async for key in client.scan_iter(match="many:*", count=100)}) == 1_000
    assert dict([pair async for pair in client.hscan_iter("h")]) == {"a": "1", "b": "2"}


async def transactions(client: Any) -> None:
    from redis import WatchError

    async with client.pipeline(transaction=True) as pipe:
        assert await pipe.set("m", 1).incr("m").execute() == [True, 2]
        await pipe.watch("m")
        await client.set("m", "theirs")
        pipe.multi()
        pipe.set("m", "mine")
        with pytest.raises(WatchError):
            await pipe.execute()


async def listening(client: Any) -> None:
    async with client.pubsub() as listener:
        await listener.subscribe("news")
        await listener.psubscribe("n?ws")
        said: list[Any] = []
        async for message in listener.listen():
            said.append((message["type"], message["data"]))
            if len(said) == 2:
                assert await client.publish("news", "hello") == 2
            if len(said) == 4:
                break
        assert said[2:] == [("message", "hello"), ("pmessage", "hello")]


async def waiting(client: Any) -> None:
    popped = asyncio.create_task(client.blpop("queue", timeout=5))
    ranked = asyncio.create_task(client.bzpopmax("ranks", timeout=5))
    read = asyncio.create_task(client.xread({"events": "$"}, block=5_000))
    while len([one for one in await client.client_list() if "b" in one["flags"]]) < 3:
        await asyncio.sleep(0.01)
    await client.rpush("queue", "job")
    await client.zadd("ranks", {"high": 9})
    await client.xadd("events", {"kind": "login"})
    assert list(await popped) == ["queue", "job"]
    assert list(await ranked) == ["ranks", "high", 9.0]
    assert await read
    assert await client.blpop("queue", timeout=0.05) is None


async def many_at_once(client: Any) -> None:
    async def worker(number: int) -> None:
        for turn in range(20):
            async with client.pipeline(transaction=turn % 2 == 0) as pipe:
                await pipe.incr("turns").hincrby("by", str(number)).execute()

    await asyncio.gather(*map(worker, range(50)))
    assert await client.get("turns") == "1000"
    assert set((await client.hgetall("by")).values()) == {"20"}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("part", [values_and_collections, transactions, listening, waiting, many_at_once])
def test_redis_py_under_asyncio(kv: Server, part: Part, protocol: int) -> None:
    async def program() -> None:
        async with connected(kv, protocol) as client:
            await part(client)

    asyncio.run(asyncio.wait_for(program(), 60))

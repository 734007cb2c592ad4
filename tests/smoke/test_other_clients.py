"""coredis, under asyncio and under trio, and valkey-glide."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.redis.servers import Server

pytestmark = pytest.mark.smoke


async def coredis_program(port: int) -> None:
    import coredis

    client = coredis.Redis(host="127.0.0.1", port=port, decode_responses=True, client_name="smoke")
    async with client:
        assert await client.set("k", "é", ex=100) is True
        assert await client.get("k") == "é"
        assert await client.mget(["k", "none"]) == ("é", None)
        assert await client.hset("h", {"a": "1", "b": "2"}) == 2
        assert await client.hgetall("h") == {"a": "1", "b": "2"}
        assert await client.rpush("l", ["a", "b"]) == 2
        assert list(await client.lrange("l", 0, -1)) == ["a", "b"]
        assert await client.sadd("s", ["x", "y"]) == 2
        assert await client.smembers("s") == {"x", "y"}
        assert await client.zadd("z", {"one": 1.0, "two": 2.5}) == 2
        assert await client.zscore("z", "two") == 2.5
        entry = await client.xadd("events", field_values={"kind": "login"})
        assert [found.identifier for found in await client.xrange("events")] == [entry]
        async with client.pipeline(transaction=True) as pipe:
            counted, found = pipe.incr("n"), pipe.get("k")
        assert (await counted, await found) == (1, "é")
        assert {key async for key in client.scan_iter()} >= {"k", "h", "l", "s", "z", "n"}
        assert (await client.info("server"))["redis_version"]
        assert await client.client_getname() == "smoke"
        assert await client.publish("news", "hello") == 0
        async with client.pubsub(channels=["news"]) as listener:
            assert await client.publish("news", "hello") == 1
            async for message in listener:
                if message["type"] == "message":
                    assert message["data"] == "hello"
                    break


def test_coredis_under_asyncio(kv: Server) -> None:
    asyncio.run(coredis_program(kv.port))


async def test_coredis_under_trio(kv: Server) -> None:
    await coredis_program(kv.port)


async def glide_program(port: int, version: Any) -> None:
    import glide

    address = glide.NodeAddress("127.0.0.1", port)
    settings = glide.GlideClientConfiguration([address], protocol=version, client_name="smoke", request_timeout=10_000)
    client = await glide.GlideClient.create(settings)
    try:
        assert await client.set("k", "é", expiry=glide.ExpirySet(glide.ExpiryType.SEC, 100)) == "OK"
        assert await client.get("k") == "é".encode()
        assert await client.ttl("k") == 100
        assert await client.mget(["k", "none"]) == ["é".encode(), None]
        assert await client.hset("h", {"a": "1", "b": "2"}) == 2
        assert await client.hgetall("h") == {b"a": b"1", b"b": b"2"}
        assert await client.rpush("l", ["a", "b"]) == 2
        assert await client.lpop("l") == b"a"
        assert await client.sadd("s", ["x", "y"]) == 2
        assert await client.smembers("s") == {b"x", b"y"}
        assert await client.zadd("z", {"one": 1.0, "two": 2.5}) == 2
        assert await client.zscore("z", "two") == 2.5
        assert await client.xadd("events", [("kind", "login")]) is not None
        batch = glide.Batch(is_atomic=True)
        batch.incr("n")
        batch.get("k")
        assert await client.exec(batch, raise_on_error=True) == [1, "é".encode()]
        assert await client.blpop(["none"], 0.05) is None
        assert b"redis_version:7." in await client.info([glide.InfoSection.SERVER])
        assert await client.client_getname() == b"smoke"
        assert (await client.scan("0"))[0] is not None
    finally:
        await client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("protocol", ["RESP2", "RESP3"])
def test_valkey_glide(kv: Server, protocol: str) -> None:
    import glide

    asyncio.run(glide_program(kv.port, glide.ProtocolVersion[protocol]))

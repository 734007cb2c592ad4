"""What Redis's own programs and libraries do first works against kv, and they need not know what they talk to."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import Any

import pytest

from tests.redis.servers import Server

LIMIT_S = 60.0
REDIS_CLI = shutil.which("redis-cli")
REDIS_BENCHMARK = shutil.which("redis-benchmark")


def cli(server: Server, *words: str, text: str | None = None) -> str:
    """What redis-cli prints."""
    assert REDIS_CLI is not None
    done = subprocess.run(
        [REDIS_CLI, "-p", str(server.port), *words],
        input=text,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(REDIS_CLI is None, reason="redis-cli is not installed")
def test_redis_cli_talks_to_kv(kv: Server) -> None:
    cli(kv, "flushall")
    assert cli(kv, "set", "k", "v") == "OK\n"
    assert cli(kv, "--no-raw", "get", "k") == '"v"\n'
    assert cli(kv, "-3", "--no-raw", "get", "none") == "(nil)\n"
    assert cli(kv, "-n", "3", "dbsize") == "0\n"
    assert cli(kv, text="incr n\nincr n\nget n\n") == "1\n2\n2\n"
    assert "redis_version:7.2.0" in cli(kv, "info", "server")
    assert cli(kv, "--scan", "--pattern", "k*") == "k\n"
    assert "name=me" in cli(kv, text="client setname me\nclient list\n")
    piped = "".join(f"SET p{number} {number}\r\n" for number in range(1000))
    assert "errors: 0, replies: 1000" in cli(kv, "--pipe", text=piped)


@pytest.mark.skipif(REDIS_BENCHMARK is None, reason="redis-benchmark is not installed")
def test_redis_benchmark_runs_to_its_end(kv: Server) -> None:
    assert REDIS_BENCHMARK is not None
    words = [
        REDIS_BENCHMARK,
        "-p",
        str(kv.port),
        "-t",
        "ping,set,get,incr,mset",
        "-n",
        "4000",
        "-P",
        "16",
        "-q",
        "--csv",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    rows = [row.split(",") for row in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ['"PING_INLINE"', '"PING_MBULK"', '"SET"', '"GET"', '"INCR"', '"MSET (10 keys)"']
    assert all(float(row[1].strip('"')) > 0 for row in rows)


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_talks_to_kv(kv: Server, protocol: int) -> None:
    redis = pytest.importorskip("redis")
    with redis.Redis(port=kv.port, protocol=protocol, decode_responses=True) as client:
        client.flushall()
        assert client.set("k", "é", ex=100) is True
        assert client.get("k") == "é"
        assert client.set("k", "w", nx=True) is None
        assert client.ttl("k") == 100
        assert client.mset({"a": 1, "b": 2}) is True
        assert client.mget("a", "b", "none") == ["1", "2", None]
        assert (client.incrby("n", 5), client.incrbyfloat("f", 0.5)) == (5, 0.5)
        with client.pipeline(transaction=False) as pipe:
            assert pipe.set("p", 1).incr("p").get("p").execute() == [True, 2, "2"]
        assert sorted(client.scan_iter(match="[ab]")) == ["a", "b"]
        assert client.type("k") == "string"
        assert client.client_setname("me") is True
        assert client.client_info()["name"] == "me"
        assert client.info("server")["redis_version"] == "7.2.0"
        assert client.config_get("save") == {"save": ""}
        assert client.command_count() > 100
        with pytest.raises(redis.ResponseError, match="unknown command 'NOPE'"):
            client.execute_command("NOPE")
        assert client.time()[0] > 1_700_000_000


def test_coredis_talks_to_kv(kv: Server) -> None:
    coredis = pytest.importorskip("coredis")

    async def conversation() -> Any:
        async with coredis.Redis(host="127.0.0.1", port=kv.port, decode_responses=True) as client:
            await client.flushall()
            assert await client.set("k", "v") is True
            async with client.pipeline(transaction=False) as pipe:
                counted, found = pipe.incr("n"), pipe.get("k")
            return await client.get("k"), await client.mget(["k", "none"]), (await counted, await found)

    assert asyncio.run(conversation()) == ("v", ("v", None), (1, "v"))

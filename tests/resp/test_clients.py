"""What Redis's own programs do first works against kv. All that they and the clients do is in tests/smoke."""

from __future__ import annotations

import shutil
import subprocess

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

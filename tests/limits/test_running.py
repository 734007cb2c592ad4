"""Budgets of a running server: set by flags, changed by CONFIG SET, told by INFO, and the same after a restart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.limits.test_hit_rates import Redis
from tests.redis.servers import kv_server


def facts(client: Redis, section: str) -> dict[str, str]:
    said = (client.call("INFO", section) or b"").decode()
    return dict(line.split(":", 1) for line in said.split("\r\n") if ":" in line)


def called(client: Redis, *words: Any) -> str:
    """The reply, or the error, as text."""
    try:
        return (client.call(*words) or b"").decode()
    except AssertionError as error:
        return str(error)


def test_redis_settings_make_the_numbered_namespaces_caches() -> None:
    with kv_server() as server, closing(Redis(server.port)) as client:
        assert facts(client, "memory")["maxmemory_policy"] == "noeviction"
        client.call("CONFIG", "SET", "maxmemory", "2mb", "maxmemory-policy", "allkeys-lfu", "maxmemory-samples", "7")
        for number in range(12_000):
            client.call("SET", f"key:{number}", "x" * 100)
        told = facts(client, "all")
        assert told["maxmemory"] == str(2 << 20) and told["maxmemory_policy"] == "allkeys-lfu"
        assert int(told["used_memory_dataset"]) <= (2 << 20) + 1_000  # of the last key: room is made with the next turn
        assert int(told["evicted_keys"]) > 1_000
        assert int(client.call("DBSIZE") or 0) + int(told["evicted_keys"]) == 12_000
        assert told["namespace_'0'"].startswith("keys=") and "policy=allkeys-lfu" in told["namespace_'0'"]
        client.call("SELECT", "named")
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert "OOM the server has" in "".join(called(client, "SET", f"k{n}", "x" * 1_000) for n in range(1_500))
        client.call("DEL", "k1")
        assert "must be one of" in called(client, "CONFIG", "SET", "maxmemory-policy", "lru")
        assert "memory value" in called(client, "CONFIG", "SET", "maxmemory", "much")


def test_a_transaction_of_a_full_server_is_discarded() -> None:
    with (
        kv_server("--namespaces", "0: keys=2", "--namespaces", "shop: ops=3, connections=1") as server,
        closing(Redis(server.port)) as client,
    ):
        for number in range(2):
            client.call("SET", f"k{number}", 1)
        client.call("MULTI")
        assert "QUOTA" in called(client, "SET", "new", 1)
        assert "EXECABORT" in called(client, "EXEC")
        client.call("SELECT", "shop")
        with closing(Redis(server.port)) as other:
            assert "close some" in called(other, "SELECT", "shop")
        assert "calls a second" in "".join(called(client, "GET", "k") for _ in range(50))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_cache_is_one_after_a_restart_and_what_was_evicted_stays_away(policy: str, tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "data"), "--namespaces", f"0: policy={policy}, keys=500")
    with kv_server(*options) as server, closing(Redis(server.port)) as client:
        for number in range(1_500):
            client.call("SET", f"key:{number}", "x" * 100, "EX", 10_000 + number)
            if number == 700:
                client.call("SAVE")
        before = facts(client, "namespaces")["namespace_'0'"].split(",")
    with kv_server(*options) as server, closing(Redis(server.port)) as client:
        after = facts(client, "namespaces")["namespace_'0'"].split(",")
        assert after[0] == before[0]
        now, then = (int(told[1].split("=")[1]) for told in (after, before))
        assert abs(now - then) < 0.1 * then  # deadlines that are stale are not written down
        for number in range(600):
            client.call("SET", f"more:{number}", "x" * 100, "EX", 10_000 + number)
        assert int(client.call("DBSIZE") or 0) <= 500
    with (
        kv_server("--data-dir", str(tmp_path / "data"), "--namespaces", "0: policy=allkeys-random, keys=50") as server,
        closing(Redis(server.port)) as client,
    ):
        while int(client.call("DBSIZE") or 0) > 50:
            client.call("PING")

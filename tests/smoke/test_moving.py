"""The program of docs/redis.md brings all that a Redis holds along, as it stands on the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.redis.servers import kv_server, redis_server

pytestmark = pytest.mark.smoke

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"


def fill(old: Any) -> None:
    old.set("text", "hello")
    old.set(b"\xff\x00bytes", b"\xfe" * 5000, px=3_600_000)
    old.setbit("bits", 1000, 1)
    old.pfadd("visitors", *range(5000))
    old.rpush("list", *range(2500))
    old.sadd("set", *range(2500))
    old.zadd("zset", {f"member {number}": number / 7 for number in range(2500)})
    old.hset("hash", mapping={f"field {number}": "x" * (number % 50) for number in range(2500)})
    for number in range(2500):
        old.xadd("stream", {"number": number, "twice": number * 2})
    old.xgroup_create("stream", "readers", "0")
    old.xreadgroup("readers", "one", {"stream": ">"}, count=1000)
    old.geoadd("places", (13.4, 52.5, "Berlin"))


def contents(server: Any) -> dict[bytes, object]:
    found: dict[bytes, object] = {}
    for key in server.scan_iter(count=1000):
        kind = server.type(key)
        found[key] = (
            server.get(key) if kind == b"string"
            else server.lrange(key, 0, -1) if kind == b"list"
            else server.smembers(key) if kind == b"set"
            else server.zrange(key, 0, -1, withscores=True) if kind == b"zset"
            else server.hgetall(key) if kind == b"hash"
            else server.xrange(key)
        ), server.pexpiretime(key)  # fmt: skip
    return found


def test_the_program_of_the_page_copies_every_type_with_its_expiry(tmp_path: Path) -> None:
    from redis import Redis

    (source,) = re.findall(r"^```python\n# move\.py\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    program = tmp_path / "move.py"
    program.write_text(source)
    with redis_server() as theirs, kv_server() as ours:
        urls = [f"redis://127.0.0.1:{server.port}" for server in (theirs, ours)]
        old, new = (Redis.from_url(url, protocol=2) for url in urls)
        fill(old)
        Redis.from_url(f"{urls[0]}/3").set("elsewhere", 1)
        for _ in range(2):
            done = subprocess.run([sys.executable, program, *urls], capture_output=True, text=True, timeout=120)
            assert not done.returncode, done.stderr
        assert contents(new) == contents(old)
        assert Redis.from_url(f"{urls[1]}/3").get("elsewhere") == b"1"
        groups = [[group[fact] for fact in ("name", "last-delivered-id")] for group in old.xinfo_groups("stream")]
        assert [
            [group[fact] for fact in ("name", "last-delivered-id")] for group in new.xinfo_groups("stream")
        ] == groups
        assert done.stdout.splitlines() == [
            f"db0: {len(contents(old))} keys there, {len(contents(old))} here",
            "db3: 1 keys there, 1 here",
        ]
        for client in (old, new):
            client.close()

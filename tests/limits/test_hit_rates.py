"""A cache of kv has as many hits as one of Redis that holds as many keys, and as an exact LRU."""

from __future__ import annotations

import socket
from bisect import bisect_left
from collections import OrderedDict
from contextlib import closing
from itertools import accumulate
from random import Random
from typing import Final

import pytest

from kv_server.model.terms import Rules, Terms
from tests.engine.rig import Rig
from tests.redis.servers import REDIS_SERVER, WITHOUT_REDIS, redis_server

KEYS: Final = 12_000
CALLS: Final = 40_000
VALUE: Final = "x" * 200
LATER: Final = ("volatile-lru", "volatile-lfu")
BEHIND: Final = 0.03  # so much fewer hits are as many


def trace() -> list[int]:
    """Keys as they are asked for: the one of rank n as often as 1/n says."""
    dice = Random(11)
    sums = list(accumulate(1 / rank for rank in range(1, KEYS + 1)))
    return [bisect_left(sums, dice.random() * sums[-1]) for _ in range(CALLS)]


class Redis:
    """A Redis, asked one call after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.replies = self.socket.makefile("rb")

    def call(self, *words: object) -> bytes | None:
        """Its reply as bytes; None if that is nil."""
        parts = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        line = self.replies.readline()
        assert not line.startswith(b"-"), line
        if not line.startswith(b"$"):
            return line[1:-2]
        size = int(line[1:])
        return None if size < 0 else self.replies.read(size + 2)[:-2]

    def close(self) -> None:
        self.replies.close()
        self.socket.close()


def of_redis(policy: str) -> tuple[float, int]:
    """The share of hits, and how many keys there was room for."""
    with redis_server() as server, closing(Redis(server.port)) as redis:
        info = redis.call("INFO", "memory") or b""
        used = int(info.split(b"used_memory:")[1].split()[0])
        redis.call("CONFIG", "SET", "maxmemory", used + 800_000)
        redis.call("CONFIG", "SET", "maxmemory-policy", policy)
        for number in range(6_000):
            redis.call("SET", f"other:{number}", VALUE, "EX", 100_000)
        room = int(redis.call("DBSIZE") or 0)
        redis.call("FLUSHALL")
        hits = 0
        for number in trace():
            if redis.call("GET", f"key:{number}") is None:
                redis.call("SET", f"key:{number}", VALUE, "EX", 100_000)
            else:
                hits += 1
    return hits / CALLS, room


def of_kv(policy: str, room: int) -> float:
    """The share of hits of a cache with room for so many keys."""
    rig = Rig()
    rig.engine.sinks.remove(rig.note)
    rig.engine.room.apply(rules=Rules(((b"0", Terms(policy, keys=room)),)))
    client = rig.connect()
    hits = 0
    for at, number in enumerate(trace()):
        if not at % 20:
            rig.advance(1)
        if client.call("GET", f"key:{number}") is None:
            client.call("SET", f"key:{number}", VALUE, ttl=100_000_000)
        else:
            hits += 1
    assert room * 0.95 < rig.store.namespaces[b"0"].keys <= room
    return hits / CALLS


def of_exact_lru(room: int) -> float:
    """The share of hits of a cache that knows which key was used longest ago."""
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for number in trace():
        if number in held:
            hits += 1
            held.move_to_end(number)
        else:
            held[number] = None
            if len(held) > room:
                held.popitem(last=False)
    return hits / CALLS


@pytest.mark.skipif(REDIS_SERVER is None, reason=WITHOUT_REDIS)
@pytest.mark.parametrize(
    "policy", ["allkeys-lru", "allkeys-lfu", *(pytest.param(p, marks=pytest.mark.long) for p in LATER)]
)
def test_a_cache_has_as_many_hits_as_one_of_redis(policy: str) -> None:
    theirs, room = of_redis(policy)
    ours = of_kv(policy, room)
    assert ours > theirs - BEHIND, f"{ours:.3f} of the calls hit; {theirs:.3f} of Redis's with room for {room} keys"


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
def test_a_sample_does_about_as_well_as_exact_lru(policy: str) -> None:
    exact, ours = of_exact_lru(1_500), of_kv(policy, 1_500)
    assert ours > exact - BEHIND, f"{ours:.3f} of the calls hit; {exact:.3f} of those to an exact LRU"
